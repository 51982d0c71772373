package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"liushui"
	"liushui/reconcile"
	"liushui/store"
)

// Sources of held results, by number and name.
const (
	sourceTopic = iota
	sourceTables
)

var sourceNames = []string{sourceTopic: "topic", sourceTables: "tables"}

// holdResults reads what is held.
func (r *reconciling) holdResults(ctx context.Context, tables *store.Store) error {
	sources := []*reconcile.Source{{Name: sourceNames[sourceTopic], Lost: r.start > 0}}
	if tables != nil {
		sources = append(sources, &reconcile.Source{Name: sourceNames[sourceTables], KeptFrom: r.keptFrom()})
	}
	r.computation.Sources(sources...)
	topic := string(r.spec.topics.results)
	reading := r.newMeter("reading results", "records")
	defer reading.close()
	err := scan(ctx, r.client, topic, map[int32]stretch{0: {r.start, r.end}}, reading, func(record *liushui.Record) error {
		if liushui.KindOf(record.Key) != liushui.KindResult {
			return nil
		}
		ours := true
		result, err := liushui.DecodeResult(record.Value, func(generation int64) *liushui.Job {
			if ours = generation == r.generation; ours {
				return r.job
			}
			return nil
		})
		switch {
		case !ours:
			return nil
		case err != nil:
			return fmt.Errorf("topic %s, offset %d: %w", topic, record.Offset, err)
		}
		return r.computation.Hold(sourceTopic, result)
	})
	if err != nil || tables == nil {
		return err
	}
	id, err := r.client.TopicID(ctx, topic)
	if err != nil {
		return err
	}
	return r.holdTables(ctx, tables, id)
}

// keptFrom is from which start on the store keeps windows of a size.
func (r *reconciling) keptFrom() map[string]int64 {
	from, calendar := map[string]int64{}, r.job.Calendar()
	for name, age := range r.spec.keep {
		if w, err := liushui.ParseWindow(name); err == nil {
			from[name], _ = calendar.Span(w, r.newestWatermark-age.Milliseconds())
		}
	}
	return from
}

// storeWait is how long the store may be behind the results that were read.
const storeWait = 15 * time.Second

var errBehind = errors.New("behind")

