package native

import (
	"math/bits"
	"slices"

	"liushui"
)

// folder folds counted events into cells. Within a batch an event is added only
// to a delta of its smallest window; settle adds the deltas to that window's
// cell and to those of the larger windows around it. An event so touches, for
// each statistic, little more than its series and one run of numbers.
type folder struct {
	plan     *plan
	table    *table
	calendar *liushui.Calendar
	spans    []span   // by plan.windows: the newest
	numbers  []uint32 // of the event's dimensions
	coupons  []uint32 // of the event's dimensions that are counted distinct; 0 = absent
	batch    uint32   // counts settled batches, so that old deltas are known as such
	deltas   []delta
	values   []int64 // of all deltas: version, counts, sums as pairs of low and high
	hits     []hit   // on sketches, in the order of events
	touched  []*cell // made dirty since they were last taken
}

// span is one window in time; number finds it among recent ones.
type span struct {
	start, end int64
	number     int
}

func newSpan(start, end, size int64) span { return span{start, end, int(start / size)} }

// delta is what a batch adds to the cells of nested windows.
type delta struct {
	cells []*cell // of the windows, the smallest first; settle finds all but the first
	at    int     // into folder.values
}

// hit is a coupon for one sketch of a delta's cells.
type hit struct {
	delta  int32
	slot   int32
	coupon uint32
}

func newFolder(p *plan, t *table) *folder {
	return &folder{plan: p, table: t, calendar: p.job.Calendar(), spans: make([]span, len(p.windows)),
		numbers: make([]uint32, len(p.dims)), coupons: make([]uint32, len(p.dims)), batch: 1}
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
		sp := &f.spans[s.windows[0]]
		counted = true
		late = late || f.spans[s.soonest].end <= watermark
		if len(s.windows) == 1 {
			if of.only == nil || of.only.start != sp.start {
				of.only = f.table.cell(s, of, 0, sp)
			}
			f.addOnly(of.only, st, e, watermark)
			continue
		}
		if of.batch != f.batch || of.start != sp.start {
			of.delta, of.batch, of.start = f.deltaOf(f.table.cell(s, of, 0, sp)), f.batch, sp.start
		}
		f.add(of.delta, st, e)
		for w := s.nested; w < len(s.windows); w++ {
			f.add(f.deltaOf(f.table.cell(s, of, w, &f.spans[s.windows[w]])), st, e)
		}
	}
	return counted, late
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

// deltaOf is the number of a cell's delta in this batch.
func (f *folder) deltaOf(c *cell) int32 {
	if c.batch == f.batch {
		return c.delta
	}
	n := len(f.deltas)
	if n < cap(f.deltas) {
		f.deltas = f.deltas[:n+1]
	} else {
		f.deltas = append(f.deltas, delta{})
	}
	d := &f.deltas[n]
	d.cells, d.at = append(d.cells[:0], c), len(f.values)
	f.values = append(f.values, make([]int64, c.stat.width())...)
	c.batch, c.delta = f.batch, int32(n)
	return c.delta
}

// width is how many numbers a delta has.
func (s *statistic) width() int { return 1 + s.counts + 2*s.sums }

// add adds an event to a delta.
func (f *folder) add(number int32, st *step, e *event) {
	values := f.values[f.deltas[number].at:]
	values[0]++
	for j := range st.measures {
		m := &st.measures[j]
		if m.where != nil && !f.holds(m, e) {
			continue
		}
		switch m.kind {
		case liushui.Count:
			values[m.at]++
		case liushui.SumAmount:
			addWide(values[m.at:], e.amount)
		case liushui.SumQuantity:
			addWide(values[m.at:], e.quantity)
		case liushui.Distinct:
			if coupon := f.coupon(m, e); coupon != 0 {
				f.hits = append(f.hits, hit{number, int32(m.at), coupon})
			}
		}
	}
}

// addOnly adds an event to the cell of a statistic's only window: with nothing
// to roll up, a delta would cost more than it saves, above all for items, of
// which there are many.
func (f *folder) addOnly(c *cell, st *step, e *event, watermark int64) {
	c.version++
	if c.end <= watermark {
		c.late++
	}
	for j := range st.measures {
		m := &st.measures[j]
		if m.where != nil && !f.holds(m, e) {
			continue
		}
		switch m.kind {
		case liushui.Count:
			c.counts[m.slot]++
		case liushui.SumAmount:
			c.sums[m.slot].Add(e.amount)
		case liushui.SumQuantity:
			c.sums[m.slot].Add(e.quantity)
		case liushui.Distinct:
			if coupon := f.coupon(m, e); coupon != 0 {
				c.sketches[m.slot].add(coupon)
			}
		}
	}
	f.touch(c)
}

// coupon is that of the field which a distinct measure counts; 0 where it is absent.
func (f *folder) coupon(m *fold, e *event) uint32 {
	if m.dim == isType {
		return couponOf([]byte(liushui.EventTypes[e.kind]))
	}
	return f.coupons[m.dim]
}

func (f *folder) touch(c *cell) {
	if !c.dirty {
		c.dirty = true
		f.touched = append(f.touched, c)
	}
}

// addWide adds n to a sum of 128 bits, low half first.
func addWide(pair []int64, n int64) {
	low, carry := bits.Add64(uint64(pair[0]), uint64(n), 0)
	pair[0] = int64(low)
	pair[1] += n>>63 + int64(carry)
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
	for i := range f.deltas {
		d := &f.deltas[i]
		if c := d.cells[0]; c.window == 0 {
			for w := 1; w < c.stat.nested; w++ {
				size := f.plan.windows[c.stat.windows[w]]
				start, end := f.calendar.Span(size, c.start)
				sp := newSpan(start, end, size.Size)
				d.cells = append(d.cells, f.table.cell(c.stat, c.series, w, &sp))
			}
		}
		for _, c := range d.cells {
			f.apply(c, f.values[d.at:], watermark)
		}
	}
	for _, h := range f.hits {
		for _, c := range f.deltas[h.delta].cells {
			if !c.sketches[h.slot].add(h.coupon) {
				break // the larger windows hold what the smaller ones do
			}
		}
	}
	f.deltas, f.values, f.hits = f.deltas[:0], f.values[:0], f.hits[:0]
	f.batch++
}

// apply adds a delta's numbers to a cell.
func (f *folder) apply(c *cell, values []int64, watermark int64) {
	c.version += values[0]
	if c.end <= watermark {
		c.late += values[0]
	}
	values = values[1:]
	for i := range c.counts {
		c.counts[i] += values[i]
	}
	values = values[len(c.counts):]
	for i := range c.sums {
		c.sums[i].AddSum(liushui.Sum{Lo: uint64(values[2*i]), Hi: values[2*i+1]})
	}
	f.touch(c)
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
