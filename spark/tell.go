package spark

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"liushui"
)

// tell sends a progress record each second and a job record each minute, until
// ctx is done or, with ExitWhenDone, all is.
func (e *Engine) tell(ctx context.Context) error {
	jobSent, reached := time.Time{}, time.Time{}
	for {
		now := time.Now()
		if now.Sub(jobSent) >= jobEvery {
			jobSent = now
			if err := e.sendJob(ctx); err != nil {
				return quiet(ctx, err)
			}
		}
		if err := e.sendProgress(ctx, false); err != nil {
			return quiet(ctx, err)
		}
		if e.c.ExitWhenDone {
			at, settled := e.standing()
			if at && reached.IsZero() {
				reached = now
			}
			if at && (settled || now.Sub(reached) > settleWithin) {
				return nil
			}
		}
		if err := pause(ctx, lookEvery); err != nil {
			return nil
		}
	}
}

// settleWithin bounds the wait for the batch without records in which Spark's
// watermark follows the newest event.
const settleWithin = 10 * time.Second

func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// standing says whether both queries stand at the targets, and whether the
// watermark has followed the newest event.
func (e *Engine) standing() (at, settled bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for number, target := range e.targets {
		if e.ledger.offsets[number] < target || e.letters[number] < target {
			return false, false
		}
	}
	return true, e.ledger.watermark >= e.ledger.newest-e.c.Job.Lateness.Milliseconds()
}

func (e *Engine) sendProgress(ctx context.Context, stopped bool) error {
	asking, cancel := context.WithTimeout(ctx, lookEvery)
	ends, err := e.c.Ends(asking)
	cancel()
	if err != nil {
		if errors.Is(err, liushui.ErrMisuse) {
			return fmt.Errorf("ask how far the events reach: %w", err)
		}
		ends = nil // the lag is unknown
	}
	p := e.progressAt(time.Now(), ends)
	p.Stopped = stopped
	e.mu.Lock()
	e.sent = p
	e.mu.Unlock()
	return e.send(ctx, liushui.ProgressKey(engineName), p)
}

func (e *Engine) progressAt(now time.Time, ends []liushui.PartitionEnd) liushui.Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := &e.ledger
	p := liushui.Progress{Engine: engineName, Generation: e.generation, Time: now.UnixMilli(), Newest: l.newest, Watermark: l.watermark,
		Judged: l.judged, TopicID: e.topicID, Account: l.account, Retries: e.retries.Load(), Unknown: l.unknown(e.c.Job)}
	if e.c.Retries != nil {
		p.Retries += e.c.Retries()
	}
	if since := now.Sub(e.rateTime).Seconds(); since > 0 {
		p.Rate = float64(l.account.Read-e.rateRead) / since
	}
	e.rateTime, e.rateRead = now, l.account.Read
	for _, end := range ends {
		if _, ok := l.offsets[end.Partition]; !ok {
			l.offsets[end.Partition] = 0 // one that the topic has gained
		}
	}
	for _, number := range slices.Sorted(maps.Keys(l.offsets)) {
		part := liushui.PartitionProgress{Partition: number, From: l.from[number], Offset: l.offsets[number]}
		for _, end := range ends {
			if end.Partition == number {
				lag := max(end.End-part.Offset, 0)
				part.Lag = &lag
			}
		}
		p.Partitions = append(p.Partitions, part)
	}
	return p
}

// queryStopWithin bounds the stop of the queries; Spark ends the batch under way
// before it says that one has stopped.
const queryStopWithin = 3 * time.Second

// stop stops the queries and says the last of them. What does not stop in time
// runs on, or stops later, and the next start takes it up.
func (e *Engine) stop(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, queryStopWithin)
	defer cancel()
	var all sync.WaitGroup
	var running atomic.Int32
	for _, q := range e.queries {
		if q.id.ID == "" {
			continue
		}
		all.Go(func() {
			err := e.session.stop(within, q.id)
			if err == nil {
				err = e.hear(within, q)
			}
			if err != nil && !unknown(err) && !lost(err) {
				running.Add(1)
				e.c.Log.Warn("Spark has not said that the query has stopped; if it runs on, the next start takes it up", "query", q.name, "reason", err)
			}
		})
	}
	all.Wait()
	stopped := running.Load() == 0
	if err := e.sendProgress(ctx, stopped); err != nil {
		return err
	}
	if err := e.c.Results.Flush(ctx); err != nil {
		return fmt.Errorf("send the last results: %w", err)
	}
	return nil
}
