package native

import (
	"fmt"
	"slices"
	"strings"

	"liushui"
)

// maxBy is the most fields that a statistic may be grouped by.
const maxBy = 5

// plan is a compiled job: what to decode, and for each type of event what to fold.
type plan struct {
	job        *liushui.Job
	dims       []string // dimensions to decode, sorted; type is not among them
	windows    []liushui.Window
	stats      []*statistic
	byType     [][]step // by index into liushui.EventTypes
	quantity   bool     // some measure sums it
	amount     bool
	distinct   [][]int     // by type: dims of which some measure counts distinct values
	grouped    [][]int     // by type: dims by which some statistic is grouped
	conditions []condition // all different ones, but those on the type
}

// statistic is one compiled statistic.
type statistic struct {
	*liushui.Statistic
	number  int
	windows []int // into plan.windows
	by      []int // into plan.dims; byType where it is the type
	counts  int   // how many measures are counts
	sums    int
	hashes  int   // distinct measures
	slots   []int // of each measure, among the cell's counts, sums or sketches

	// nested is how many windows, the smallest first, hold only whole windows of the smallest.
	nested int
	// soonest is the window that ends first of all that hold an event.
	soonest int
	// Where at most one field besides the type groups it: that dimension or -1, and whether the type does.
	single int
	typed  bool
	many   bool // more than one
	// chained: the cells of a key are a list, the newest first. So it is where there
	// is one window and none of the lists can grow long.
	chained bool
}

// longestChain is how many cells of a key are looked through one by one.
const longestChain = 16

// isType stands in statistic.by and condition.dim for the type.
const isType = -1

// step folds an event of one type into one statistic.
type step struct {
	stat     *statistic
	measures []fold
	guarded  bool // some measure has conditions besides type
}

// fold is one measure of a step.
type fold struct {
	kind  liushui.MeasureKind
	slot  int   // among the cell's counts, sums or sketches
	at    int   // of a count or sum: among a delta's numbers
	dim   int   // of a distinct measure; isType for the type
	where []int // into plan.conditions; all must hold
}

type condition struct {
	dim    int
	values []string
}

func (c condition) holds(e *event) bool { return slices.Contains(c.values, string(e.dims[c.dim])) }

// compile turns a job into a plan. It has no side effects.
func compile(job *liushui.Job) *plan {
	types := len(liushui.EventTypes)
	p := &plan{job: job, dims: job.Dimensions(), byType: make([][]step, types), distinct: make([][]int, types), grouped: make([][]int, types)}
	for i, s := range job.Statistics {
		p.addStatistic(i, s)
	}
	for _, lists := range [][][]int{p.distinct, p.grouped} {
		for t := range lists {
			slices.Sort(lists[t])
			lists[t] = slices.Compact(lists[t])
		}
	}
	return p
}

func (p *plan) addStatistic(number int, s *liushui.Statistic) {
	c := &statistic{Statistic: s, number: number, single: -1}
	p.addWindows(c)
	for _, by := range s.By {
		dim := p.dim(by)
		c.by = append(c.by, dim)
		if dim == isType {
			c.typed = true
			continue
		}
		c.many = c.many || c.single >= 0
		c.single = dim
	}
	// Open windows reach from the corrections behind the watermark to the corrections
	// ahead of the oldest event that is to be judged next.
	span := 2*p.job.Corrections + p.job.Lateness
	c.chained = !c.many && len(c.windows) == 1 && span.Milliseconds()/p.windows[c.windows[0]].Size+2 <= longestChain
	for _, m := range s.Measures {
		switch m.Kind {
		case liushui.Count:
			c.slots = append(c.slots, c.counts)
			c.counts++
		case liushui.SumAmount, liushui.SumQuantity:
			c.slots = append(c.slots, c.sums)
			c.sums++
			p.amount = p.amount || m.Kind == liushui.SumAmount
			p.quantity = p.quantity || m.Kind == liushui.SumQuantity
		case liushui.Distinct:
			c.slots = append(c.slots, c.hashes)
			c.hashes++
		}
	}
	p.stats = append(p.stats, c)
	for t, name := range liushui.EventTypes {
		if st, ok := p.compileStep(c, name); ok {
			p.addStep(t, st)
		}
	}
}

func (p *plan) addStep(kind int, st step) {
	p.byType[kind] = append(p.byType[kind], st)
	for _, dim := range st.stat.by {
		if dim != isType {
			p.grouped[kind] = append(p.grouped[kind], dim)
		}
	}
	for _, m := range st.measures {
		if m.kind == liushui.Distinct && m.dim != isType {
			p.distinct[kind] = append(p.distinct[kind], m.dim)
		}
	}
}

