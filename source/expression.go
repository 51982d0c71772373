package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"liushui"
)

// expression is a string field's origin, bound to columns.
type expression struct {
	constant string
	column   int    // -1: none
	parts    []part // of a template
	trim     bool
	values   map[string]string // of a map or a lookup
	isMap    bool
	missing  *string // for values that are not among values
	province bool
}

// part of a template: a text, a column, or the row's number.
type part struct {
	text   string
	column int
}

const (
	noColumn  = -1
	rowNumber = -2
)

func (s *fieldSpec) bind(b *binding, name string) (x expression, err error) {
	x = expression{constant: s.Constant, column: noColumn, trim: s.Trim, province: s.Normalize != "", missing: s.Otherwise}
	switch {
	case s.Column != "":
		x.column, err = b.column(s.Column)
	case s.Template != "":
		err = x.bindTemplate(b, s.Template)
	}
	if err != nil {
		return x, fmt.Errorf("%s: %w", name, err)
	}
	if s.Map != nil {
		x.values, x.isMap = s.Map, true
	}
	if s.Lookup != "" {
		x.values = b.lookups[s.Lookup]
	}
	return x, nil
}

// bindTemplate cuts "{order}-pay" into its parts. {#row} is the row's number,
// {{ and }} are braces.
func (x *expression) bindTemplate(b *binding, template string) error {
	x.column = noColumn
	var parts []part
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, part{text.String(), noColumn})
			text.Reset()
		}
	}
	for rest := template; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			text.WriteString(rest)
			break
		}
		text.WriteString(rest[:i])
		if strings.HasPrefix(rest[i:], "{{") || strings.HasPrefix(rest[i:], "}}") {
			text.WriteByte(rest[i])
			rest = rest[i+2:]
			continue
		}
		end := strings.IndexByte(rest, '}')
		if rest[i] == '}' || end < 0 {
			return fmt.Errorf("template %q: a brace without its partner (a brace itself is {{ or }})", template)
		}
		column, err := templateColumn(b, rest[i+1:end])
		if err != nil {
			return fmt.Errorf("template %q: %w", template, err)
		}
		flush()
		parts = append(parts, part{"", column})
		rest = rest[end+1:]
	}
	flush()
	switch {
	case len(parts) == 1 && parts[0].column >= 0:
		x.column = parts[0].column
	case len(parts) == 1 && parts[0].column == noColumn:
		x.constant = parts[0].text
	default:
		x.parts = parts
	}
	return nil
}

func templateColumn(b *binding, name string) (int, error) {
	if strings.TrimSpace(name) == "#row" {
		return rowNumber, nil
	}
	return b.column(name)
}

// value is what the expression gives for a row.
func (x *expression) value(p *plan, w *row, name string) (string, *defect) {
	v := x.constant
	switch {
	case x.column >= 0:
		v = w.fields[x.column]
	case x.parts != nil:
		v = x.template(p, w)
	}
	if x.trim {
		v = strings.TrimSpace(v)
	}
	if x.values != nil || x.isMap {
		to, ok := x.values[v]
		switch {
		case ok:
			v = to
		case x.missing != nil:
			v = *x.missing
		case x.isMap:
			return "", &defect{name + " is not in its map", fmt.Sprintf("%s %.40q is not in the mapping's map", name, v)}
		default:
			v = ""
		}
	}
	if x.province {
		v = shortProvince(v)
	}
	return v, nil
}

func (x *expression) template(p *plan, w *row) string {
	length := 0
	for i := range x.parts {
		switch c := x.parts[i].column; {
		case c >= 0:
			length += len(w.fields[c])
		case c == rowNumber:
			length += 20
		default:
			length += len(x.parts[i].text)
		}
	}
	p.made.open(length)
	for i := range x.parts {
		switch c := x.parts[i].column; {
		case c >= 0:
			p.made.string(w.fields[c])
		case c == rowNumber:
			p.made.number(w.number, 10)
		default:
			p.made.string(x.parts[i].text)
		}
	}
	return p.made.close()
}

// condition is a conditionSpec bound to its column.
type condition struct {
	conditionSpec
	name         string
	column       int
	above, below *decimal
}

