package reconcile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/datasketches-go/hll"

	"liushui"
)

// Source is where results are held.
type Source struct {
	Name string
	// Lost says that it has lost its start: what it does not hold is no difference.
	Lost bool
	// KeptFrom says for window sizes from which start on it keeps rows; what began
	// earlier is not compared. None: all are kept.
	KeptFrom map[string]int64
}

// Limits say which windows are compared.
type Limits struct {
	CompleteFrom int64 // those that begin earlier are not; 0: all are
	ClosedBy     int64 // those that end later are not; 0: all are
	// Progress is told how many hours of results are done; nil: nobody is.
	Progress func(done, total int64)
}

// Difference is a cell that is held otherwise than it should be.
type Difference struct {
	Want   *liushui.Result // nil: nothing counts in it
	Late   int64           // how many late events have their place in it
	Held   []Held
	Repair int64 // the highest that is held

	WithLate bool // they count in Want
}

// Held is a cell as a source holds it; nil: not at all.
type Held struct {
	Source  string
	Result  *liushui.Result
	Differs bool
}

// Summary counts the cells of a comparison.
type Summary struct {
	Cells   int64            // compared
	Outside int64            // not compared: they begin before the log is complete
	Open    int64            // not compared: they may still change
	Lost    map[string]int64 // not compared, by source: it no longer holds them
	Late    int64            // compared, and right as an earlier repair left them: with late events
}

// Sources are where results are held; each is then named by its place here.
func (c *Computation) Sources(sources ...*Source) { c.sources = sources }

// Hold takes a result as a source holds it. Of several for a cell the highest counts.
func (c *Computation) Hold(source int, r *liushui.Result) error {
	if !c.c.Scope.has(r.Statistic, r.Window, r.Start) {
		return nil
	}
	s := c.c.Job.Statistic(r.Statistic)
	if s == nil {
		return nil
	}
	return c.results.add(c.hour(r.End-1), r.AppendValue([]byte{byte(source)}, s))
}

