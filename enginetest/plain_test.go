package enginetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"liushui"
	"liushui/reconcile"
)

// plain is an engine in the plainest form: it keeps nothing but a journal and
// computes everything from the log's start when it starts. The scripts are
// tried on it, and on copies of it with a fault each.
type plain struct {
	fault string
	line  *Line

	generation  int64
	replaces    int64 // of a log that is no more
	earlier     liushui.Progress
	offsets     map[int32]int64
	newest      map[int32]int64 // accepted event time by partition
	passed      map[int32]int64 // the same, or what the clock let the partition pass
	history     []reading
	watermark   int64
	seen        map[string]bool
	cells       *reconcile.Cells
	late        map[string]int64 // by cell
	sentVersion map[string]int64
	account     liushui.Account
	asked       time.Time // when the ends were learned
	jobSaid     time.Time
	judged      int64
	corrected   int64
	complete    int64 // windows that begin earlier are not sent
	feed        string
	out         liushui.Writer
	parked      liushui.Writer
}

// reading says that at a clock time the newest event was read.
type reading struct {
	at     time.Time
	newest int64
}

// entry is a line of the journal: where a batch ended and the watermark at its start.
type entry struct {
	Ends      map[int32]int64
	Watermark int64
}

func plainEngine(fault string) Engine {
	return func(ctx context.Context, l *Line) error {
		p := &plain{fault: fault, line: l, offsets: map[int32]int64{}, newest: map[int32]int64{},
			passed: map[int32]int64{}, seen: map[string]bool{}, late: map[string]int64{}, sentVersion: map[string]int64{}}
		return p.run(ctx)
	}
}

