package reconcile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/apache/datasketches-go/hll"

	"liushui"
)

// Scope says which windows are computed. The zero value is all of them.
type Scope struct {
	Statistic string // empty: all
	Window    string // empty: all
	From, To  int64  // windows that begin in [From, To), ms; To 0: open
}

func (s *Scope) has(statistic, window string, start int64) bool {
	return (s.Statistic == "" || s.Statistic == statistic) && (s.Window == "" || s.Window == window) &&
		start >= s.From && (s.To == 0 || start < s.To)
}

// Cells are the cells of a job's statistics, by name.
type Cells struct {
	scope    Scope
	calendar *Calendar
	held     map[string]*Cell
	name     []byte
}

// NewCells returns cells of a calendar, as yet none.
func NewCells(calendar *Calendar, scope Scope) *Cells {
	return &Cells{scope: scope, calendar: calendar, held: map[string]*Cell{}}
}

// Cell is one statistic, window and key.
type Cell struct {
	Version   int64 // events folded
	Start     int64
	End       int64
	statistic *liushui.Statistic
	window    string
	key       []string
	sums      []big.Int       // of counts and sums
	sketches  []hll.HllSketch // of distinct measures; nil: nothing counted yet
}

// appendName appends what tells cells apart.
func appendName(b []byte, statistic, window string, start int64, key []string) []byte {
	b = append(append(append(append(b, statistic...), 0), window...), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(start))
	for _, k := range key {
		b = append(binary.AppendUvarint(b, uint64(len(k))), k...)
	}
	return b
}

// Fold adds an event to a statistic's cells.
func (c *Cells) Fold(s *liushui.Statistic, e *Event) error {
	var key []string
	for _, field := range s.By {
		key = append(key, e.Fields[field])
	}
	for _, w := range s.Windows {
		start, end := c.calendar.Span(w, e.Time)
		if !c.scope.has(s.Name, w.Name, start) {
			continue
		}
		c.name = appendName(c.name[:0], s.Name, w.Name, start, key)
		held := c.held[string(c.name)]
		if held == nil {
			held = &Cell{statistic: s, window: w.Name, Start: start, End: end, key: key,
				sums: make([]big.Int, len(s.Measures)), sketches: make([]hll.HllSketch, len(s.Measures))}
			c.held[string(c.name)] = held
		}
		if err := held.add(e); err != nil {
			return err
		}
	}
	return nil
}

var one = big.NewInt(1)

func (c *Cell) add(e *Event) error {
	c.Version++
	for i := range c.statistic.Measures {
		m := &c.statistic.Measures[i]
		if !holds(m, e) {
			continue
		}
		switch m.Kind {
		case liushui.Count:
			c.sums[i].Add(&c.sums[i], one)
		case liushui.SumAmount:
			c.sums[i].Add(&c.sums[i], big.NewInt(e.Sums["amount"]))
		case liushui.SumQuantity:
			c.sums[i].Add(&c.sums[i], big.NewInt(e.Sums["quantity"]))
		case liushui.Distinct:
			if value := e.Fields[m.Field]; value != "" {
				if err := c.count(i, value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *Cell) count(i int, value string) (err error) {
	if c.sketches[i] == nil {
		if c.sketches[i], err = newSketch(); err != nil {
			return err
		}
	}
	return c.sketches[i].UpdateSlice([]byte(value))
}

func newSketch() (hll.HllSketch, error) { return hll.NewHllSketch(12, hll.TgtHllTypeHll8) }

// with is the cell together with another one of its name, which may be nil.
func (c *Cell) with(other *Cell) (*Cell, error) {
	if other == nil {
		return c, nil
	}
	both := *c
	both.Version += other.Version
	both.sums, both.sketches = make([]big.Int, len(c.sums)), make([]hll.HllSketch, len(c.sketches))
	for i := range c.sums {
		both.sums[i].Add(&c.sums[i], &other.sums[i])
		if c.statistic.Measures[i].Kind != liushui.Distinct {
			continue
		}
		union, err := hll.NewUnion(12)
		if err != nil {
			return nil, err
		}
		for _, sketch := range []hll.HllSketch{c.sketches[i], other.sketches[i]} {
			if sketch != nil {
				if err := union.UpdateSketch(sketch); err != nil {
					return nil, err
				}
			}
		}
		if both.sketches[i], err = union.GetResult(hll.TgtHllTypeHll8); err != nil {
			return nil, err
		}
	}
	return &both, nil
}

// Result is the cell as a result, without late, generation, repair and engine.
func (c *Cell) Result() (*liushui.Result, error) {
	r := &liushui.Result{Statistic: c.statistic.Name, Window: c.window, Start: c.Start, End: c.End, Key: c.key, Version: c.Version}
	for i, m := range c.statistic.Measures {
		if m.Kind != liushui.Distinct {
			fits := c.sums[i].IsInt64()
			v := liushui.Value{Null: !fits}
			if fits {
				v.N = c.sums[i].Int64()
			}
			r.Values = append(r.Values, v)
			continue
		}
		sketch, err := c.sketches[i], error(nil)
		if sketch == nil {
			sketch, err = newSketch()
		}
		n, failed := estimate(sketch)
		if err := errors.Join(err, failed); err != nil {
			return nil, fmt.Errorf("estimate %s of %s: %w", m.Name, r.Statistic, err)
		}
		r.Values = append(r.Values, liushui.Value{N: n})
		if c.statistic.Mergeable {
			if r.Sketches == nil {
				r.Sketches = map[string][]byte{}
			}
			if r.Sketches[m.Name], err = sketch.ToCompactSlice(); err != nil {
				return nil, fmt.Errorf("sketch %s of %s: %w", m.Name, r.Statistic, err)
			}
		}
	}
	return r, nil
}

// estimate is the composite one, the only one in which order does not matter,
// rounded half up.
func estimate(sketch hll.HllSketch) (int64, error) {
	if sketch == nil {
		return 0, nil
	}
	e, err := sketch.GetCompositeEstimate()
	return int64(math.Floor(e + 0.5)), err
}

// All are the cells by name.
func (c *Cells) All() map[string]*Cell { return c.held }
