package native

import (
	"math/bits"

	"liushui"
)

// folder folds counted events into cells. It gathers them in columns, then goes
// statistic by statistic. Within a batch an event is added only to a delta of its
// smallest window; settle adds the deltas to that window's cell and to those of
// the larger windows around it.
type folder struct {
	plan     *plan
	table    *table
	calendar *liushui.Calendar
	columns  columns
	spans    []span    // by plan.windows: the newest
	picked   []int32   // rows of a step with conditions
	found    []*series // of each row of a step
	to       []int32   // of each row of a step: its delta
	cells    []*cell   // of each row of a step, where there is one window
	batch    uint32    // counts settled batches, so that old deltas are known as such
	deltas   []delta
	values   []int64 // of all deltas: version, counts, sums as pairs of low and high
	hits     hits
	touched  []changed // cells made dirty since they were last taken
}

// changed is a cell that waits to be sent. Its end stands beside it, so that a
// look through all of them does not wait for each cell.
type changed struct {
	cell *cell
	end  int64
}

// span is one window in time; number finds it among recent ones.
type span struct {
	start, end int64
	number     int
}

func newSpan(start, end, size int64) span { return span{start, end, int(start / size)} }

// delta is what a batch adds to the cells of nested windows.
type delta struct {
	cells    []*cell // of the windows, the smallest first
	at       int     // into folder.values
	sketches int32   // the first of hits that is its
}

func newFolder(p *plan, t *table) *folder {
	return &folder{plan: p, table: t, calendar: p.job.Calendar(), columns: newColumns(p), spans: make([]span, len(p.windows)), batch: 1}
}

// fold takes an event in. counted is false where no measure holds; late is true
// where a window of it was final at the watermark, which must be the same for
// all events of a batch.
func (f *folder) fold(e *event, watermark int64) (counted, late bool) {
	steps := f.plan.byType[e.kind]
	if len(steps) == 0 {
		return false, false
	}
	row := int32(f.columns.rows)
	f.columns.add(f.plan, f.table.dims, e)
	for i := range steps {
		st := &steps[i]
		if st.guarded && !f.holds(st, row) {
			continue
		}
		counted = true
		if e.time > watermark {
			break // none of its windows was final
		}
		late = late || f.span(st.stat.soonest, e.time).end <= watermark
	}
	if f.columns.rows == foldRows {
		f.pour(watermark)
	}
	return counted, late
}

// span is the window of a size that a time lies in.
func (f *folder) span(window int, time int64) *span {
	sp := &f.spans[window]
	if time < sp.start || time >= sp.end {
		start, end := f.calendar.Span(f.plan.windows[window], time)
		*sp = newSpan(start, end, f.plan.windows[window].Size)
	}
	return sp
}

// holds reports whether some measure of a step does for a row.
func (f *folder) holds(st *step, row int32) bool {
	for i := range st.measures {
		if f.columns.where(st.measures[i].where, row) {
			return true
		}
	}
	return false
}

// pour folds the gathered events.
func (f *folder) pour(watermark int64) {
	f.columns.number(f.plan, f.table.dims)
	for kind, rows := range f.columns.byKind {
		if len(rows) == 0 {
			continue
		}
		for i := range f.plan.byType[kind] {
			st := &f.plan.byType[kind][i]
			rows := f.pick(st, rows)
			s := st.stat
			if s.chained {
				f.findChained(s, kind, rows)
				f.addOnly(st, kind, rows, watermark)
				continue
			}
			f.find(s, kind, rows)
			if len(s.windows) == 1 {
				f.findOnly(s, rows)
				f.addOnly(st, kind, rows, watermark)
				continue
			}
			f.route(s, rows, 0)
			f.add(st, kind, rows)
			for w := s.nested; w < len(s.windows); w++ {
				f.route(s, rows, w)
				f.add(st, kind, rows)
			}
		}
	}
	f.columns.clear()
}

// pick leaves out the rows for which no measure of a step holds.
func (f *folder) pick(st *step, rows []int32) []int32 {
	if !st.guarded {
		return rows
	}
	f.picked = f.picked[:0]
	for _, row := range rows {
		if f.holds(st, row) {
			f.picked = append(f.picked, row)
		}
	}
	return f.picked
}

