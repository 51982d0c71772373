package native

import (
	"context"
	"fmt"
	"slices"
	"time"

	"liushui"
)

// chooseGeneration reads the job records of the results topic. The newest job's
// generation is ours where it is this very job, computed from this very log; else a higher one begins, once
// the other job's engine has stopped or fallen silent. What was kept of another
// generation is forgotten.
func (e *Engine) chooseGeneration(ctx context.Context, kept **restored) error {
	asked := time.Now()
	resultsID := ""
	if *kept != nil {
		resultsID = (*kept).resultsID
	}
	reader, err := e.c.ResultsLog(ctx, resultsID)
	if err != nil {
		return fmt.Errorf("open the results for their job records: %w", withResultsMend(err))
	}
	defer reader.Close()
	e.resultsID = reader.TopicID()
	log := &liushui.JobLog{Reader: reader, Engine: engineName}
	if err := log.ReadUntil(ctx, 50*time.Millisecond, func() bool { return log.AtEnd(asked) }); err != nil {
		return err
	}
	if e.lost = checkSent(log, *kept); e.lost != nil {
		return nil // said once the events, which may have been lost too, are opened
	}
	if *kept != nil && log.Newest.Generation < (*kept).generation {
		return e.resumeGeneration(ctx, *kept)
	}
	e.earlier = log.Progress
	hash := e.c.Job.Hash()
	replaces, err := e.replaced(ctx, log, *kept)
	if err != nil {
		return err
	}
	if log.Newest.Hash != hash || replaces != 0 {
		if replaces == 0 {
			if err := e.awaitOther(ctx, log); err != nil {
				return err
			}
		}
		e.replaces = replaces
		e.generation = max(time.Now().UnixMilli(), log.Newest.Generation+1)
		if err := e.sendJob(ctx, time.Now()); err != nil {
			return err
		}
		if err := e.c.Results.Flush(ctx); err != nil {
			return fmt.Errorf("send the job record: %w", err)
		}
		sent := func() bool { return log.Newest.Generation >= e.generation }
		if err := log.ReadUntil(ctx, 50*time.Millisecond, sent); err != nil {
			return err
		}
	}
	if log.First.Hash == hash {
		e.generation, e.replaces = log.First.Generation, log.First.Replaces
	}
	if log.Own.Generation == e.generation {
		e.before = log.Own
	}
	if *kept != nil && (*kept).generation != e.generation {
		e.c.Log.Info("the kept state is of another generation: all is computed anew from the log")
		*kept = nil
		return e.dir.forget()
	}
	return nil
}

// checkSent sees that the results of what a checkpoint holds are still there: it
// was written after the engine had said, behind them, that they were.
func checkSent(log *liushui.JobLog, kept *restored) error {
	if kept == nil || len(kept.unseen) > 0 || log.First.Generation > kept.generation {
		return nil
	}
	if len(log.Sent) == 0 && log.Reader.Ends()[0].Start > 0 {
		return nil // retention has taken what was said
	}
	for number, p := range kept.partitions {
		if sent := log.Sent[number]; p.offset > p.from && sent < p.offset {
			return withResultsMend(fmt.Errorf("the topic of results has gone back, as after a power cut: the checkpoint holds partition %d of the events up to offset %d, the results that are there reach to %d: %w",
				number, p.offset, sent, liushui.ErrGone))
		}
	}
	return nil
}

// resumeGeneration goes on with the kept one where the log of results, but not
// the topic, has lost what it said of it.
func (e *Engine) resumeGeneration(ctx context.Context, kept *restored) error {
	e.generation, e.replaces = kept.generation, kept.replaces
	if err := e.sendJob(ctx, time.Now()); err != nil {
		return err
	}
	if err := e.c.Results.Flush(ctx); err != nil {
		return fmt.Errorf("send the job record: %w", err)
	}
	return nil
}

// replaced is the newest generation if it is this job's, but was computed from
// another log than the one that is there now: versions of both cannot be
// compared. It is 0 where that is not so.
func (e *Engine) replaced(ctx context.Context, log *liushui.JobLog, kept *restored) (int64, error) {
	number := log.Newest.Generation
	if log.Newest.Hash != e.c.Job.Hash() || log.Heard.IsZero() && len(e.forgotten) == 0 || kept != nil && kept.generation == log.First.Generation {
		return 0, nil
	}
	reader, err := e.c.Events(ctx, nil, "")
	if err != nil {
		return 0, fmt.Errorf("open the events: %w", err)
	}
	defer reader.Close()
	if !log.Heard.IsZero() && reader.TopicID() != log.Progress.TopicID {
		e.c.Log.Info("the figures that are there were computed from a topic that is no longer there; all is computed anew")
		return number, nil
	}
	ends, err := knownEnds(ctx, reader)
	if err != nil {
		return 0, err
	}
	for _, part := range log.Own.Partitions {
		for _, end := range ends {
			if end.Partition == part.Partition && part.From < end.Start {
				e.c.Log.Info("the log has lost records that the figures that are there count; all that it holds is computed anew",
					"partition", end.Partition, "counted_from", part.From, "begins", end.Start)
				return number, nil
			}
		}
	}
	judged := log.Progress.Partitions
	for number, offset := range e.forgotten { // results may have been lost with the events
		judged = append(judged, liushui.PartitionProgress{Partition: number, Offset: offset})
	}
	for _, part := range judged {
		for _, end := range ends {
			if end.Partition == part.Partition && (part.Offset < end.Start || part.Offset > end.End) {
				e.c.Log.Info("the log has lost records since the figures that are there were computed; all that it holds is computed anew",
					"partition", end.Partition, "judged", part.Offset, "begins", end.Start, "ends", end.End)
				return number, nil
			}
		}
	}
	return 0, nil
}

// knownEnds waits until a reader knows how far each partition reaches.
func knownEnds(ctx context.Context, reader liushui.Reader) ([]liushui.PartitionEnd, error) {
	for {
		ends := reader.Ends()
		if len(ends) > 0 && !slices.ContainsFunc(ends, func(end liushui.PartitionEnd) bool { return end.Asked.IsZero() }) {
			return ends, nil
		}
		within, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		fetches, err := reader.Poll(within)
		cancel()
		if err != nil && (within.Err() == nil || ctx.Err() != nil) {
			return nil, fmt.Errorf("ask how far the events reach: %w", err)
		}
		for _, f := range fetches {
			if f.Done != nil {
				f.Done()
			}
		}
	}
}

// awaitOther waits for the other job's engine.
func (e *Engine) awaitOther(ctx context.Context, log *liushui.JobLog) error {
	if !log.Busy(time.Now()) {
		return nil
	}
	e.c.Log.Info("another job's engine may still run; waiting until it has stopped or is silent", "job", log.Newest.Job, "for", liushui.JobSilence)
	return log.ReadUntil(ctx, 500*time.Millisecond, func() bool { return !log.Busy(time.Now()) })
}
