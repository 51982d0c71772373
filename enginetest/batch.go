package enginetest

import (
	"time"

	"liushui"
	"liushui/reconcile"
)

// Place is where a record stands in its topic.
type Place = reconcile.Place

// PlaceOf is where a record stands.
func PlaceOf(r liushui.Record) Place { return reconcile.PlaceOf(&r) }

// Verdict is what became of a record.
type Verdict = reconcile.Verdict

// The verdicts, in the order in which a record is judged.
const (
	Bad       = reconcile.Bad
	Late      = reconcile.Late
	Duplicate = reconcile.Duplicate
	Ignored   = reconcile.Ignored
	Counted   = reconcile.Counted
)

// Options are what the oracle cannot know from the events alone.
type Options struct {
	Late         map[Place]bool // records that an engine parked as late: its dead letters
	MaxAhead     time.Duration  // default 5m
	CompleteFrom int64          // windows that begin earlier are left out, ms
}

func (o Options) computation(job *liushui.Job) *reconcile.Computation {
	return reconcile.New(reconcile.Config{Job: job, Late: o.Late, MaxAhead: o.MaxAhead})
}

// Batch computes a job over all records at once: the oracle. Its results have
// no Late, Generation, Repair and Engine.
func Batch(job *liushui.Job, records []liushui.Record, o Options) (Table, liushui.Account) {
	c := o.computation(job)
	judge(c, records, func(liushui.Record, *reconcile.Event, Verdict) {})
	table := Table{}
	must(c.Results(func(r *liushui.Result) error {
		if r.Start >= o.CompleteFrom {
			table[cellOf(r)] = *r
		}
		return nil
	}))
	return table, c.Account
}

// Judge gives every record's verdict. The order of records decides only which
// of several records of one id is the duplicate.
func Judge(job *liushui.Job, records []liushui.Record, o Options) map[Place]Verdict {
	verdicts := map[Place]Verdict{}
	judge(o.computation(job), records, func(r liushui.Record, _ *reconcile.Event, v Verdict) { verdicts[PlaceOf(r)] = v })
	return verdicts
}

func judge(c *reconcile.Computation, records []liushui.Record, each func(liushui.Record, *reconcile.Event, Verdict)) {
	for i := range records {
		v, e, err := c.Take(&records[i])
		must(err)
		each(records[i], e, v)
	}
}

// must is for what cannot fail in memory.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