func (r *reconciling) holdTables(ctx context.Context, tables *store.Store, topicID string) error {
	for began := time.Now(); ; {
		err := tables.View(ctx, func(at liushui.Snapshot) error {
			switch id, offset := at.Position(); {
			case id != topicID:
				return fmt.Errorf("the database holds results of another topic than %s: %w", r.spec.topics.results, liushui.ErrOtherTopic)
			case offset < r.end && time.Since(began) < storeWait:
				return errBehind
			case offset < r.end:
				return fmt.Errorf("the database has not taken the newest %d results; is `liushui store` running?", r.end-offset)
			}
			return r.holdRows(ctx, at)
		})
		if !errors.Is(err, errBehind) {
			return err
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// holdRows reads the rows of the generation that have a place in the scope, some
// hours of them at a time.
func (r *reconciling) holdRows(ctx context.Context, at liushui.Snapshot) error {
	reading := r.newMeter("reading tables", "windows")
	defer reading.close()
	_, shown := at.Standing().Current()
	if shown == nil || shown.Hash() != r.job.Hash() {
		return fmt.Errorf("the database shows another job than topic %s; is `liushui store` running?", r.spec.topics.results)
	}
	for _, s := range r.job.Statistics {
		for _, w := range s.Windows {
			if (r.scope.Statistic != "" && r.scope.Statistic != s.Name) || (r.scope.Window != "" && r.scope.Window != w.Name) {
				continue
			}
			if err := r.holdWindow(ctx, at, s, w, reading); err != nil {
				return err
			}
		}
	}
	return nil
}

// Windows are read together, no more than so many or so long: with keys, an hour
// may have a hundred thousand rows.
const (
	windowsAtOnce  = 2000
	withKeysAtOnce = 30 * time.Minute
)

func (r *reconciling) holdWindow(ctx context.Context, at liushui.Snapshot, s *liushui.Statistic, w liushui.Window, reading *meter) error {
	q := liushui.Query{Statistic: s.Name, Window: w.Name, From: r.scope.From, To: r.scope.To, Limit: 1}
	first, err := at.Rows(ctx, q)
	if err != nil || len(first) == 0 {
		return err
	}
	q.Newest = true
	last, err := at.Rows(ctx, q)
	if err != nil || len(last) == 0 {
		return err
	}
	step := min(windowsAtOnce*w.Size, 86_400_000)
	if len(s.By) > 0 {
		step = max(min(step, withKeysAtOnce.Milliseconds()), w.Size)
	}
	for from := first[0].Start; from <= last[0].Start; from += step {
		to := from + step
		if r.scope.To != 0 {
			to = min(to, r.scope.To)
		}
		rows, err := at.Rows(ctx, liushui.Query{Statistic: s.Name, Window: w.Name, From: from, To: to})
		if err != nil {
			return err
		}
		for i := range rows {
			if rows[i].Generation == r.generation {
				if err := r.computation.Hold(sourceTables, &rows[i].Result); err != nil {
					return err
				}
			}
		}
		reading.set(from-first[0].Start+1, last[0].Start-first[0].Start+1)
	}
	return nil
}

// compare prints what differs, and what else a reader should know.
func (r *reconciling) compare(ctx context.Context) error {
	closed := r.progress.Watermark - r.job.Corrections.Milliseconds()
	limits := reconcile.Limits{CompleteFrom: r.completeFrom}
	if !r.settled {
		limits.ClosedBy = max(closed, 1)
	}
	comparing := r.newMeter("comparing", "hours")
	limits.Progress = comparing.set
	repair, err := r.newRepair(ctx, closed)
	if err != nil {
		return err
	}
	defer repair.close()
	differences := int64(0)
	sum, err := r.computation.Compare(limits, func(d *reconcile.Difference) error {
		differences++
		for _, h := range d.Held {
			if h.Differs {
				fmt.Fprintln(r.stdout, r.describe(d, &h))
			}
		}
		return repair.take(ctx, d)
	})
	comparing.close()
	if err != nil {
		return err
	}
	if err := repair.flush(ctx); err != nil {
		return err
	}
	if err := r.tellLate(); err != nil {
		return err
	}
	r.tellRest(&sum, limits)
	switch {
	case sum.Cells == 0 && differences == 0:
		return fmt.Errorf("no window was compared: the log has events from %s to %s", r.local(r.oldest), r.local(r.newest))
	case differences == 0:
		fmt.Fprintf(r.stdout, "no differences in %d cells of %d events\n", sum.Cells, r.computation.Account.Counted)
		return nil
	}
	return r.tellDifferences(differences, &sum, repair)
}

func (r *reconciling) tellDifferences(differences int64, sum *reconcile.Summary, repair *repair) error {
	fmt.Fprintf(r.stdout, "%d of %d cells differ\n", differences, sum.Cells)
	if !r.spec.repair {
		return errDiffers
	}
	fmt.Fprintf(r.stdout, "%d cells were sent to %s as they should be\n", repair.sent, r.spec.topics.results)
	if repair.open > 0 {
		fmt.Fprintf(r.stdout, "%d are of windows that may still change, which are not repaired: `liushui process --from earliest` computes them anew\n", repair.open)
		return errDiffers
	}
	return nil
}

// describe says in a line how a source differs.
func (r *reconciling) describe(d *reconcile.Difference, h *reconcile.Held) string {
	of := d.Want
	if of == nil {
		of = h.Result
	}
	name := fmt.Sprintf("%s: %s %s %s%s: ", h.Source, of.Statistic, of.Window, r.windowText(of), keyText(of))
	s := r.job.Statistic(of.Statistic)
	switch {
	case h.Result == nil:
		return name + "missing, want " + valuesText(s, d.Want)
	case d.Want == nil:
		return name + "not in the log, holds " + valuesText(s, h.Result)
	}
	var parts []string
	for i, m := range s.Measures {
		if held, want := h.Result.Values[i], d.Want.Values[i]; held != want {
			parts = append(parts, fmt.Sprintf("%s %s, want %s", m.Name, valueText(held, m.Kind), valueText(want, m.Kind)))
		}
	}
	if h.Result.Version != d.Want.Version {
		parts = append(parts, fmt.Sprintf("version %d, want %d", h.Result.Version, d.Want.Version))
	}
	if h.Result.End != d.Want.End {
		parts = append(parts, fmt.Sprintf("end %s, want %s", r.local(h.Result.End), r.local(d.Want.End)))
	}
	if len(parts) == 0 {
		parts = append(parts, "its sketches stand for other values")
	}
	if d.Late > 0 && !r.spec.withLate {
		parts = append(parts, fmt.Sprintf("and %d late events", d.Late))
	}
	return name + strings.Join(parts, "; ")
}

func (r *reconciling) local(ms int64) string {
	return time.UnixMilli(ms).In(r.job.Zone).Format("2006-01-02 15:04:05.999")
}

func (r *reconciling) windowText(of *liushui.Result) string {
	if w, err := liushui.ParseWindow(of.Window); err == nil && w.Day() {
		return time.UnixMilli(of.Start).In(r.job.Zone).Format(time.DateOnly)
	}
	return r.local(of.Start)
}

func keyText(r *liushui.Result) string {
	text := ""
	for _, k := range r.Key {
		if k == "" {
			k = "(unknown)"
		}
		text += " " + escaped([]byte(k))
	}
	return text
}

func valuesText(s *liushui.Statistic, r *liushui.Result) string {
	var parts []string
	for i, m := range s.Measures {
		parts = append(parts, m.Name+" "+valueText(r.Values[i], m.Kind))
	}
	return strings.Join(append(parts, fmt.Sprintf("version %d", r.Version)), ", ")
}

func valueText(v liushui.Value, kind liushui.MeasureKind) string {
	if v.Null {
		return "too large"
	}
	return string(v.AppendJSON(nil, kind))
}

// tellLate sums up what the engine parked as late.
func (r *reconciling) tellLate() error {
	late, err := r.computation.Late()
	if err != nil {
		return err
	}
	if late.Events > 0 {
		var parts []string
		for _, kind := range liushui.EventTypes {
			if n := late.ByType[kind]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s of %s", n, kind, late.Amounts[kind]))
			}
		}
		counted := "which are not counted; --with-late counts them"
		if r.spec.withLate {
			counted = "which are counted here"
		}
		fmt.Fprintf(r.stdout, "late: %d events, %s: %s\n", late.Events, counted, strings.Join(parts, ", "))
		for _, e := range late.First {
			fmt.Fprintf(r.stdout, "  %s/%d/%d: %s %s at %s, %s\n", r.spec.topics.events, e.Place.Partition, e.Place.Offset, e.Type, escaped([]byte(e.ID)), r.local(e.Time), e.Amount)
		}
		if more := late.Events - int64(len(late.First)); more > 0 {
			fmt.Fprintf(r.stdout, "  and %d more\n", more)
		}
	}
	if late.Again > 0 {
		fmt.Fprintf(r.stdout, "late: %d further records repeat events that were counted\n", late.Again)
	}
	return nil
}

// tellRest names what was not compared, and what else may explain a difference.
func (r *reconciling) tellRest(sum *reconcile.Summary, limits reconcile.Limits) {
	if c := r.computation; c.Differ > 0 {
		var first []string
		for _, d := range c.Differs {
			first = append(first, fmt.Sprintf("%s (%s/%d/%d)", escaped([]byte(d.ID)), r.spec.topics.events, d.Place.Partition, d.Place.Offset))
		}
		fmt.Fprintf(r.stdout, "ids: %d records say something else than an earlier one of their id, of which the first judged counts: %s\n", c.Differ, strings.Join(first, ", "))
	}
	if r.completeFrom > 0 && (sum.Outside > 0 || r.scope.From < r.completeFrom) {
		fmt.Fprintf(r.stdout, "outside the log: windows that begin before %s are not compared, %d cells\n", r.local(r.completeFrom), sum.Outside)
	}
	if r.scope.From > 0 && r.scope.From > r.newest {
		fmt.Fprintf(r.stdout, "outside the log: its newest event is of %s\n", r.local(r.newest))
	}
	if sum.Open > 0 {
		fmt.Fprintf(r.stdout, "open: %d cells of windows that end after %s may still change, and are not compared while the engine runs\n", sum.Open, r.local(limits.ClosedBy))
	}
	for _, name := range sourceNames {
		if n := sum.Lost[name]; n > 0 {
			fmt.Fprintf(r.stdout, "%s: %d cells are no longer held there, and not compared\n", name, n)
		}
	}
	if sum.Late > 0 {
		fmt.Fprintf(r.stdout, "%d cells count late events since an earlier repair\n", sum.Late)
	}
	if r.lettersLost {
		fmt.Fprintf(r.stdout, "dead letters: %s has lost its start; a difference may be a late record whose letter is gone\n", r.spec.topics.deadLetters())
	}
}

// repair sends cells as they should be.
type repair struct {
	*reconciling
	out    liushui.Writer // nil: nothing is repaired
	closed int64          // windows that end later may still change
	batch  []liushui.Record
	sent   int64
	open   int64
}

func (r *reconciling) newRepair(ctx context.Context, closed int64) (_ *repair, err error) {
	all := &repair{reconciling: r, closed: closed}
	if r.spec.repair {
		all.out, err = r.client.Writer(ctx, string(r.spec.topics.results))
	}
	return all, err
}

func (r *repair) close() {
	if r.out != nil {
		r.out.Close()
	}
}

// repairEngine is what a repaired result says of who computed it.
const repairEngine = "reconcile"

func (r *repair) take(ctx context.Context, d *reconcile.Difference) error {
	if r.out == nil {
		return nil
	}
	right := d.Right()
	if right.End > r.closed {
		r.open++
		return nil
	}
	right.Generation, right.Engine = r.generation, repairEngine
	r.batch = append(r.batch, liushui.Record{Key: right.AppendKey(nil), Value: right.AppendValue(nil, r.job.Statistic(right.Statistic))})
	r.sent++
	if len(r.batch) < 1000 {
		return nil
	}
	return r.write(ctx)
}

func (r *repair) write(ctx context.Context) error {
	if err := r.out.Write(ctx, slices.Clone(r.batch), nil); err != nil {
		return fmt.Errorf("send repaired results: %w", err)
	}
	r.batch = r.batch[:0]
	return nil
}

func (r *repair) flush(ctx context.Context) error {
	if r.out == nil {
		return nil
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	if err := r.out.Flush(ctx); err != nil {
		return fmt.Errorf("send repaired results: %w", err)
	}
	return nil
}
