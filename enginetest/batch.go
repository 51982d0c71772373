package enginetest

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"

	"github.com/apache/datasketches-go/hll"

	"liushui"
)

// Batch computes a job over all records at once: the oracle. Its results have
// no Late, Generation, Repair and Engine.
func Batch(job *liushui.Job, records []liushui.Record, o Options) (Table, liushui.Account) {
	var account liushui.Account
	cells, calendar := map[string]*cell{}, newCalendar(job.Zone)
	judge(job, records, o, func(_ liushui.Record, e *event, v Verdict) {
		account.Read++
		switch v {
		case Bad:
			account.Bad++
		case Late:
			account.Late++
		case Duplicate:
			account.Duplicate++
		case Ignored:
			account.Ignored++
		case Counted:
			account.Counted++
			for _, s := range job.Statistics {
				if folds(s, e) {
					fold(cells, calendar, s, e, o.CompleteFrom)
				}
			}
		}
	})
	table := Table{}
	for key, c := range cells {
		table[key] = c.result()
	}
	return table, account
}

// cell is one statistic, window and key.
type cell struct {
	statistic *liushui.Statistic
	window    string
	start     int64
	end       int64
	key       []string
	sums      []*big.Int        // of counts and sums
	sets      []map[string]bool // of distinct measures
	version   int64
}

func fold(cells map[string]*cell, calendar *calendar, s *liushui.Statistic, e *event, from int64) {
	var key []string
	for _, field := range s.By {
		key = append(key, e.fields[field])
	}
	for _, w := range s.Windows {
		start, end := calendar.span(w, e.time)
		if start < from {
			continue
		}
		name := fmt.Sprintf("%q %q %d %q", s.Name, w.Name, start, key)
		c := cells[name]
		if c == nil {
			c = &cell{statistic: s, window: w.Name, start: start, end: end, key: key}
			for range s.Measures {
				c.sums, c.sets = append(c.sums, new(big.Int)), append(c.sets, map[string]bool{})
			}
			cells[name] = c
		}
		c.add(e)
	}
}

func (c *cell) add(e *event) {
	c.version++
	for i, m := range c.statistic.Measures {
		if !holds(m, e) {
			continue
		}
		switch m.Kind {
		case liushui.Count:
			c.sums[i].Add(c.sums[i], big.NewInt(1))
		case liushui.SumAmount:
			if n := e.sums["amount"]; n != nil {
				c.sums[i].Add(c.sums[i], n)
			}
		case liushui.SumQuantity:
			if n := e.sums["quantity"]; n != nil {
				c.sums[i].Add(c.sums[i], n)
			}
		case liushui.Distinct:
			if value := e.fields[m.Field]; value != "" {
				c.sets[i][value] = true
			}
		}
	}
}

func (c *cell) result() liushui.Result {
	r := liushui.Result{Statistic: c.statistic.Name, Window: c.window, Start: c.start, End: c.end, Key: c.key, Version: c.version}
	for i, m := range c.statistic.Measures {
		if m.Kind != liushui.Distinct {
			r.Values = append(r.Values, liushui.Value{N: low(c.sums[i]), Null: !c.sums[i].IsInt64()})
			continue
		}
		sketch := sketchOf(c.sets[i])
		r.Values = append(r.Values, liushui.Value{N: estimate(sketch)})
		if c.statistic.Mergeable {
			image, err := sketch.ToCompactSlice()
			if err != nil {
				panic(err)
			}
			if r.Sketches == nil {
				r.Sketches = map[string][]byte{}
			}
			r.Sketches[m.Name] = image
		}
	}
	return r
}

func low(n *big.Int) int64 {
	if !n.IsInt64() {
		return 0
	}
	return n.Int64()
}

func sketchOf(set map[string]bool) hll.HllSketch {
	sketch, err := hll.NewHllSketch(12, hll.TgtHllTypeHll8)
	if err != nil {
		panic(err)
	}
	for _, value := range slices.Sorted(maps.Keys(set)) {
		if err := sketch.UpdateSlice([]byte(value)); err != nil {
			panic(err)
		}
	}
	return sketch
}

// estimate is the composite one: the only one in which order does not matter.
func estimate(sketch hll.HllSketch) int64 {
	e, err := sketch.GetCompositeEstimate()
	if err != nil {
		panic(err)
	}
	return int64(math.Floor(e + 0.5))
}
