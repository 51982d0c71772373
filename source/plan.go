package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"liushui"
)

// defect is why a row is bad: the kind, by which bad rows are counted, and the
// words for this very row.
type defect struct{ reason, detail string }

// plan is a mapping bound to the columns of one file. It is for one goroutine.
type plan struct {
	events []eventPlan
	made   arena  // holds what templates made
	suffix string // of ids
}

// eventPlan is how a row makes one event.
type eventPlan struct {
	when     []condition
	kind     expression
	clock    *clock
	at       expression
	id       expression
	fields   []fieldPlan
	quantity *numberPlan
	amount   *numberPlan
	extra    []extraPlan
}

type fieldPlan struct {
	name string
	set  func(*liushui.Event, string)
	expression
}

type extraPlan struct {
	name string
	expression
}

// binding is what a mapping is bound to.
type binding struct {
	columns []string
	lookups map[string]map[string]string
}

func (b *binding) column(name string) (int, error) {
	i := slices.Index(b.columns, strings.TrimSpace(name))
	if i < 0 {
		return 0, fmt.Errorf("no column %q; the file has %s", name, b.list())
	}
	if slices.Contains(b.columns[i+1:], b.columns[i]) {
		return 0, fmt.Errorf("column %q stands in the file twice", name)
	}
	return i, nil
}

// list names the columns for a message of one line.
func (b *binding) list() string {
	const most = 20
	if len(b.columns) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(b.columns[:most], ", "), len(b.columns)-most)
	}
	return strings.Join(b.columns, ", ")
}

// bind makes the plan of a mapping for a file of these columns.
func (m *Mapping) bind(b *binding) (*plan, error) {
	p := &plan{}
	for i := range m.events {
		e, err := m.events[i].bind(b)
		if err != nil {
			return nil, fmt.Errorf("events: number %d: %w", i+1, err)
		}
		p.events = append(p.events, *e)
	}
	return p, nil
}

func (s *eventSpec) bind(b *binding) (e *eventPlan, err error) {
	e = &eventPlan{clock: newClock(s.Time)}
	for _, column := range slices.Sorted(maps.Keys(s.When)) {
		c, err := s.When[column].bind(b, column)
		if err != nil {
			return nil, fmt.Errorf("when: %w", err)
		}
		e.when = append(e.when, c)
	}
	if e.kind, err = s.Type.bind(b, "type"); err != nil {
		return nil, err
	}
	if e.at, err = (&fieldSpec{Column: s.Time.Column, Template: s.Time.Template}).bind(b, "time"); err != nil {
		return nil, err
	}
	if e.id, err = s.ID.bind(b, "id"); err != nil {
		return nil, err
	}
	if err := s.bindFields(b, e); err != nil {
		return nil, err
	}
	if e.quantity, err = s.Quantity.bind(b, "quantity"); err != nil {
		return nil, err
	}
	e.amount, err = s.Amount.bind(b, "amount")
	return e, err
}

// setters of the event's own dimensions, in the order of eventSpec.dimensions.
var setters = []func(*liushui.Event, string){
	func(e *liushui.Event, v string) { e.Order = v },
	func(e *liushui.Event, v string) { e.User = v },
	func(e *liushui.Event, v string) { e.Item = v },
	func(e *liushui.Event, v string) { e.Category = v },
	func(e *liushui.Event, v string) { e.Province = v },
	func(e *liushui.Event, v string) { e.Channel = v },
	func(e *liushui.Event, v string) { e.Gender = v },
	func(e *liushui.Event, v string) { e.Age = v },
}

func (s *eventSpec) bindFields(b *binding, e *eventPlan) error {
	for i, f := range s.dimensions() {
		if !f.spec.given {
			continue
		}
		x, err := f.spec.bind(b, f.name)
		if err != nil {
			return err
		}
		e.fields = append(e.fields, fieldPlan{f.name, setters[i], x})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Dimensions)) {
		spec := s.Dimensions[name]
		x, err := spec.bind(b, name)
		if err != nil {
			return fmt.Errorf("dimensions: %w", err)
		}
		e.extra = append(e.extra, extraPlan{name, x})
	}
	return nil
}

// make fills e with event number i of the row. Where the row's values do not
// make that event, made is false; where they are wrong, d says why.
func (p *plan) make(i int, w *row, e *liushui.Event) (made bool, d *defect) {
	plan := &p.events[i]
	for j := range plan.when {
		if holds, d := plan.when[j].holds(w.fields); !holds {
			return false, d
		}
	}
	*e = liushui.Event{Extra: e.Extra[:0]}
	if e.Type, d = plan.kind.value(p, w, "type"); d != nil {
		return false, d
	}
	at, d := plan.at.value(p, w, "time")
	if d != nil {
		return false, d
	}
	ok := false
	if e.Time, ok = plan.clock.read(at, w.number); !ok {
		return false, &defect{"time cannot be read", fmt.Sprintf("time %.40q is not %s", at, plan.clock.wanted())}
	}
	if e.ID, d = plan.id.value(p, w, "id"); d != nil {
		return false, d
	}
	if p.suffix != "" {
		e.ID = p.made.join(e.ID, p.suffix)
	}
	return true, plan.fill(p, w, e)
}

func (plan *eventPlan) fill(p *plan, w *row, e *liushui.Event) *defect {
	for j := range plan.fields {
		f := &plan.fields[j]
		v, d := f.value(p, w, f.name)
		if d != nil {
			return d
		}
		f.set(e, v)
	}
	for j := range plan.extra {
		x := &plan.extra[j]
		v, d := x.value(p, w, x.name)
		if d != nil {
			return d
		}
		e.Extra = append(e.Extra, liushui.Dimension{Name: x.name, Value: v})
	}
	if plan.quantity != nil {
		if d := plan.quantity.whole(w.fields, e); d != nil {
			return d
		}
	}
	if plan.amount != nil {
		return plan.amount.money(w.fields, e)
	}
	return nil
}