// Compare calls each with every cell that a source holds otherwise. No record is
// taken after it.
func (c *Computation) Compare(l Limits, each func(*Difference) error) (Summary, error) {
	sum := Summary{Lost: map[string]int64{}}
	total, done := int64(len(c.hours())), int64(0)
	err := c.compute(func(hour int64, over map[string]pair) error {
		held, err := c.heldIn(hour)
		if err != nil {
			return err
		}
		for name := range held {
			if _, computed := over[name]; !computed {
				over[name] = pair{}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(over)) {
			if err := c.compareCell(l, over[name], held[name], &sum, each); err != nil {
				return err
			}
		}
		if done++; l.Progress != nil {
			l.Progress(min(done, total), total)
		}
		return nil
	})
	return sum, err
}

// heldIn reads the results of windows that end in an hour, by cell and source.
func (c *Computation) heldIn(hour int64) (map[string][]*liushui.Result, error) {
	all := map[string][]*liushui.Result{}
	var name []byte
	job := func(int64) *liushui.Job { return c.c.Job }
	err := c.results.each(hour, func(row []byte) error {
		r, err := liushui.DecodeResult(row[1:], job)
		if err != nil {
			return err
		}
		name = appendName(name[:0], r.Statistic, r.Window, r.Start, r.Key)
		of := all[string(name)]
		if of == nil {
			of = make([]*liushui.Result, len(c.sources))
			all[string(name)] = of
		}
		if source := row[0]; of[source] == nil || r.Newer(of[source]) {
			of[source] = r
		}
		return nil
	})
	return all, err
}

func (c *Computation) compareCell(l Limits, p pair, held []*liushui.Result, sum *Summary, each func(*Difference) error) error {
	cell, err := c.wanted(p)
	if err != nil {
		return err
	}
	d := &Difference{WithLate: c.c.WithLate}
	if cell != nil {
		if d.Want, err = cell.Result(); err != nil {
			return err
		}
	}
	if p.late != nil {
		d.Late = p.late.Version
	}
	for i, s := range c.sources {
		h := Held{Source: s.Name}
		if held != nil {
			h.Result = held[i]
		}
		d.Held = append(d.Held, h)
	}
	start, end, any := d.span()
	switch {
	case !any:
		return nil
	case start < l.CompleteFrom:
		sum.Outside++
		return nil
	case l.ClosedBy != 0 && end > l.ClosedBy:
		sum.Open++
		return nil
	}
	sum.Cells++
	differs, err := c.judge(d, p, sum)
	if err != nil || !differs {
		return err
	}
	return each(d)
}

// span is the window of a difference's cell; any is false where there is no cell.
func (d *Difference) span() (start, end int64, any bool) {
	if d.Want != nil {
		return d.Want.Start, d.Want.End, true
	}
	for _, h := range d.Held {
		if h.Result != nil {
			return h.Result.Start, h.Result.End, true
		}
	}
	return 0, 0, false
}

// judge finds which sources hold a cell otherwise.
func (c *Computation) judge(d *Difference, p pair, sum *Summary) (differs bool, err error) {
	for i := range d.Held {
		h := &d.Held[i]
		if h.Result != nil {
			d.Repair = max(d.Repair, h.Result.Repair)
		}
		switch {
		case h.Result == nil && d.Want != nil && c.sources[i].Lost, d.before(c.sources[i].KeptFrom):
			sum.Lost[h.Source]++
			continue
		case same(d.Want, h.Result):
			continue
		case h.Result != nil && h.Result.Repair > 0 && p.late != nil && !c.c.WithLate:
			with := p.late
			if p.counted != nil {
				if with, err = p.counted.with(p.late); err != nil {
					return false, err
				}
			}
			other, err := with.Result()
			if err != nil {
				return false, err
			}
			if same(other, h.Result) {
				sum.Late++
				continue
			}
		}
		h.Differs, differs = true, true
	}
	return differs, nil
}

// before reports whether the cell's window begins before what is kept of its size.
func (d *Difference) before(keptFrom map[string]int64) bool {
	of := d.Want
	for _, h := range d.Held {
		if of == nil {
			of = h.Result
		}
	}
	return of.Start < keptFrom[of.Window]
}

// same compares end, values, version and sketches. A result of version 0, with
// which a repair takes a cell back, is as good as none.
func same(want, held *liushui.Result) bool {
	if want == nil || held == nil {
		return want == nil && (held == nil || held.Version == 0)
	}
	return want.End == held.End && want.Version == held.Version && slices.Equal(want.Values, held.Values) &&
		DiffSketches(want.Sketches, held.Sketches) == nil
}

// DiffSketches compares what sketches stand for: alone and merged they must give
// one estimate. Their bytes may differ with the order of events.
func DiffSketches(want, got map[string][]byte) error {
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(slices.Sorted(maps.Keys(want)), names) {
		return fmt.Errorf("sketches of %q, want %q", names, slices.Sorted(maps.Keys(want)))
	}
	for name := range want {
		estimate, err := mergedEstimate(want[name])
		if err != nil {
			return fmt.Errorf("sketch %s: the one wanted: %w", name, err)
		}
		alone, err := mergedEstimate(got[name])
		if err != nil {
			return fmt.Errorf("sketch %s: %w", name, err)
		}
		both, err := mergedEstimate(want[name], got[name])
		if err != nil {
			return fmt.Errorf("sketch %s: merge: %w", name, err)
		}
		if alone != estimate || both != estimate {
			return fmt.Errorf("sketch %s: estimate %d, merged %d; want %d", name, alone, both, estimate)
		}
	}
	return nil
}

func mergedEstimate(images ...[]byte) (int64, error) {
	union, err := hll.NewUnion(12)
	if err != nil {
		return 0, err
	}
	for _, image := range images {
		sketch, err := hll.NewHllSketchFromSlice(image, true)
		if err != nil {
			return 0, err
		}
		if k := sketch.GetLgConfigK(); k != 12 {
			return 0, fmt.Errorf("lgK is %d", k)
		}
		if err := union.UpdateSketch(sketch); err != nil {
			return 0, err
		}
	}
	merged, err := union.GetResult(hll.TgtHllTypeHll8)
	if err != nil {
		return 0, err
	}
	return estimate(merged)
}

// Right is the cell as it should be, as a result that takes the place of all
// that are held. It lacks generation and engine. Where nothing counts in the
// cell it is of version 0.
func (d *Difference) Right() *liushui.Result {
	right := &liushui.Result{}
	late := int64(0)
	for _, h := range d.Held {
		if h.Result == nil {
			continue
		}
		if late = h.Result.Late; d.Want == nil {
			*right = *h.Result
			right.Values, right.Sketches, right.Version = make([]liushui.Value, len(right.Values)), nil, 0
		}
	}
	if d.Want != nil {
		*right = *d.Want
	}
	if d.WithLate && late != liushui.LateUnknown {
		late += d.Late
	}
	right.Late, right.Repair = late, d.Repair+1
	return right
}
