package reconcile

import (
	"errors"
	"slices"
	"time"

	"liushui"
)

// Config says what is computed. Of it only Job is required.
type Config struct {
	Job      *liushui.Job
	Scope    Scope
	MaxAhead time.Duration  // 0: MaxAhead
	Late     map[Place]bool // records that an engine parked as late: its dead letters say so
	WithLate bool           // they count, too
	Dir      string         // for a file of what does not fit into memory; empty: all is kept there
}

// Computation takes records, in any order of partitions, and then compares. It
// remembers about 25 bytes an id of the scope's time; events wait on disk, by
// hour, so that only the cells of an hour and those of larger windows are held.
// It is not for several goroutines at once.
type Computation struct {
	c        Config
	fields   Fields
	codec    codec
	calendar *Calendar
	from, to int64 // times whose events have a place in the scope; to is exclusive
	slack    int64 // ms around them in which ids are remembered
	ids      ids
	events   *spill
	parked   *spill // late ones
	results  *spill
	sources  []*Source
	row      []byte
	event    Event
	again    map[Place]bool // late ones whose event was counted otherwise

	Account liushui.Account
	Placed  int64       // events that have a place in the scope
	Differs []Differing // ids sent with differing contents, the first of them
	Differ  int64       // how many records there were of that kind
}

// Differing is a record whose id was sent before with other contents.
type Differing struct {
	ID    string
	Place Place
}

// named is how many of a kind are named at most.
const named = 20

// New begins a computation.
func New(c Config) *Computation {
	if c.MaxAhead == 0 {
		c.MaxAhead = MaxAhead
	}
	f := FieldsOf(c.Job)
	all := &Computation{c: c, fields: f, codec: newCodec(f), calendar: NewCalendar(c.Job.Zone), ids: ids{},
		from: c.Scope.From, to: 1<<63 - 1, slack: (c.Job.Lateness + c.Job.Corrections).Milliseconds(),
		event:  Event{Fields: map[string]string{}, Sums: map[string]int64{}},
		events: newSpill(c.Dir), parked: newSpill(c.Dir), results: newSpill(c.Dir)}
	if c.Scope.To != 0 {
		all.to = c.Scope.To
		for _, s := range c.Job.Statistics {
			for _, w := range s.Windows {
				_, end := all.calendar.Span(w, c.Scope.To-1)
				all.to = max(all.to, end)
			}
		}
	}
	return all
}

// Close removes what was kept on disk.
func (c *Computation) Close() error {
	return errors.Join(c.events.close(), c.parked.close(), c.results.close())
}

// Fields are the fields that the job names.
func (c *Computation) Fields() Fields { return c.fields }

// Take judges a record. What lies outside the scope is judged as if it were
// alone. The event is nil where the record is bad.
func (c *Computation) Take(r *liushui.Record) (Verdict, *Event, error) {
	c.Account.Read++
	e, err := Decode(r.Value, c.fields)
	if err == nil && Ahead(e, r, c.c.MaxAhead) {
		err = errors.New("ahead of its record")
	}
	if err != nil {
		c.Account.Bad++
		return Bad, nil, nil
	}
	c.row = c.codec.said(c.row[:0], e)
	if c.c.Late[PlaceOf(r)] {
		c.Account.Late++
		return Late, e, c.park(r, e)
	}
	v := Counted
	if !Counts(c.c.Job, e) {
		v = Ignored
	}
	if e.Time >= c.from-c.slack && (c.to > 1<<62 || e.Time < c.to+c.slack) {
		known, differs := c.ids.add(hashOf(e.ID), c.row)
		if differs {
			c.Differ++
			if len(c.Differs) < named {
				c.Differs = append(c.Differs, Differing{e.ID, PlaceOf(r)})
			}
		}
		if known {
			v = Duplicate
		}
	}
	switch v {
	case Duplicate:
		c.Account.Duplicate++
		return v, e, nil
	case Ignored:
		c.Account.Ignored++
		return v, e, nil
	}
	c.Account.Counted++
	if e.Time < c.from || e.Time >= c.to {
		return v, e, nil
	}
	c.Placed++
	return v, e, c.events.add(c.hour(e.Time), c.row)
}

// hourWindow is what rows are kept by: all smaller windows lie within one.
var hourWindow = liushui.Window{Name: "1h", Size: 3_600_000}

func (c *Computation) hour(t int64) int64 {
	start, _ := c.calendar.Span(hourWindow, t)
	return start
}

// pair is a cell of the events that count, and one of the same name of those
// that came too late; either may be nil.
type pair struct{ counted, late *Cell }

// compute folds hour by hour. each hears of every hour in which there is
// something, with the cells whose windows are over at its end; at last, without
// an hour, of all others.
func (c *Computation) compute(each func(hour int64, over map[string]pair) error) error {
	if err := c.settle(); err != nil {
		return err
	}
	counted, late := NewCells(c.calendar, c.c.Scope), NewCells(c.calendar, c.c.Scope)
	for _, start := range c.hours() {
		_, end := c.calendar.Span(hourWindow, start)
		if err := c.events.each(start, func(row []byte) error { return c.fold(counted, row) }); err != nil {
			return err
		}
		err := c.eachLate(start, func(e *LateEvent, row []byte) error {
			if e.Again {
				return nil
			}
			return c.fold(late, row)
		})
		if err != nil {
			return err
		}
		if err := each(start, over(counted, late, end)); err != nil {
			return err
		}
	}
	return each(noHour, over(counted, late, 1<<63-1))
}

const noHour = -1 << 63

func (c *Computation) hours() []int64 {
	all := slices.Concat(c.events.starts(), c.parked.starts(), c.results.starts())
	slices.Sort(all)
	return slices.Compact(all)
}

// over takes the cells whose windows end by a time.
func over(counted, late *Cells, end int64) map[string]pair {
	taken := map[string]pair{}
	for name, cell := range counted.held {
		if cell.End <= end {
			taken[name] = pair{counted: cell}
			delete(counted.held, name)
		}
	}
	for name, cell := range late.held {
		if cell.End <= end {
			taken[name] = pair{taken[name].counted, cell}
			delete(late.held, name)
		}
	}
	return taken
}

func (c *Computation) fold(into *Cells, row []byte) error {
	c.codec.heard(row, &c.event)
	for _, s := range c.c.Job.Statistics {
		if Folds(s, &c.event) {
			if err := into.Fold(s, &c.event); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted is the cell as it should be; nil where nothing counts in it.
func (c *Computation) wanted(p pair) (*Cell, error) {
	switch {
	case !c.c.WithLate || p.late == nil:
		return p.counted, nil
	case p.counted == nil:
		return p.late, nil
	}
	return p.counted.with(p.late)
}

// Results computes all cells of the scope, as results without late, generation,
// repair and engine. They come hour by hour. No record is taken after it.
func (c *Computation) Results(each func(*liushui.Result) error) error {
	return c.compute(func(_ int64, over map[string]pair) error {
		for _, p := range over {
			cell, err := c.wanted(p)
			if err != nil {
				return err
			}
			if cell == nil {
				continue
			}
			r, err := cell.Result()
			if err != nil {
				return err
			}
			if err := each(r); err != nil {
				return err
			}
		}
		return nil
	})
}
