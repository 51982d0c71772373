package spark

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"liushui"
)

// silence is how long another job's engine must have said nothing before this
// one begins, where it did not say that it stopped.
const silence = 10 * time.Second

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
	log := &jobLog{reader: reader}
	if err := log.readOn(ctx, func() bool { return log.atEnd(asked) }); err != nil {
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
		if err := log.readOn(ctx, func() bool { return log.Newest.Generation >= e.generation }); err != nil {
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
func (e *Engine) awaitOther(ctx context.Context, log *jobLog) error {
	said := false
	for !log.Heard.IsZero() && !log.Progress.Stopped && time.Since(log.Heard) < silence {
		if !said {
			said = true
			e.c.Log.Info("another job's engine may still run; waiting until it has stopped or is silent", "job", log.Newest.Job, "for", silence)
		}
		if err := log.poll(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// jobLog is what the results topic says of jobs, read up to offset.
type jobLog struct {
	liushui.JobLog
	reader liushui.Reader
	offset int64
}

// readOn reads until done says so.
func (l *jobLog) readOn(ctx context.Context, done func() bool) error {
	for !done() {
		if err := l.poll(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("read job records: %w", err)
		}
	}
	return nil
}

// atEnd reports whether all is read that the topic held at a time.
func (l *jobLog) atEnd(since time.Time) bool {
	ends := l.reader.Ends()
	return len(ends) > 0 && !ends[0].Asked.Before(since) && max(l.offset, ends[0].Start) >= ends[0].End
}

func (l *jobLog) poll(ctx context.Context, within time.Duration) error {
	once, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	fetches, err := l.reader.Poll(once)
	if err != nil {
		if once.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	for _, f := range fetches {
		for _, r := range f.Records {
			l.offset = r.Offset + 1
			if err := l.Observe(r, engineName); err != nil {
				return err
			}
		}
		if f.Done != nil {
			f.Done()
		}
	}
	return nil
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
