package wall

import (
	"cmp"
	"strconv"

	"liushui"
)

// measures are the sales figures that the wall shows, in the order of a frame;
// net is made from paid and refunded.
var measures = [...]struct {
	name  string
	money bool
}{
	{"orders", false}, {"ordered", true}, {"payments", false}, {"paid", true}, {"refunds", false},
	{"refunded", true}, {"net", true}, {"cancels", false}, {"pieces", false}, {"buyers", false},
}

const (
	fOrders   = 0
	fOrdered  = 1
	fPayments = 2
	fPaid     = 3
	fRefunded = 5
	fNet      = 6
	fBuyers   = 9
)

// figures are the values of measures. Null: the job does not have it, or it is too large.
type figures [len(measures)]liushui.Value

// columns say where a statistic has each of measures; -1 where it has not.
type columns [len(measures)]int

// columnsOf finds the measures of a statistic by name and kind: a sum of amounts
// is money, the others are not.
func columnsOf(s *liushui.Statistic) *columns {
	var c columns
	for i, want := range measures {
		c[i] = -1
		for j, m := range s.Measures {
			if m.Name == want.name && (m.Kind == liushui.SumAmount) == want.money && i != fNet {
				c[i] = j
			}
		}
	}
	return &c
}

// read takes the figures out of a result; nil is a cell in which nothing happened.
func (c *columns) read(r *liushui.Result) figures {
	var f figures
	for i, at := range c {
		switch {
		case at < 0:
			f[i].Null = true
		case r != nil:
			f[i] = r.Values[at]
		}
	}
	f.setNet()
	return f
}

func (f *figures) setNet() {
	f[fNet] = liushui.Value{Null: true}
	if f[fPaid].Null || f[fRefunded].Null {
		return
	}
	var sum liushui.Sum
	sum.Add(f[fPaid].N)
	sum.Add(-f[fRefunded].N)
	f[fNet] = fit(sum)
}

// total sums figures of many cells. Buyers of several cells may be the same, so
// they have no sum.
type total struct {
	sums [len(measures)]liushui.Sum
	null [len(measures)]bool
}

func (t *total) add(f *figures) {
	for i, v := range f {
		if v.Null {
			t.null[i] = true
			continue
		}
		t.sums[i].Add(v.N)
	}
}

func (t *total) figures() figures {
	var f figures
	for i := range f {
		if f[i] = fit(t.sums[i]); t.null[i] {
			f[i] = liushui.Value{Null: true}
		}
	}
	f[fBuyers] = liushui.Value{Null: true}
	f.setNet()
	return f
}

func fit(sum liushui.Sum) liushui.Value {
	n, fits := sum.Int64()
	if !fits {
		return liushui.Value{Null: true}
	}
	return liushui.Value{N: n}
}

// MarshalJSON writes an object of all measures, money as exact decimal strings.
func (f figures) MarshalJSON() ([]byte, error) { return f.appendJSON(nil), nil }

func (f *figures) appendJSON(b []byte) []byte {
	for i, v := range f {
		if b = append(b, '{'); i > 0 {
			b[len(b)-1] = ','
		}
		b = append(b, '"')
		b = append(b, measures[i].name...)
		b = append(b, '"', ':')
		switch {
		case v.Null:
			b = append(b, "null"...)
		case measures[i].money:
			b = append(b, '"')
			b, _ = liushui.Money(v.N).AppendText(b)
			b = append(b, '"')
		default:
			b = strconv.AppendInt(b, v.N, 10)
		}
	}
	return append(b, '}')
}

// heavier orders for rankings: by paid, then, for feeds and jobs without such
// sums, by ordered and by the numbers of payments and orders. Negative: f comes first.
func (f *figures) heavier(g *figures) int {
	for _, i := range [...]int{fPaid, fOrdered, fPayments, fOrders} {
		if order := cmp.Compare(g[i].N, f[i].N); order != 0 {
			return order
		}
	}
	return 0
}
