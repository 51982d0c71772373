package native

import (
	"slices"

	"liushui"
)

// folder folds counted events into cells.
type folder struct {
	plan     *plan
	table    *table
	calendar *liushui.Calendar
	spans    []span   // by plan.windows: the newest
	numbers  []uint32 // of the event's dimensions
	coupons  []uint32 // of the event's dimensions that are counted distinct; 0 = absent
	touched  []*cell  // made dirty since they were last taken
}

type span struct{ start, end int64 }

func newFolder(p *plan, t *table) *folder {
	return &folder{plan: p, table: t, calendar: p.job.Calendar(), spans: make([]span, len(p.windows)),
		numbers: make([]uint32, len(p.dims)), coupons: make([]uint32, len(p.dims))}
}

// fold adds an event to its cells. counted is false where no measure holds;
// late is true where a window of it was final at the watermark.
func (f *folder) fold(e *event, watermark int64) (counted, late bool) {
	steps := f.plan.byType[e.kind]
	if len(steps) == 0 {
		return false, false
	}
	f.prepare(e)
	for i := range steps {
		st := &steps[i]
		if st.guarded && !f.anyHolds(st, e) {
			continue
		}
		counted = true
		of := f.table.find(st.stat, e.kind, f.numbers)
		for w, window := range st.stat.windows {
			sp := &f.spans[window]
			c := f.table.cell(st.stat, of, w, sp.start, sp.end)
			c.version++
			if sp.end <= watermark {
				c.late++
				late = true
			}
			for j := range st.measures {
				f.measure(c, &st.measures[j], e)
			}
			if !c.dirty {
				c.dirty = true
				f.touched = append(f.touched, c)
			}
		}
	}
	return counted, late
}

func (f *folder) prepare(e *event) {
	for i := range f.spans {
		if sp := &f.spans[i]; e.time < sp.start || e.time >= sp.end {
			sp.start, sp.end = f.calendar.Span(f.plan.windows[i], e.time)
		}
	}
	for i, text := range e.dims {
		f.numbers[i] = f.table.dims[i].number(text)
	}
	for _, dim := range f.plan.distinct {
		f.coupons[dim] = 0
		if len(e.dims[dim]) > 0 {
			f.coupons[dim] = couponOf(e.dims[dim])
		}
	}
}

func (f *folder) measure(c *cell, m *fold, e *event) {
	if m.where != nil && !f.holds(m, e) {
		return
	}
	switch m.kind {
	case liushui.Count:
		c.counts[m.slot]++
	case liushui.SumAmount:
		c.sums[m.slot].Add(e.amount)
	case liushui.SumQuantity:
		c.sums[m.slot].Add(e.quantity)
	case liushui.Distinct:
		if m.dim == isType {
			c.sketches[m.slot].add(couponOf([]byte(liushui.EventTypes[e.kind])))
		} else if coupon := f.coupons[m.dim]; coupon != 0 {
			c.sketches[m.slot].add(coupon)
		}
	}
}

func (f *folder) anyHolds(st *step, e *event) bool {
	for i := range st.measures {
		if f.holds(&st.measures[i], e) {
			return true
		}
	}
	return false
}

func (f *folder) holds(m *fold, e *event) bool {
	for _, c := range m.where {
		if !slices.Contains(c.values, string(e.dims[c.dim])) {
			return false
		}
	}
	return true
}

// take returns the cells touched since the last call; the slice is good until
// the next fold.
func (f *folder) take() []*cell {
	all := f.touched
	f.touched = f.touched[:0]
	return all
}

// result is the cell as a result.
func (t *table) result(c *cell, generation int64, engine string) *liushui.Result {
	s := c.stat
	r := &liushui.Result{Statistic: s.Name, Window: t.plan.windows[s.windows[c.window]].Name, Start: c.start, End: c.end,
		Key: t.keyText(c), Values: make([]liushui.Value, len(s.Measures)), Version: c.version, Late: c.late,
		Generation: generation, Engine: engine}
	for i, m := range s.Measures {
		r.Values[i] = c.value(m.Kind, s.slots[i])
		if m.Kind == liushui.Distinct && s.Mergeable {
			if r.Sketches == nil {
				r.Sketches = map[string][]byte{}
			}
			r.Sketches[m.Name] = c.sketches[s.slots[i]].bytes()
		}
	}
	return r
}

func (c *cell) value(kind liushui.MeasureKind, slot int) liushui.Value {
	switch kind {
	case liushui.Count:
		return liushui.Value{N: c.counts[slot]}
	case liushui.Distinct:
		return liushui.Value{N: c.sketches[slot].estimate()}
	}
	n, ok := c.sums[slot].Int64()
	if !ok {
		return liushui.Value{Null: true}
	}
	return liushui.Value{N: n}
}

func (c *cell) tooLarge() bool {
	for _, s := range c.sums {
		if _, ok := s.Int64(); !ok {
			return true
		}
	}
	return false
}