func (c conditionSpec) bind(b *binding, name string) (condition, error) {
	column, err := b.column(name)
	if err != nil {
		return condition{}, err
	}
	bound := condition{conditionSpec: c, name: strings.TrimSpace(name), column: column}
	for text, to := range map[*string]**decimal{c.Above: &bound.above, c.Below: &bound.below} {
		if text == nil {
			continue
		}
		d, err := parseDecimal(*text)
		if err != nil {
			return bound, err
		}
		*to = &d
	}
	return bound, nil
}

func (c *condition) holds(fields []string) (bool, *defect) {
	v := fields[c.column]
	if c.Empty != nil && (strings.TrimSpace(v) == "") != *c.Empty ||
		c.Equals != nil && v != *c.Equals ||
		c.StartsWith != nil && !strings.HasPrefix(v, *c.StartsWith) ||
		c.In != nil && !slices.Contains(c.In, v) {
		return false, nil
	}
	if c.above == nil && c.below == nil {
		return true, nil
	}
	if strings.TrimSpace(v) == "" {
		return false, nil
	}
	d, err := parseDecimal(v)
	if err != nil {
		return false, numberDefect(c.name, err)
	}
	return (c.above == nil || d.compare(*c.above) > 0) && (c.below == nil || d.compare(*c.below) < 0), nil
}

// numberDefect says what is wrong with a number; its reason leaves the number out.
func numberDefect(name string, err error) *defect {
	reason := err
	if inner := errors.Unwrap(err); inner != nil {
		reason = inner
	}
	return &defect{name + " " + reason.Error(), name + " " + err.Error()}
}

// numberPlan is a numberSpec bound to columns.
type numberPlan struct {
	name     string
	constant decimal
	column   int // noColumn: constant
	other    int // second factor; noColumn: none
	absolute bool
}

func (s *numberSpec) bind(b *binding, name string) (n *numberPlan, err error) {
	if !s.given {
		return nil, nil
	}
	n = &numberPlan{name: name, column: noColumn, other: noColumn, absolute: s.Absolute}
	switch {
	case s.Column != "":
		n.column, err = b.column(s.Column)
	case s.Product != nil:
		if n.column, err = b.column(s.Product[0]); err == nil {
			n.other, err = b.column(s.Product[1])
		}
	default:
		var x expression
		if err = x.bindTemplate(b, s.Template); err != nil {
			break
		}
		switch n.column = x.column; {
		case x.parts != nil:
			err = fmt.Errorf("%q; want one column or a number", s.Template)
		case n.column < 0:
			n.constant, err = parseDecimal(x.constant)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

// read returns the number's factors; given is false where a cell is empty.
func (n *numberPlan) read(fields []string) (a, b decimal, given bool, d *defect) {
	a, b = n.constant, decimal{n: 1}
	for i, column := range [...]int{n.column, n.other} {
		if column < 0 {
			continue
		}
		if strings.TrimSpace(fields[column]) == "" {
			return a, b, false, nil
		}
		v, err := parseDecimal(fields[column])
		if err != nil {
			return a, b, false, numberDefect(n.name, err)
		}
		if i == 0 {
			a = v
		} else {
			b = v
		}
	}
	return a, b, true, nil
}

func (n *numberPlan) money(fields []string, e *liushui.Event) *defect {
	a, b, given, d := n.read(fields)
	if d != nil || !given {
		return d
	}
	m, err := a.times(b)
	if err != nil {
		return n.bad(fields, err)
	}
	if n.absolute && m < 0 {
		m = -m
	}
	e.Amount, e.HasAmount = m, true
	return nil
}

func (n *numberPlan) whole(fields []string, e *liushui.Event) *defect {
	a, _, given, d := n.read(fields)
	if d != nil || !given {
		return d
	}
	q, err := a.whole()
	if err != nil {
		return n.bad(fields, err)
	}
	if n.absolute && q < 0 {
		q = -q
	}
	e.Quantity, e.HasQuantity = q, true
	return nil
}

func (n *numberPlan) bad(fields []string, err error) *defect {
	text := ""
	if n.column >= 0 {
		text = fields[n.column]
	}
	if n.other >= 0 {
		text += " × " + fields[n.other]
	}
	return &defect{n.name + " " + err.Error(), fmt.Sprintf("%s %q %s", n.name, text, err)}
}