// find finds the series of each row. Its loops are short, so that the waits for
// memory of many rows overlap.
func (f *folder) find(s *statistic, kind int, rows []int32) {
	f.found = f.found[:0]
	if s.many {
		for _, row := range rows {
			f.found = append(f.found, f.table.find(s, f.key(s, kind, row)))
		}
		return
	}
	f.found = numbered(f, f.found, f.table.small[s.number], s, kind, rows)
	for i, row := range rows {
		if f.found[i] == nil {
			f.found[i] = f.table.find(s, f.key(s, kind, row))
		}
	}
}

// numbered appends what stands in a list at each row's number, or nil.
func numbered[E any](f *folder, to []*E, byKind [][]*E, s *statistic, kind int, rows []int32) []*E {
	if !s.typed {
		kind = 0
	}
	list := byKind[kind]
	for _, row := range rows {
		var held *E
		if number := f.number(s, row); int(number) < len(list) {
			held = list[number]
		}
		to = append(to, held)
	}
	return to
}

// number is that of the only field that groups a statistic besides the type.
func (f *folder) number(s *statistic, row int32) uint32 {
	if s.single < 0 {
		return 0
	}
	return f.columns.numbers[s.single][row]
}

func (f *folder) key(s *statistic, kind int, row int32) (key [maxBy]uint32) {
	for i, dim := range s.by {
		if dim == isType {
			key[i] = uint32(kind)
		} else {
			key[i] = f.columns.numbers[dim][row]
		}
	}
	return key
}

