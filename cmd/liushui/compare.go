package main

import (
	"context"
	"errors"
	"fmt"
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
		fmt.Fprintf(r.stdout, "no differences in %d cells of %d events\n", sum.Cells, r.computation.Placed)
		return nil
	}
	return r.tellDifferences(differences, &sum, repair)
}