// addWindows sorts those that nest the smallest to the front: they are rolled
// up from it, the others are folded event by event.
func (p *plan) addWindows(c *statistic) {
	smallest := c.Windows[0].Size
	var apart []int
	for _, w := range c.Windows {
		i := slices.Index(p.windows, w)
		if i < 0 {
			i = len(p.windows)
			p.windows = append(p.windows, w)
		}
		if w.Size%smallest == 0 {
			c.windows = append(c.windows, i)
		} else {
			apart = append(apart, i)
		}
	}
	c.nested, c.soonest = len(c.windows), c.windows[0]
	c.windows = append(c.windows, apart...)
}

// compileStep leaves out what the type alone decides.
func (p *plan) compileStep(c *statistic, typeName string) (step, bool) {
	st := step{stat: c}
measures:
	for i, m := range c.Measures {
		f := fold{kind: m.Kind, slot: c.slots[i], at: 1 + c.slots[i]}
		if sumKind(m.Kind) {
			f.at = 1 + c.counts + 2*c.slots[i]
		}
		if m.Kind == liushui.Distinct {
			f.dim = p.dim(m.Field)
		}
		for _, w := range m.Where {
			if w.Field == "type" {
				if !slices.Contains(w.Values, typeName) {
					continue measures
				}
				continue
			}
			f.where = append(f.where, p.condition(p.dim(w.Field), w.Values))
			st.guarded = true
		}
		st.measures = append(st.measures, f)
	}
	return st, len(st.measures) > 0
}

// condition is the number of a condition.
func (p *plan) condition(dim int, values []string) int {
	for i, c := range p.conditions {
		if c.dim == dim && slices.Equal(c.values, values) {
			return i
		}
	}
	p.conditions = append(p.conditions, condition{dim, values})
	return len(p.conditions) - 1
}

func (p *plan) dim(name string) int {
	if name == "type" {
		return isType
	}
	return slices.Index(p.dims, name)
}

// String is the plan as text, for golden files.
func (p *plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %s, zone %s, lateness %s, corrections %s\n", p.job.Name, p.job.Zone, p.job.Lateness, p.job.Corrections)
	fmt.Fprintf(&b, "decode id type time")
	if p.quantity {
		b.WriteString(" quantity")
	}
	if p.amount {
		b.WriteString(" amount")
	}
	fmt.Fprintf(&b, " and %s\n", strings.Join(p.dims, " "))
	for t, steps := range p.byType {
		fmt.Fprintf(&b, "\non %s\n", liushui.EventTypes[t])
		for _, st := range steps {
			fmt.Fprintf(&b, "  %s", st.stat.Name)
			if len(st.stat.By) > 0 {
				fmt.Fprintf(&b, " by %s", strings.Join(st.stat.By, ", "))
			}
			b.WriteString(" over")
			for _, w := range st.stat.windows {
				b.WriteString(" " + p.windows[w].Name)
			}
			b.WriteString("\n")
			for _, f := range st.measures {
				fmt.Fprintf(&b, "    %s\n", p.describe(st.stat, f))
			}
		}
	}
	return b.String()
}

func (p *plan) describe(s *statistic, f fold) string {
	name := ""
	for i, m := range s.Measures {
		if m.Kind == f.kind && s.slots[i] == f.slot || sumKind(m.Kind) && sumKind(f.kind) && s.slots[i] == f.slot {
			name = m.Name
		}
	}
	text := ""
	switch f.kind {
	case liushui.Count:
		text = fmt.Sprintf("count[%d] %s += 1", f.slot, name)
	case liushui.SumAmount:
		text = fmt.Sprintf("sum[%d] %s += amount", f.slot, name)
	case liushui.SumQuantity:
		text = fmt.Sprintf("sum[%d] %s += quantity", f.slot, name)
	case liushui.Distinct:
		text = fmt.Sprintf("sketch[%d] %s <- %s", f.slot, name, p.dimName(f.dim))
	}
	for _, number := range f.where {
		c := p.conditions[number]
		text += fmt.Sprintf(" where %s in %q", p.dimName(c.dim), c.values)
	}
	return text
}

func (p *plan) dimName(dim int) string {
	if dim == isType {
		return "type"
	}
	return p.dims[dim]
}

func sumKind(k liushui.MeasureKind) bool {
	return k == liushui.SumAmount || k == liushui.SumQuantity
}