// route finds each row's delta in a window.
func (f *folder) route(s *statistic, rows []int32, window int) {
	f.to = f.to[:0]
	for i, row := range rows {
		of := f.found[i]
		sp := f.span(s.windows[window], f.columns.times[row])
		if window > 0 {
			f.to = append(f.to, f.deltaOf(f.table.cell(s, of, window, sp)))
			continue
		}
		if of.batch != f.batch || of.start != sp.start {
			of.delta, of.batch, of.start = f.deltaOf(f.table.cell(s, of, 0, sp)), f.batch, sp.start
		}
		f.to = append(f.to, of.delta)
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
	d.cells, d.at, d.sketches = append(d.cells[:0], c), len(f.values), f.hits.open(c.stat.hashes)
	f.values = append(f.values, make([]int64, c.stat.width())...)
	c.batch, c.delta = f.batch, int32(n)
	if c.window > 0 {
		return c.delta
	}
	for w := 1; w < c.stat.nested; w++ {
		size := f.plan.windows[c.stat.windows[w]]
		start, end := f.calendar.Span(size, c.start)
		sp := newSpan(start, end, size.Size)
		d.cells = append(d.cells, f.table.cell(c.stat, c.series, w, &sp))
	}
	return c.delta
}

// width is how many numbers a delta has.
func (s *statistic) width() int { return 1 + s.counts + 2*s.sums }

// add adds rows to the deltas that route found.
func (f *folder) add(st *step, kind int, rows []int32) {
	for _, d := range f.to {
		f.values[f.deltas[d].at]++
	}
	for j := range st.measures {
		m := &st.measures[j]
		for i, row := range rows {
			if m.where != nil && !f.columns.where(m.where, row) {
				continue
			}
			d := &f.deltas[f.to[i]]
			switch m.kind {
			case liushui.Count:
				f.values[d.at+m.at]++
			case liushui.SumAmount:
				addWide(f.values[d.at+m.at:], f.columns.amounts[row])
			case liushui.SumQuantity:
				addWide(f.values[d.at+m.at:], f.columns.quantities[row])
			case liushui.Distinct:
				f.hits.add(d.sketches+int32(m.slot), f.coupon(m, kind, row))
			}
		}
	}
}

// findChained finds each row's cell of a chained statistic. Its loops are short
// too: most of the waits of a fold are for the many cells of items.
func (f *folder) findChained(s *statistic, kind int, rows []int32) {
	f.cells = numbered(f, f.cells[:0], f.table.chains[s.number], s, kind, rows)
	for i, row := range rows {
		sp := f.span(s.windows[0], f.columns.times[row])
		if c := f.cells[i]; c == nil || c.start != sp.start {
			f.cells[i] = f.table.chained(s, f.key(s, kind, row), sp)
		}
	}
}

// findOnly finds each row's cell in a statistic's only window.
func (f *folder) findOnly(s *statistic, rows []int32) {
	f.cells = f.cells[:0]
	for _, of := range f.found {
		f.cells = append(f.cells, of.only) // in a loop of its own, so that the waits for memory overlap
	}
	for i, row := range rows {
		sp := f.span(s.windows[0], f.columns.times[row])
		if c := f.cells[i]; c == nil || c.start != sp.start {
			of := f.found[i]
			of.only = f.table.cell(s, of, 0, sp)
			f.cells[i] = of.only
		}
	}
}

// addOnly adds rows to the cells of a statistic's only window: with nothing to
// roll up, a delta would cost more than it saves, above all for items, of which
// there are many.
func (f *folder) addOnly(st *step, kind int, rows []int32, watermark int64) {
	for i, row := range rows {
		c := f.cells[i]
		c.version++
		if c.end <= watermark {
			c.late++
		}
		f.touch(c)
		for j := range st.measures {
			m := &st.measures[j]
			if m.where != nil && !f.columns.where(m.where, row) {
				continue
			}
			switch m.kind {
			case liushui.Count:
				c.counts[m.slot]++
			case liushui.SumAmount:
				c.sums[m.slot].Add(f.columns.amounts[row])
				f.table.sumChanged(c, m.slot)
			case liushui.SumQuantity:
				c.sums[m.slot].Add(f.columns.quantities[row])
				f.table.sumChanged(c, m.slot)
			case liushui.Distinct:
				if coupon := f.coupon(m, kind, row); coupon != 0 {
					c.sketches[m.slot].add(coupon)
				}
			}
		}
	}
}

// coupon is that of the field which a distinct measure counts; 0 where it is absent.
func (f *folder) coupon(m *fold, kind int, row int32) uint32 {
	if m.dim == isType {
		return couponOf([]byte(liushui.EventTypes[kind]))
	}
	return f.columns.coupons[m.dim][row]
}

func (f *folder) touch(c *cell) {
	if !c.dirty {
		c.dirty = true
		f.touched = append(f.touched, changed{c, c.end})
	}
}

// addWide adds n to a sum of 128 bits, low half first.
func addWide(pair []int64, n int64) {
	low, carry := bits.Add64(uint64(pair[0]), uint64(n), 0)
	pair[0] = int64(low)
	pair[1] += n>>63 + int64(carry)
}

// settle ends a batch: what is gathered is folded, and the deltas go into the
// cells. Those that are changed for the first time since they were taken are touched.
func (f *folder) settle(watermark int64) {
	f.pour(watermark)
	f.hits.sort()
	for i := range f.deltas {
		d := &f.deltas[i]
		for _, c := range d.cells {
			f.apply(c, f.values[d.at:], watermark)
		}
		for slot := range d.cells[0].sketches {
			coupons := f.hits.of(d.sketches + int32(slot))
			for _, c := range d.cells {
				coupons = c.sketches[slot].addAll(coupons) // the larger windows hold what the smaller ones do
			}
		}
	}
	f.deltas, f.values = f.deltas[:0], f.values[:0]
	f.hits.clear()
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
		f.table.sumChanged(c, i)
	}
	f.touch(c)
}

// take returns the cells touched since the last call; the slice is good until
// the next settle.
func (f *folder) take() []changed {
	all := f.touched
	f.touched = f.touched[:0]
	return all
}

// result makes r the cell's result. Its slices are used again.
func (t *table) result(c *cell, generation int64, engine string, r *liushui.Result) {
	s := c.stat
	*r = liushui.Result{Statistic: s.Name, Window: t.plan.windows[s.windows[c.window]].Name, Start: c.start, End: c.end,
		Key: t.keyText(c, r.Key[:0]), Values: r.Values[:0], Version: c.version, Late: c.late,
		Generation: generation, Engine: engine}
	for i, m := range s.Measures {
		r.Values = append(r.Values, c.value(m.Kind, s.slots[i]))
		if m.Kind == liushui.Distinct && s.Mergeable {
			if r.Sketches == nil {
				r.Sketches = map[string][]byte{}
			}
			r.Sketches[m.Name] = c.sketches[s.slots[i]].bytes()
		}
	}
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
