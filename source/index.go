package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"liushui"
)

// entry is where one event lies: 24 bytes.
type entry struct {
	time   int64
	offset int64  // of its row in the text
	row    uint32 // the row's number
	place  uint32 // the row's length in bytes · 256 + the event's number within the row
}

func (e *entry) length() int { return int(e.place >> 8) }
func (e *entry) event() int  { return int(e.place & 255) }

// before is the order of sending: by time, then by the file's order.
func before(a, b *entry) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.offset, b.offset), cmp.Compare(a.place&255, b.place&255))
}

// chunkEntries is how many entries share one allocation, so that the index
// never holds a copy of itself while it grows.
const chunkEntries = 1 << 13

// entries are all entries of a file. They are a sort.Interface.
type entries struct{ chunks [][]entry }

func (s *entries) add(e entry) {
	last := len(s.chunks) - 1
	if last < 0 || len(s.chunks[last]) == chunkEntries {
		s.chunks = append(s.chunks, make([]entry, 0, chunkEntries))
		last++
	}
	s.chunks[last] = append(s.chunks[last], e)
}

func (s *entries) at(i int) *entry { return &s.chunks[i/chunkEntries][i%chunkEntries] }

func (s *entries) Len() int {
	last := len(s.chunks) - 1
	if last < 0 {
		return 0
	}
	return last*chunkEntries + len(s.chunks[last])
}

func (s *entries) Less(i, j int) bool { return before(s.at(i), s.at(j)) < 0 }

func (s *entries) Swap(i, j int) {
	a, b := s.at(i), s.at(j)
	*a, *b = *b, *a
}

// index is what reading a file once brings: its events in order of time.
type index struct {
	entries entries
	rows    int64
	bad     int64
	silent  int64 // good rows that make no event
}

// scan reads the whole table through the plan. Each bad row goes to bad; each
// event, where given, to event. progress, where given, is told bytes read.
type scan struct {
	table    *table
	plan     *plan
	bad      func(BadRow) error
	event    func(w *row, number int, e *liushui.Event) error
	progress func(read, size int64)
	rows     int64
	badRows  int64
	silent   int64
}

const progressEvery = 4096 // rows

func (s *scan) run(ctx context.Context) error {
	events := make([]liushui.Event, len(s.plan.events))
	made := make([]bool, len(events))
	for {
		w, d, err := s.table.rows.next()
		if errors.Is(err, io.EOF) {
			s.report(s.table.text.size)
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", s.table.path, err)
		}
		s.rows++
		if s.rows%progressEvery == 0 {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("read %s: %w", s.table.path, err)
			}
			s.report(w.offset)
		}
		if d == nil {
			d = s.judge(w, events, made)
		}
		if d != nil {
			s.badRows++
			if err := s.bad(BadRow{s.table.path, w.line, d.reason, d.detail, w.text}); err != nil {
				return err
			}
			continue
		}
		if err := s.deliver(w, events, made); err != nil {
			return err
		}
	}
}

func (s *scan) report(read int64) {
	if s.progress != nil {
		s.progress(read, s.table.text.size)
	}
}

// judge makes all events of a row; a row with a wrong event is bad as a whole.
func (s *scan) judge(w *row, events []liushui.Event, made []bool) (d *defect) {
	for i := range events {
		if made[i], d = s.plan.make(i, w, &events[i]); d != nil {
			return d
		}
		if made[i] {
			if err := events[i].Check(); err != nil {
				return eventDefect(&events[i], err)
			}
		}
	}
	return nil
}

func (s *scan) deliver(w *row, events []liushui.Event, made []bool) error {
	silent := true
	for i := range events {
		if made[i] {
			silent = false
			if err := s.event(w, i, &events[i]); err != nil {
				return err
			}
		}
	}
	if silent {
		s.silent++
	}
	return nil
}

// eventDefect turns what Event.Check said into a reason without values.
func eventDefect(e *liushui.Event, err error) *defect {
	d := &defect{"breaks a rule of events", trimBad(err)}
	switch {
	case e.ID == "":
		d.reason = "id is empty"
	case !slices.Contains(liushui.EventTypes, e.Type):
		d.reason = "type is none of the seven"
	case e.Time < liushui.MinTime:
		d.reason = "time is before the year 2000"
	case e.Time > liushui.MaxTime:
		d.reason = "time is after the year 9999"
	case e.HasQuantity && (e.Quantity < 0 || e.Quantity > liushui.MaxQuantity):
		d.reason = "quantity is out of bounds"
	case e.HasAmount && (e.Amount < 0 || e.Amount > liushui.MaxAmount):
		d.reason = "amount is out of bounds"
	}
	return d
}

// buildIndex reads the table and sorts its events by time.
func buildIndex(ctx context.Context, s *scan) (*index, error) {
	x := &index{}
	sorted := true
	s.event = func(w *row, number int, e *liushui.Event) error {
		if w.number > 1<<32-1 {
			return misuse("csv %s: more than %d rows; split the file", s.table.path, uint32(1<<32-1))
		}
		at := entry{e.Time, w.offset, uint32(w.number), uint32(len(w.text))<<8 | uint32(number)}
		if n := x.entries.Len(); n > 0 && before(x.entries.at(n-1), &at) > 0 {
			sorted = false
		}
		x.entries.add(at)
		return nil
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	if !sorted {
		sort.Sort(&x.entries)
	}
	x.rows, x.bad, x.silent = s.rows, s.badRows, s.silent
	return x, nil
}
