package native

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"liushui"
)

// behindEvery is the time between two sendings while the engine is more than
// behindAfter behind: then all changed cells go together, so that the parts that
// readers see add up to the whole.
const (
	behindEvery = 5 * time.Second
	behindAfter = time.Second
)

// sendRecords is how many results are handed over at once at most: one list of
// all of them would be copied again and again as it grows.
const sendRecords = 4096

// slabSize is how much memory for results is taken at once.
const slabSize = 64 << 10

// collect moves cells touched by journaled batches to those that wait to be sent.
func (e *Engine) collect() {
	e.waiting = append(e.waiting, e.folder.take()...)
}

// behind reports whether judging lags the clock.
func (e *Engine) behind(now time.Time) bool {
	return e.lagging && now.UnixMilli()-e.judged > behindAfter.Milliseconds()
}

// send sends the cells that are due: those not sent for a while, those whose
// window has become final, or all of them.
func (e *Engine) send(ctx context.Context, now time.Time, all bool) error {
	if err := e.sendParked(ctx); err != nil {
		return err
	}
	e.pick(now, all)
	for len(e.unsent) > 0 {
		if err := e.c.Results.Write(ctx, e.unsent[0], nil); err != nil {
			return fmt.Errorf("send results: %w", err) // a clean stop tries once more
		}
		e.unsent = e.unsent[1:]
	}
	return nil
}

// pick makes results of the cells that are due.
func (e *Engine) pick(now time.Time, all bool) {
	if len(e.waiting) == 0 || e.unknownStart() {
		return
	}
	before, behind := now.Add(-e.c.Every).UnixMilli(), e.behind(now)
	if behind {
		all = all || now.Sub(e.sentAll) >= behindEvery
	}
	if all {
		e.sentAll = now
	}
	kept, slab, record := e.waiting[:0], []byte(nil), liushui.Record{}
	for i, w := range e.waiting {
		if !all && w.end > e.settled && (behind || w.cell.sent > before) {
			kept = append(kept, w)
			continue
		}
		c := w.cell
		c.dirty = false
		if c.start < e.completeFrom {
			continue // incomplete: the log had lost its start
		}
		c.sent = now.UnixMilli()
		if cap(slab)-len(slab) < slabSize/8 {
			slab = make([]byte, 0, slabSize)
		}
		record, slab = e.record(c, slab)
		e.queue(record, len(e.waiting)-i)
	}
	clear(e.waiting[len(kept):])
	e.waiting = kept
}

// queue adds a result to those that are made; left is how many may still come.
func (e *Engine) queue(r liushui.Record, left int) {
	last := len(e.unsent) - 1
	if last < 0 || len(e.unsent[last]) == cap(e.unsent[last]) {
		e.unsent = append(e.unsent, make([]liushui.Record, 0, min(left, sendRecords)))
		last++
	}
	e.unsent[last] = append(e.unsent[last], r)
}

// record is a cell's result, written into slab behind what stands there.
func (e *Engine) record(c *cell, slab []byte) (liushui.Record, []byte) {
	e.table.result(c, e.generation, engineName, &e.result)
	begin := len(slab)
	slab = e.result.AppendKey(slab)
	key := slab[begin:len(slab):len(slab)]
	begin = len(slab)
	slab = e.result.AppendValue(slab, c.stat.Statistic)
	return liushui.Record{Key: key, Value: slab[begin:len(slab):len(slab)]}, slab
}

func (e *Engine) sendParked(ctx context.Context) error {
	if len(e.parked) == 0 {
		return nil
	}
	if err := e.c.DeadLetters.Write(ctx, e.parked, nil); err != nil {
		return fmt.Errorf("send dead letters: %w", err)
	}
	e.parked = nil
	return nil
}

// sendJob sends the job record.
func (e *Engine) sendJob(ctx context.Context, now time.Time) error {
	r := liushui.JobRecord{Job: e.c.Job.Name, Hash: e.c.Job.Hash(), Generation: e.generation, Replaces: e.replaces, Engine: engineName,
		Time: now.UnixMilli(), Text: e.c.Job.Text}
	return e.sendJSON(ctx, liushui.KeyJob, r)
}

func (e *Engine) sendJSON(ctx context.Context, key string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	if err := e.c.Results.Write(ctx, []liushui.Record{{Key: []byte(key), Value: b}}, nil); err != nil {
		return fmt.Errorf("send %s: %w", key, err)
	}
	return nil
}

// sendProgress sends the progress record.
func (e *Engine) sendProgress(ctx context.Context, now time.Time, stopped bool) error {
	p := e.progressAt(now)
	p.Stopped = stopped
	if len(e.waiting) == 0 && len(e.unsent) == 0 {
		e.said++
		p.Sent = e.said
	}
	e.mu.Lock()
	e.progress = p
	e.mu.Unlock()
	return e.sendJSON(ctx, liushui.ProgressKey(engineName), p)
}

// lagKnown is how old the answer may be on which a lag rests.
const lagKnown = 2 * time.Second

func (e *Engine) progressAt(now time.Time) liushui.Progress {
	p := liushui.Progress{Engine: engineName, Generation: e.generation, Time: now.UnixMilli(), Newest: shown(e.marks.newest),
		Watermark: max(shown(e.settled), e.before.Watermark), CompleteFrom: e.shownFrom(), Judged: e.judged, TopicID: e.intake.reader.TopicID(),
		Feed: e.feed, Account: e.account, Corrected: e.corrected, Checkpoint: e.kept, TooLarge: e.table.tooLarge, Run: e.run}
	if e.c.Retries != nil {
		p.Retries = e.c.Retries()
	}
	if since := now.Sub(e.rateSince).Seconds(); since > 0 {
		p.Rate = float64(e.account.Read-e.rateRead) / since
	}
	for _, number := range e.marks.numbers() {
		place := e.marks.partition(number)
		part := liushui.PartitionProgress{Partition: number, From: place.from, Offset: place.offset, Newest: shown(place.newest)}
		for _, end := range e.ends {
			if end.Partition == number && !end.Asked.IsZero() && now.Sub(end.Asked) <= lagKnown {
				lag := max(end.End-place.offset, 0)
				part.Lag = &lag
			}
		}
		p.Partitions = append(p.Partitions, part)
	}
	return p
}

// shownFrom is from when the generation's windows are complete: an earlier run
// that began with more of the log has sent the ones before.
func (e *Engine) shownFrom() int64 {
	if e.before.Generation == e.generation {
		return e.before.CompleteFrom
	}
	return shown(e.completeFrom)
}

func shown(t int64) int64 {
	if t == none {
		return 0
	}
	return t
}
