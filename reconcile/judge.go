package reconcile

import (
	"time"

	"liushui"
)

// Place is where a record stands in its topic.
type Place struct {
	Partition int32
	Offset    int64
}

// PlaceOf is where a record stands.
func PlaceOf(r *liushui.Record) Place { return Place{r.Partition, r.Offset} }

// Verdict is what became of a record.
type Verdict string

// The verdicts, in the order in which a record is judged.
const (
	Bad       Verdict = "bad"
	Late      Verdict = "late"
	Duplicate Verdict = "duplicate"
	Ignored   Verdict = "ignored"
	Counted   Verdict = "counted"
)

// MaxAhead is by how much an event may be ahead of its record, unless told otherwise.
const MaxAhead = 5 * time.Minute

// Ahead reports whether an event is too far ahead of its record.
func Ahead(e *Event, r *liushui.Record, most time.Duration) bool {
	return r.Feed != "replay" && r.Feed != "demo" && e.Time > r.Time+most.Milliseconds()
}

// Counts reports whether the event is folded anywhere.
func Counts(job *liushui.Job, e *Event) bool {
	for _, s := range job.Statistics {
		if Folds(s, e) {
			return true
		}
	}
	return false
}

// Folds reports whether the event is folded into a statistic.
func Folds(s *liushui.Statistic, e *Event) bool {
	for i := range s.Measures {
		if holds(&s.Measures[i], e) {
			return true
		}
	}
	return false
}

// holds reports whether all conditions of a measure hold.
func holds(m *liushui.Measure, e *Event) bool {
	for _, c := range m.Where {
		one := false
		for _, value := range c.Values {
			one = one || e.Fields[c.Field] == value
		}
		if !one {
			return false
		}
	}
	return true
}
