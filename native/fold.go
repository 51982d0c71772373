package native

import (
	"slices"

	"liushui"
)

// folder folds counted events into cells. Within a batch an event is added only
// to a delta of its smallest window; settle adds the deltas to that window's
// cell and to those of the larger windows around it.
type folder struct {
	plan     *plan
	table    *table
	calendar *liushui.Calendar
	spans    []span     // by plan.windows: the newest
	numbers  []uint32   // of the event's dimensions
	coupons  []uint32   // of the event's dimensions that are counted distinct; 0 = absent
	changed  []*cell    // with a delta
	free     [][]*delta // by statistic, for use again
	touched  []*cell    // made dirty since they were last taken
}

// span is one window in time; number finds it among recent ones.
type span struct {
	start, end int64
	number     int
}

func newSpan(start, end, size int64) span { return span{start, end, int(start / size)} }

// delta is what a batch adds to the cells of nested windows.
type delta struct {
	version int64
	counts  []int64
	sums    []liushui.Sum
	coupons [][]uint32 // of each sketch, repeated ones included
}

func newFolder(p *plan, t *table) *folder {
	return &folder{plan: p, table: t, calendar: p.job.Calendar(), spans: make([]span, len(p.windows)),
		numbers: make([]uint32, len(p.dims)), coupons: make([]uint32, len(p.dims)), free: make([][]*delta, len(p.stats))}
}

// fold adds an event. counted is false where no measure holds; late is true
// where a window of it was final at the watermark, which must be the same for
// all events of a batch.
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
		s := st.stat
		of := f.table.find(s, e.kind, f.numbers)
		c, sp := of.last, &f.spans[s.windows[0]]
		if c == nil || c.start != sp.start {
			c = f.table.cell(s, of, 0, sp)
			of.last = c
		}
		f.add(c, st, e)
		for w := s.nested; w < len(s.windows); w++ {
			f.add(f.table.cell(s, of, w, &f.spans[s.windows[w]]), st, e)
		}
		counted = true
		late = late || f.isLate(s, watermark)
	}
	return counted, late
}

func (f *folder) isLate(s *statistic, watermark int64) bool {
	for _, w := range s.windows {
		if f.spans[w].end <= watermark {
			return true
		}
	}
	return false
}

func (f *folder) prepare(e *event) {
	for i := range f.spans {
		if sp := &f.spans[i]; e.time < sp.start || e.time >= sp.end {
			start, end := f.calendar.Span(f.plan.windows[i], e.time)
			*sp = newSpan(start, end, f.plan.windows[i].Size)
		}
	}
	for _, dim := range f.plan.grouped {
		f.numbers[dim] = f.table.dims[dim].number(e.dims[dim])
	}
	for _, dim := range f.plan.distinct {
		f.coupons[dim] = 0
		if len(e.dims[dim]) > 0 {
			f.coupons[dim] = couponOf(e.dims[dim])
		}
	}
}

// add adds an event to a cell's delta.
func (f *folder) add(c *cell, st *step, e *event) {
	d := c.delta
	if d == nil {
		d = f.newDelta(c.stat)
		c.delta = d
		f.changed = append(f.changed, c)
	}
	d.version++
	for j := range st.measures {
		m := &st.measures[j]
		if m.where != nil && !f.holds(m, e) {
			continue
		}
		switch m.kind {
		case liushui.Count:
			d.counts[m.slot]++
		case liushui.SumAmount:
			d.sums[m.slot].Add(e.amount)
		case liushui.SumQuantity:
			d.sums[m.slot].Add(e.quantity)
		case liushui.Distinct:
			coupon := uint32(0)
			if m.dim != isType {
				coupon = f.coupons[m.dim]
			} else {
				coupon = couponOf([]byte(liushui.EventTypes[e.kind]))
			}
			if coupon != 0 {
				d.coupons[m.slot] = append(d.coupons[m.slot], coupon)
			}
		}
	}
}

func (f *folder) newDelta(s *statistic) *delta {
	if free := f.free[s.number]; len(free) > 0 {
		f.free[s.number] = free[:len(free)-1]
		return free[len(free)-1]
	}
	return &delta{counts: make([]int64, s.counts), sums: make([]liushui.Sum, s.sums), coupons: make([][]uint32, s.hashes)}
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

// settle ends a batch: its deltas go into the cells, and those that are changed
// for the first time since they were taken are touched.
func (f *folder) settle(watermark int64) {
	for _, c := range f.changed {
		s, d := c.stat, c.delta
		c.delta = nil
		f.apply(c, d, watermark)
		if c.window == 0 {
			for w := 1; w < s.nested; w++ {
				size := f.plan.windows[s.windows[w]]
				start, end := f.calendar.Span(size, c.start)
				sp := newSpan(start, end, size.Size)
				f.apply(f.table.cell(s, c.series, w, &sp), d, watermark)
			}
		}
		f.recycle(s, d)
	}
	clear(f.changed)
	f.changed = f.changed[:0]
}

// apply adds a delta to a cell, and keeps in it only the coupons that were new
// to the cell: what a smaller window held, the larger ones around it hold too.
func (f *folder) apply(c *cell, d *delta, watermark int64) {
	c.version += d.version
	if c.end <= watermark {
		c.late += d.version
	}
	for i, n := range d.counts {
		c.counts[i] += n
	}
	for i := range d.sums {
		c.sums[i].AddSum(d.sums[i])
	}
	for i, coupons := range d.coupons {
		kept := coupons[:0]
		for _, coupon := range coupons {
			if c.sketches[i].add(coupon) {
				kept = append(kept, coupon)
			}
		}
		d.coupons[i] = kept
	}
	if !c.dirty {
		c.dirty = true
		f.touched = append(f.touched, c)
	}
}

func (f *folder) recycle(s *statistic, d *delta) {
	d.version = 0
	clear(d.counts)
	clear(d.sums)
	for i := range d.coupons {
		d.coupons[i] = d.coupons[i][:0]
	}
	f.free[s.number] = append(f.free[s.number], d)
}

// take returns the cells touched since the last call; the slice is good until
// the next settle.
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
