package enginetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"liushui"
)

// expect holds one row of the table against the script: statistic, window,
// start, key values, and then what must hold, as name=value.
func (p *player) expect(s step) error {
	r, rest, err := p.row(s)
	if err != nil {
		return err
	}
	if r == nil {
		return fmt.Errorf("there is no such row")
	}
	want, err := pairs(rest)
	if err != nil {
		return err
	}
	got, err := p.show(r)
	if err != nil {
		return err
	}
	return compare(got, want)
}

func compare(got, want map[string]string) error {
	for _, name := range keys(want) {
		value, known := got[name]
		if !known {
			return fmt.Errorf("there is no %s; there are %s", name, strings.Join(keys(got), ", "))
		}
		if value != want[name] {
			return fmt.Errorf("%s is %s, want %s", name, value, want[name])
		}
	}
	return nil
}

// absent says that a row is not there.
func (p *player) absent(s step) error {
	r, _, err := p.row(s)
	if err == nil && r != nil {
		return fmt.Errorf("there is one: %s", show(r))
	}
	return err
}

// rows is how many rows the table has.
func (p *player) rows(s step) error {
	n, err := s.number(0)
	if err != nil {
		return err
	}
	table, err := TableOf(p.line.Results.Records(0), p.line.Job)
	if err == nil && len(table) != n {
		return fmt.Errorf("there are %d:\n  %s", len(table), strings.Join(keys(table), "\n  "))
	}
	return err
}

// row finds the row that a line speaks of, and returns the words after its key.
func (p *player) row(s step) (*liushui.Result, []string, error) {
	statistic := p.line.Job.Statistic(s.word(0))
	if statistic == nil || len(s.words) < 3+len(statistic.By) {
		return nil, nil, fmt.Errorf("want statistic, window, start and the key's values")
	}
	start, err := parseTime(s.words[2], p.date, p.line.Job.Zone)
	if err != nil {
		return nil, nil, err
	}
	table, err := TableOf(p.line.Results.Records(0), p.line.Job)
	if err != nil {
		return nil, nil, err
	}
	key, rest := s.words[3:3+len(statistic.By)], s.words[3+len(statistic.By):]
	wanted := liushui.Result{Statistic: statistic.Name, Window: s.words[1], Start: start, Key: slices.Clip(key)}
	if r, found := table[cellOf(&wanted)]; found {
		return &r, rest, nil
	}
	return nil, rest, nil
}

// show gives all that a script may say of a row.
func (p *player) show(r *liushui.Result) (map[string]string, error) {
	var standing liushui.Standing
	for _, record := range p.line.Results.Records(0) {
		kind := liushui.KindOf(record.Key)
		if kind == liushui.KindResult {
			continue
		}
		if err := standing.Observe(kind, record.Value); err != nil {
			return nil, err
		}
	}
	shown := map[string]string{
		"version": fmt.Sprint(r.Version), "late": fmt.Sprint(r.Late), "state": string(standing.State(r)),
		"end": p.clockTime(r.End), "length": fmt.Sprint((r.End-r.Start)/1000) + "s",
	}
	for i, m := range p.line.Job.Statistic(r.Statistic).Measures {
		switch v := r.Values[i]; {
		case v.Null:
			shown[m.Name] = "null"
		case m.Kind == liushui.SumAmount:
			shown[m.Name] = liushui.Money(v.N).String()
		default:
			shown[m.Name] = fmt.Sprint(v.N)
		}
	}
	return shown, nil
}

// account holds the newest account against the script.
func (p *player) account(s step) error {
	progress, err := p.newest()
	if err != nil {
		return err
	}
	var got map[string]int64
	text, err := json.Marshal(progress.Account)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil {
		return err
	}
	want, err := pairs(s.words)
	if err != nil {
		return err
	}
	shown := map[string]string{}
	for name, n := range got {
		shown[name] = fmt.Sprint(n)
	}
	return compare(shown, want)
}

// progress holds the newest progress record against the script.
func (p *player) progress(s step) error {
	progress, err := p.newest()
	if err != nil {
		return err
	}
	want, err := pairs(s.words)
	if err != nil {
		return err
	}
	lag, known, _ := progress.Lag()
	shown := map[string]string{
		"newest": p.clockTime(progress.Newest), "watermark": p.clockTime(progress.Watermark), "complete": p.clockTime(progress.CompleteFrom),
		"corrected": fmt.Sprint(progress.Corrected), "large": fmt.Sprint(progress.TooLarge), "lag": fmt.Sprint(lag), "feed": progress.Feed, "judged": p.clockTime(progress.Judged),
	}
	if !known {
		shown["lag"] = "unknown"
	}
	return compare(shown, want)
}

func (p *player) newest() (*liushui.Progress, error) {
	progress, err := newestProgress(p.line.Results.Records(0))
	if err == nil && progress == nil {
		err = fmt.Errorf("no progress record yet")
	}
	return progress, err
}

// clockTime writes a time as a script does, none where it is 0.
func (p *player) clockTime(t int64) string {
	if t == 0 {
		return "none"
	}
	at := time.UnixMilli(t).In(p.line.Job.Zone)
	if at.Format("2006-01-02") == p.date {
		return at.Format("15:04:05.999")
	}
	return at.Format("2006-01-02T15:04:05.999")
}

// parked lists all records that were parked for a reason: partition/offset ….
func (p *player) parked(s step) error {
	progress, err := p.newest()
	if err != nil {
		return err
	}
	letters, err := deadLetters(p.line.DeadLetters.All(), progress.Generation)
	if err != nil {
		return err
	}
	var got []string
	for place := range letters.places(s.word(0)) {
		got = append(got, fmt.Sprintf("%d/%d", place.Partition, place.Offset))
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(s.words[1:]))
	if !slices.Equal(got, want) {
		return fmt.Errorf("parked are %q", got)
	}
	return nil
}

// rhythm waits for a while in which the engine must say how it stands every
// second, and its job every minute.
func (p *player) rhythm(s step) error {
	span, err := time.ParseDuration(s.word(0))
	if err != nil {
		return err
	}
	before := p.line.Results.Ends()[0]
	time.Sleep(span)
	jobs, progress := 0, 0
	for _, r := range p.line.Results.Records(0)[before:] {
		switch liushui.KindOf(r.Key) {
		case liushui.KindJob:
			jobs++
		case liushui.KindProgress:
			progress++
		}
	}
	seconds, minutes := int(span.Seconds()), int(span.Minutes())
	if progress < seconds-2 || progress > seconds+2 || jobs < minutes || jobs > minutes+1 {
		return fmt.Errorf("%d progress records and %d job records in %s", progress, jobs, span)
	}
	return nil
}