func (p *plain) run(ctx context.Context) error {
	p.out, p.parked = p.line.Results.Writer(), p.line.DeadLetters.Writer()
	defer p.out.Close()
	defer p.parked.Close()
	if err := errors.Join(p.sameTopic(), p.begin(ctx)); err != nil {
		return err
	}
	if err := p.replay(); err != nil {
		return err
	}
	journal, err := os.OpenFile(p.journalPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer journal.Close()
	reader := p.line.Events.Reader(p.offsets)
	defer reader.Close()
	for second := time.Now(); ; {
		wait, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		fetches, err := reader.Poll(wait)
		cancel()
		if ctx.Err() != nil {
			break
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		p.pass(reader.Ends())
		e := entry{map[int32]int64{}, p.least()}
		for _, f := range fetches {
			e.Ends[f.Partition] = f.Records[len(f.Records)-1].Offset + 1
		}
		if len(fetches) > 0 || e.Watermark > p.watermark {
			line, _ := json.Marshal(e)
			if _, err := fmt.Fprintf(journal, "%s\n", line); err != nil {
				return err
			}
			p.take(e, fetches)
		}
		p.history = append(p.history, reading{time.Now(), p.newestOf()})
		err = p.send(ctx)
		if err == nil && time.Since(second) >= time.Second {
			second = time.Now()
			err = p.progress(ctx, false)
		}
		if err == nil && time.Since(p.jobSaid) >= time.Minute {
			err = p.sayJob(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return p.progress(context.Background(), true)
}

func (p *plain) journalPath() string { return filepath.Join(p.line.Dir, "journal-"+p.line.Job.Hash()) }

// begin finds or makes the job's generation.
func (p *plain) begin(ctx context.Context) error {
	results := p.line.Results.Records(0)
	p.generation = GenerationOf(results, p.line.Job)
	newest, err := newestProgress(results)
	if err != nil {
		return err
	}
	if newest != nil && p.forgot() {
		p.earlier = *newest
	}
	if newest != nil && newest.Generation == p.generation && (newest.TopicID != p.line.Events.ID() || p.forgot() && p.lostSince(newest)) {
		p.replaces, p.generation = p.generation, 0
	}
	if p.generation == 0 {
		p.generation = time.Now().UnixMilli()
		for _, r := range results {
			var j liushui.JobRecord
			if string(r.Key) == liushui.KeyJob && json.Unmarshal(r.Value, &j) == nil {
				p.generation = max(p.generation, j.Generation+1)
			}
		}
	}
	p.findComplete()
	if newest != nil && newest.Generation == p.generation && !p.forgot() {
		p.complete = max(p.complete, newest.CompleteFrom)
	}
	return p.sayJob(ctx)
}

// forgot reports whether nothing is kept.
func (p *plain) forgot() bool {
	_, err := os.Stat(p.journalPath())
	return err != nil
}

// lostSince reports whether the log has lost records that a run before has counted.
func (p *plain) lostSince(before *liushui.Progress) bool {
	return slices.ContainsFunc(before.Partitions, func(part liushui.PartitionProgress) bool { return part.From < p.from(part.Partition) })
}

// from is where the log of a partition begins.
func (p *plain) from(partition int32) int64 {
	if held := p.line.Events.Records(partition); len(held) > 0 {
		return held[0].Offset
	}
	return p.line.Events.Ends()[partition]
}

func (p *plain) sayJob(ctx context.Context) error {
	job := p.line.Job
	p.jobSaid = time.Now()
	value, _ := json.Marshal(liushui.JobRecord{Job: job.Name, Hash: job.Hash(), Generation: p.generation, Replaces: p.replaces, Engine: "plain", Time: time.Now().UnixMilli(), Text: job.Text})
	return p.out.Write(ctx, []liushui.Record{{Key: []byte(liushui.KeyJob), Value: value}}, nil)
}

// sameTopic keeps the topic's id beside the journal, and refuses another. A crash may leave the file empty.
func (p *plain) sameTopic() error {
	path := filepath.Join(p.line.Dir, "topic")
	if kept, err := os.ReadFile(path); err == nil && len(kept) > 0 && string(kept) != p.line.Events.ID() {
		return liushui.ErrOtherTopic
	}
	return os.WriteFile(path, []byte(p.line.Events.ID()), 0o644)
}

// findComplete looks whether the log has lost its start.
func (p *plain) findComplete() {
	cut, latest, lost := false, int64(0), int64(0)
	for partition, end := range p.line.Events.Ends() {
		p.offsets[partition] = p.from(partition)
		for _, part := range p.earlier.Partitions {
			if part.Partition == partition && end > 0 && end == p.from(partition) && part.Offset >= end && p.earlier.TopicID == p.line.Events.ID() {
				cut, lost = true, max(lost, part.Newest+1) // nothing is left of what was judged
			}
		}
		for i, r := range p.line.Events.Records(partition) {
			cut = cut || i == 0 && r.Offset > 0
			if e, err := reconcile.Decode(r.Value, reconcile.FieldsOf(p.line.Job)); err == nil {
				latest = max(latest, e.Time)
				break
			}
		}
	}
	if cut {
		p.complete = max(latest+p.line.Job.Corrections.Milliseconds(), lost)
	}
}

// replay takes the batches of the journal again.
func (p *plain) replay() error {
	file, err := os.Open(p.journalPath())
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			break // a torn end
		}
		if p.fault == "judges anew after a restart" {
			e.Watermark = 0
		}
		var fetches []liushui.Fetch
		for partition, end := range e.Ends {
			var records []liushui.Record
			for _, r := range p.line.Events.Records(partition) {
				if r.Offset >= p.offsets[partition] && r.Offset < end {
					records = append(records, r)
				}
			}
			fetches = append(fetches, liushui.Fetch{Partition: partition, Records: records})
		}
		p.take(e, fetches)
	}
	if p.fault == "forgets where it was" {
		clear(p.offsets)
		clear(p.seen)
	}
	return nil
}

// take judges and folds one batch.
func (p *plain) take(e entry, fetches []liushui.Fetch) {
	p.watermark = max(p.watermark, e.Watermark)
	slices.SortFunc(fetches, func(a, b liushui.Fetch) int { return int(a.Partition - b.Partition) })
	for _, f := range fetches {
		for _, r := range f.Records {
			p.judge(r)
		}
		p.offsets[f.Partition] = e.Ends[f.Partition]
	}
}

func (p *plain) judge(r liushui.Record) {
	p.account.Read++
	p.feed, p.judged = r.Feed, max(p.judged, r.Time)
	e, err := reconcile.Decode(r.Value, reconcile.FieldsOf(p.line.Job))
	if err == nil && reconcile.Ahead(e, &r, 5*time.Minute) {
		err = fmt.Errorf("ahead of the clock")
	}
	if err != nil {
		p.account.Bad++
		p.park(r, "bad", err.Error())
		return
	}
	p.newest[r.Partition] = max(p.newest[r.Partition], e.Time)
	p.passed[r.Partition] = max(p.passed[r.Partition], e.Time)
	switch {
	case e.Time <= p.watermark-p.line.Job.Corrections.Milliseconds() && p.fault != "counts what is too late":
		p.account.Late++
		p.park(r, "late", "behind the watermark")
	case p.seen[e.ID] && p.fault != "counts duplicates":
		p.account.Duplicate++
	case !reconcile.Counts(p.line.Job, e):
		p.seen[e.ID] = true
		p.account.Ignored++
	case p.fault == "drops what is behind the watermark" && e.Time < p.watermark:
		p.account.Ignored++
	default:
		p.seen[e.ID] = true
		p.account.Counted++
		p.fold(e)
	}
}

func (p *plain) fold(e *reconcile.Event) {
	if p.cells == nil {
		calendar := reconcile.NewCalendar(p.line.Job.Zone)
		if p.fault == "has days of UTC" {
			calendar = reconcile.NewCalendar(time.UTC)
		}
		p.cells = reconcile.NewCells(calendar, reconcile.Scope{From: p.complete})
	}
	before := map[string]int64{}
	for name, c := range p.cells.All() {
		before[name] = c.Version
	}
	corrected := false
	for _, s := range p.line.Job.Statistics {
		if reconcile.Folds(s, e) {
			must(p.cells.Fold(s, e))
		}
	}
	for name, c := range p.cells.All() {
		if c.Version != before[name] && c.End <= p.watermark {
			p.late[name]++
			corrected = true
		}
	}
	if corrected {
		p.corrected++
	}
}

// results are those of all cells, by cell.
func (p *plain) results() map[string]*liushui.Result {
	all := map[string]*liushui.Result{}
	if p.cells == nil {
		return all
	}
	for name, c := range p.cells.All() {
		r, err := c.Result()
		must(err)
		all[name] = r
	}
	return all
}

func (p *plain) park(r liushui.Record, reason, detail string) {
	if p.fault == "parks nothing" {
		return
	}
	header := func(key, value string) liushui.Header { return liushui.Header{Key: key, Value: []byte(value)} }
	_ = p.parked.Write(context.Background(), []liushui.Record{{
		Key: fmt.Appendf(nil, `["category",%d,%d]`, r.Partition, r.Offset), Value: r.Value,
		Headers: []liushui.Header{header("reason", reason), header("detail", detail), header("engine", "plain"),
			header("generation", fmt.Sprint(p.generation)), header("time", fmt.Sprint(time.Now().UnixMilli()))},
	}}, nil)
}

// pass lets partitions without events pass what had been read 5 s before they were found empty.
func (p *plain) pass(ends []liushui.PartitionEnd) {
	for _, end := range ends {
		p.asked = end.Asked
		p.passed[end.Partition] += 0 // it is known from now on, and holds the watermark
		if end.Asked.IsZero() || p.offsets[end.Partition] < end.End || p.fault == "waits for idle partitions" {
			continue
		}
		for _, h := range p.history {
			if !h.at.Add(5 * time.Second).After(end.Asked) {
				p.passed[end.Partition] = max(p.passed[end.Partition], h.newest)
			}
		}
	}
}

func (p *plain) newestOf() int64 {
	newest := int64(0)
	for _, t := range p.newest {
		newest = max(newest, t)
	}
	return newest
}

// least is the watermark that the partitions allow.
func (p *plain) least() int64 {
	if len(p.passed) == 0 {
		return 0
	}
	least := int64(1 << 62)
	for _, t := range p.passed {
		least = min(least, t)
	}
	if p.fault == "takes the newest partition" {
		least = p.newestOf()
	}
	return max(p.watermark, least-p.line.Job.Lateness.Milliseconds(), 0)
}

// send sends the cells that changed.
func (p *plain) send(ctx context.Context) error {
	var records []liushui.Record
	for name, r := range p.results() {
		if p.sentVersion[name] == r.Version {
			continue
		}
		p.sentVersion[name] = r.Version
		r.Late, r.Generation, r.Engine = p.late[name], p.generation, "plain"
		if p.fault == "rounds" {
			r.Values[len(r.Values)-1].N /= 100
			r.Values[len(r.Values)-1].N *= 100
		}
		records = append(records, liushui.Record{Key: r.AppendKey(nil), Value: r.AppendValue(nil, p.line.Job.Statistic(r.Statistic))})
	}
	if err := p.out.Write(ctx, records, nil); err != nil {
		return err
	}
	return p.parked.Flush(ctx)
}

func (p *plain) progress(ctx context.Context, stopped bool) error {
	progress := liushui.Progress{Engine: "plain", Generation: p.generation, Time: time.Now().UnixMilli(), Newest: p.newestOf(), Watermark: p.watermark,
		Feed: p.feed, TopicID: p.line.Events.ID(), Judged: p.judged, Account: p.account, Corrected: p.corrected, CompleteFrom: p.complete, Stopped: stopped}
	for partition, end := range p.line.Events.Ends() {
		part := liushui.PartitionProgress{Partition: partition, From: p.from(partition), Offset: p.offsets[partition], Newest: p.newest[partition]}
		if lag := end - p.offsets[partition]; time.Since(p.asked) < 2*time.Second {
			part.Lag = &lag
		}
		progress.Partitions = append(progress.Partitions, part)
	}
	if p.fault == "loses count" && p.account.Read > 3 {
		progress.Account.Counted--
	}
	for _, r := range p.results() {
		if slices.ContainsFunc(r.Values, func(v liushui.Value) bool { return v.Null }) {
			progress.TooLarge++
		}
	}
	value, _ := json.Marshal(progress)
	if err := p.out.Write(ctx, []liushui.Record{{Key: []byte(liushui.ProgressKey("plain")), Value: value}}, nil); err != nil {
		return err
	}
	return p.out.Flush(ctx)
}
