package native

import "liushui"

// foldRows is how many events are gathered before they are folded statistic by
// statistic: their columns then stay in the processor's nearest caches.
const foldRows = 512

// columns are gathered events, a slice a field and an element an event. All have
// room for foldRows.
type columns struct {
	rows       int
	times      []int64
	amounts    []int64
	quantities []int64
	words      [][]word   // by plan.dims: where the event's type is grouped by it
	numbers    [][]uint32 // what the dictionaries make of words
	coupons    [][]uint32 // by plan.dims: where it is counted distinct; 0 = absent
	holds      [][]bool   // by plan.conditions
	byKind     [][]int32  // rows, by index into liushui.EventTypes
}

func newColumns(p *plan) columns {
	c := columns{times: make([]int64, foldRows), amounts: make([]int64, foldRows), quantities: make([]int64, foldRows),
		words: make([][]word, len(p.dims)), numbers: make([][]uint32, len(p.dims)), coupons: make([][]uint32, len(p.dims)), holds: make([][]bool, len(p.conditions)),
		byKind: make([][]int32, len(liushui.EventTypes))}
	for dim := range p.dims {
		c.words[dim], c.numbers[dim], c.coupons[dim] = make([]word, foldRows), make([]uint32, foldRows), make([]uint32, foldRows)
	}
	for i := range c.holds {
		c.holds[i] = make([]bool, foldRows)
	}
	for i := range c.byKind {
		c.byKind[i] = make([]int32, 0, foldRows)
	}
	return c
}

// add takes an event in as a row.
func (c *columns) add(p *plan, dims []*dictionary, e *event) {
	row := c.rows
	c.rows++
	c.byKind[e.kind] = append(c.byKind[e.kind], int32(row))
	c.times[row], c.amounts[row], c.quantities[row] = e.time, e.amount, e.quantity
	for _, dim := range p.grouped[e.kind] {
		c.words[dim][row] = dims[dim].word(e.dims[dim])
	}
	for _, dim := range p.distinct[e.kind] {
		c.coupons[dim][row] = 0
		if len(e.dims[dim]) > 0 {
			c.coupons[dim][row] = couponOf(e.dims[dim])
		}
	}
	for i := range p.conditions {
		c.holds[i][row] = p.conditions[i].holds(e)
	}
}

// number numbers the gathered values.
func (c *columns) number(p *plan, dims []*dictionary) {
	for kind, rows := range c.byKind {
		for _, dim := range p.grouped[kind] {
			d, words, numbers := dims[dim], c.words[dim], c.numbers[dim]
			for _, row := range rows {
				numbers[row] = d.number(words[row])
			}
		}
	}
}

// where reports whether all of some conditions hold for a row.
func (c *columns) where(conditions []int, row int32) bool {
	for _, number := range conditions {
		if !c.holds[number][row] {
			return false
		}
	}
	return true
}

func (c *columns) clear() {
	c.rows = 0
	for i := range c.byKind {
		c.byKind[i] = c.byKind[i][:0]
	}
}
