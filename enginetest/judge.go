package enginetest

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
func PlaceOf(r liushui.Record) Place { return Place{r.Partition, r.Offset} }

// Options are what the oracle cannot know from the events alone.
type Options struct {
	Late         map[Place]bool // records that an engine parked as late: its dead letters
	MaxAhead     time.Duration  // default 5m
	CompleteFrom int64          // windows that begin earlier are left out, ms
}

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

// Judge gives every record's verdict. The order of records decides only which
// of several records of one id is the duplicate.
func Judge(job *liushui.Job, records []liushui.Record, o Options) map[Place]Verdict {
	verdicts := map[Place]Verdict{}
	judge(job, records, o, func(r liushui.Record, _ *event, v Verdict) { verdicts[PlaceOf(r)] = v })
	return verdicts
}

func judge(job *liushui.Job, records []liushui.Record, o Options, each func(liushui.Record, *event, Verdict)) {
	if o.MaxAhead == 0 {
		o.MaxAhead = 5 * time.Minute
	}
	n, seen := namedBy(job), map[string]bool{}
	for _, r := range records {
		e, err := decode(r.Value, n)
		switch {
		case err != nil || ahead(e, r, o.MaxAhead):
			each(r, e, Bad)
		case o.Late[PlaceOf(r)]:
			each(r, e, Late)
		case seen[e.id]:
			each(r, e, Duplicate)
		default:
			seen[e.id] = true
			if counts(job, e) {
				each(r, e, Counted)
			} else {
				each(r, e, Ignored)
			}
		}
	}
}

func ahead(e *event, r liushui.Record, most time.Duration) bool {
	return r.Feed != "replay" && r.Feed != "demo" && e.time > r.Time+most.Milliseconds()
}

// counts reports whether the event is folded anywhere.
func counts(job *liushui.Job, e *event) bool {
	for _, s := range job.Statistics {
		if folds(s, e) {
			return true
		}
	}
	return false
}

// folds reports whether the event is folded into a statistic.
func folds(s *liushui.Statistic, e *event) bool {
	for _, m := range s.Measures {
		if holds(m, e) {
			return true
		}
	}
	return false
}

// holds reports whether all conditions of a measure hold.
func holds(m liushui.Measure, e *event) bool {
	for _, c := range m.Where {
		one := false
		for _, value := range c.Values {
			one = one || e.fields[c.Field] == value
		}
		if !one {
			return false
		}
	}
	return true
}
