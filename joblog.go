package liushui

import (
	"encoding/json"
	"fmt"
	"time"
)

// JobLog is what a results topic says of its newest job, from which an engine
// chooses its generation. The zero value is ready; records are observed in the
// topic's order.
type JobLog struct {
	Newest   JobRecord // of the highest generation
	First    JobRecord // first record of the newest generation's hash since another job's, or another log's
	Progress Progress  // newest of that generation, of any engine
	Own      Progress  // newest of that generation, of the engine that asks
	Heard    time.Time // Kafka's time of Progress; zero: never
}

// Observe takes any record of the topic; engine is the one that asks.
func (l *JobLog) Observe(r Record, engine string) error {
	switch KindOf(r.Key) {
	case KindJob:
		var record JobRecord
		if err := json.Unmarshal(r.Value, &record); err != nil {
			return fmt.Errorf("job record at offset %d: %w", r.Offset, err)
		}
		if (record.Hash != l.First.Hash || record.Replaces != l.First.Replaces) && record.Generation > l.Newest.Generation {
			l.First, l.Progress, l.Own, l.Heard = record, Progress{}, Progress{}, time.Time{}
		}
		if record.Generation > l.Newest.Generation {
			l.Newest = record
		}
	case KindProgress:
		var p Progress
		if err := json.Unmarshal(r.Value, &p); err != nil {
			return fmt.Errorf("progress record at offset %d: %w", r.Offset, err)
		}
		if p.Generation < l.Newest.Generation {
			return nil
		}
		l.Progress, l.Heard = p, time.UnixMilli(r.Time)
		if p.Engine == engine {
			l.Own = p
		}
	}
	return nil
}
