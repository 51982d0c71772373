package spark

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"liushui"
)

// chooseGeneration takes the newest job's generation where it is this very job on
// this very log; else a higher one begins, once the other job's engine has
// stopped or fallen silent.
func (e *Engine) chooseGeneration(ctx context.Context) error {
	asked := time.Now()
	reader, err := e.c.ResultsLog(ctx, "")
	if err != nil {
		return fmt.Errorf("open the results for their job records: %w", err)
	}
	defer reader.Close()
	log := &liushui.JobLog{Reader: reader, Engine: engineName}
	if err := log.ReadUntil(ctx, 50*time.Millisecond, func() bool { return log.AtEnd(asked) }); err != nil {
		return err
	}
	hash := e.c.Job.Hash()
	if log.Newest.Hash == hash && !log.Heard.IsZero() && log.Progress.TopicID != e.topicID {
		e.c.Log.Info("the figures that are there were computed from a topic that is no longer there; all is computed anew")
		e.replaces = log.Newest.Generation
	}
	if log.Newest.Hash != hash || e.replaces != 0 {
		if e.replaces == 0 {
			if err := e.awaitOther(ctx, log); err != nil {
				return err
			}
		}
		e.generation = max(time.Now().UnixMilli(), log.Newest.Generation+1)
		if err := e.sendJob(ctx); err != nil {
			return err
		}
		if err := e.c.Results.Flush(ctx); err != nil {
			return fmt.Errorf("send the job record: %w", err)
		}
		if err := log.ReadUntil(ctx, 50*time.Millisecond, func() bool { return log.Newest.Generation >= e.generation }); err != nil {
			return err
		}
	}
	if log.First.Hash == hash {
		e.generation, e.replaces = log.First.Generation, log.First.Replaces
	}
	if log.Own.Generation == e.generation {
		e.before = log.Own
	}
	return nil
}

// awaitOther waits for the other job's engine.
func (e *Engine) awaitOther(ctx context.Context, log *liushui.JobLog) error {
	if !log.Busy(time.Now()) {
		return nil
	}
	e.c.Log.Info("another job's engine may still run; waiting until it has stopped or is silent", "job", log.Newest.Job, "for", liushui.JobSilence)
	return log.ReadUntil(ctx, 500*time.Millisecond, func() bool { return !log.Busy(time.Now()) })
}

// sendJob sends the job record.
func (e *Engine) sendJob(ctx context.Context) error {
	return e.send(ctx, liushui.KeyJob, liushui.JobRecord{Job: e.c.Job.Name, Hash: e.c.Job.Hash(), Generation: e.generation, Replaces: e.replaces,
		Engine: engineName, Time: time.Now().UnixMilli(), Text: e.c.Job.Text})
}

func (e *Engine) send(ctx context.Context, key string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	if err := e.c.Results.Write(ctx, []liushui.Record{{Key: []byte(key), Value: b}}, nil); err != nil {
		return fmt.Errorf("send %s: %w", key, err)
	}
	return nil
}
