package liushui

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// JobSilence is how long another job's engine must have said nothing before one
// begins in its place, where it did not say that it stopped.
const JobSilence = 10 * time.Second

// JobLog is what a results topic says of its newest job, from which an engine
// chooses its generation.
type JobLog struct {
	Reader Reader // of the results topic, from its start
	Engine string // the one that asks

	Newest   JobRecord // of the highest generation
	First    JobRecord // first record of the newest generation's hash since another job's, or another log's
	Progress Progress  // newest of that generation, of any engine
	Own      Progress  // newest of that generation, of the engine that asks
	// Sent is how far the engine that asks has judged each partition in that
	// generation with all results in this log; nil: it does not say.
	Sent  map[int32]int64
	Heard time.Time // Kafka's time of Progress; zero: never

	runs map[int64]int64 // how many of a run's records that say so are there, one after the other
	next int64           // offset of the next record to read
}

// ReadUntil reads until done is true. It asks after each fetch, and when nothing
// has come for the time of wait.
func (l *JobLog) ReadUntil(ctx context.Context, wait time.Duration, done func() bool) error {
	for !done() {
		if err := l.poll(ctx, wait); err != nil {
			return fmt.Errorf("read job records: %w", err)
		}
	}
	return nil
}

func (l *JobLog) poll(ctx context.Context, wait time.Duration) error {
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches, err := l.Reader.Poll(within)
	if err != nil {
		if within.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	for _, f := range fetches {
		for _, r := range f.Records {
			l.next = r.Offset + 1
			if err := l.observe(r); err != nil {
				return err
			}
		}
		if f.Done != nil {
			f.Done()
		}
	}
	return nil
}

// AtEnd reports whether all is read that the topic held at a time.
func (l *JobLog) AtEnd(since time.Time) bool {
	ends := l.Reader.Ends()
	return len(ends) > 0 && !ends[0].Asked.Before(since) && max(l.next, ends[0].Start) >= ends[0].End
}

// Busy reports whether an engine may still compute the newest job.
func (l *JobLog) Busy(now time.Time) bool {
	return !l.Heard.IsZero() && !l.Progress.Stopped && now.Sub(l.Heard) < JobSilence
}

func (l *JobLog) observe(r Record) error {
	switch KindOf(r.Key) {
	case KindJob:
		var record JobRecord
		if err := json.Unmarshal(r.Value, &record); err != nil {
			return fmt.Errorf("job record at offset %d: %w", r.Offset, err)
		}
		if (record.Hash != l.First.Hash || record.Replaces != l.First.Replaces) && record.Generation > l.Newest.Generation {
			l.First, l.Progress, l.Own, l.Sent, l.Heard = record, Progress{}, Progress{}, nil, time.Time{}
		}
		if record.Generation > l.Newest.Generation {
			l.Newest = record
		}
	case KindProgress:
		var p Progress
		if err := json.Unmarshal(r.Value, &p); err != nil {
			return fmt.Errorf("progress record at offset %d: %w", r.Offset, err)
		}
		if p.Generation < l.First.Generation {
			return nil
		}
		l.Progress, l.Heard = p, time.UnixMilli(r.Time)
		if p.Engine == l.Engine {
			l.Own = p
			l.sent(&p)
		}
	}
	return nil
}

// sent believes a record only where those before it of its run are there: one that
// stands behind a gap was written after the topic had gone back.
func (l *JobLog) sent(p *Progress) {
	if p.Sent == 0 {
		return
	}
	if l.Sent == nil {
		l.Sent, l.runs = map[int32]int64{}, map[int64]int64{}
	}
	last, known := l.runs[p.Run]
	if p.Sent > last+1 && (known || l.Reader.Ends()[0].Start == 0) {
		return
	}
	l.runs[p.Run] = p.Sent
	for _, part := range p.Partitions {
		l.Sent[part.Partition] = max(l.Sent[part.Partition], part.Offset)
	}
}
