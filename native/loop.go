package native

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"liushui"
)

// tick is how often the engine looks at the clock while nothing arrives.
const tick = 20 * time.Millisecond

// checkpointRecords bring a checkpoint forward, so that a restart has a bounded
// number of records to judge again; where CheckpointEvery is longer than its
// default, as many more.
const checkpointRecords = 3_000_000

// loop judges, journals and sends until ctx is done or the targets are reached.
func (e *Engine) loop(ctx context.Context) error {
	now := time.Now()
	e.rateSince, e.rateRead, e.checkpointed, e.sentAll = now, e.account.Read, now, now
	if err := e.sendJob(ctx, now); err != nil {
		return err
	}
	e.jobSent = now
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	idle := false
	for {
		if err := e.gather(ctx, ticker.C, idle); err != nil {
			return err
		}
		taken, err := e.step(ctx)
		if err != nil {
			return err
		}
		idle = taken == 0
		if idle && e.reached() {
			return nil
		}
	}
}

// gather queues what was fetched; it waits only where there is nothing to judge.
// Once ctx is done it takes nothing more, whatever select would choose.
func (e *Engine) gather(ctx context.Context, tick <-chan time.Time, wait bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if wait {
		select {
		case fetches := <-e.intake.fetched:
			e.meet(fetches)
		case <-tick:
		case err := <-e.intake.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		select {
		case fetches := <-e.intake.fetched:
			e.meet(fetches)
		case err := <-e.intake.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		default:
			return nil
		}
	}
}

// meet queues what was fetched. A partition that nobody has spoken of yet begins
// here: it holds the watermark from its first fetched record on.
func (e *Engine) meet(fetches []liushui.Fetch) {
	for _, f := range fetches {
		if len(f.Records) > 0 && e.marks.partitions[f.Partition] == nil {
			e.marks.partition(f.Partition).begin(f.Records[0].Offset)
		}
	}
	e.intake.put(fetches)
}

// step is one batch and what is due by the clock.
func (e *Engine) step(ctx context.Context) (int, error) {
	e.learnEnds()
	e.entryWatermark = e.marks.watermark
	taken, entry := e.batch()
	e.folder.settle(e.entryWatermark)
	e.sinceCheckpoint += int64(taken)
	now := time.Now()
	e.marks.sampleNow(now)
	e.marks.idle(e.ends)
	if e.marks.advance() || taken > 0 {
		entry.after = e.marks.watermark
		if err := e.journal.append(entry); err != nil {
			return taken, err
		}
		e.settled = entry.after
	}
	e.collect()
	if err := e.send(ctx, now, false); err != nil {
		return taken, err
	}
	if tooLate := e.settled - e.marks.corrections; e.settled != none {
		e.table.evict(tooLate)
		e.table.sweep()
	}
	return taken, e.periodic(ctx, now)
}

// learnEnds takes the newest extents, and begins partitions that are new.
func (e *Engine) learnEnds() {
	e.ends = e.intake.reader.Ends()
	e.lagging = false
	for _, end := range e.ends {
		p := e.marks.partitions[end.Partition]
		if p == nil {
			p = e.marks.partition(end.Partition)
			p.begin(end.Start)
		}
		e.lagging = e.lagging || p.offset < end.End
	}
}

// periodic sends job and progress records and takes checkpoints when they are due.
func (e *Engine) periodic(ctx context.Context, now time.Time) error {
	if now.Sub(e.jobSent) >= time.Minute {
		e.jobSent = now
		if err := e.sendJob(ctx, now); err != nil {
			return err
		}
	}
	if now.Sub(e.progressSent) >= time.Second {
		e.progressSent = now
		if err := e.sendProgress(ctx, now, false); err != nil {
			return err
		}
		e.rateSince, e.rateRead = now, e.account.Read
	}
	if err := e.saved(ctx, false); err != nil {
		return err
	}
	// One more when all is judged: what is committed is the older checkpoint, and a
	// full broker holds producers back until that is far enough.
	due := now.Sub(e.checkpointed) >= e.c.CheckpointEvery && (e.sinceCheckpoint > 0 || !maps.Equal(e.older, e.newest))
	bound := checkpointRecords * max(1, e.c.CheckpointEvery.Seconds()/defaultCheckpointEvery.Seconds())
	if due && e.saving == nil || float64(e.sinceCheckpoint) >= bound {
		return e.checkpoint(ctx)
	}
	return nil
}

// reached reports whether the targets of ExitWhenDone are behind.
func (e *Engine) reached() bool {
	if e.targets == nil {
		return false
	}
	for number, end := range e.targets {
		if e.marks.partition(number).offset < end {
			return false
		}
	}
	return true
}

// stop is the clean end: everything is sent, acknowledged and kept, and said.
func (e *Engine) stop(ctx context.Context) error {
	if err := errors.Join(e.checkpoint(ctx), e.saved(ctx, true)); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if err := e.sendProgress(ctx, time.Now(), true); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if err := e.c.Results.Flush(ctx); err != nil {
		return fmt.Errorf("stop: wait for acknowledgements: %w", err)
	}
	return nil
}

var _ liushui.Engine = (*Engine)(nil)
