package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"liushui"
)

// fieldSpec is where a string field comes from. In the file it is a template
// ("{order}-pay", "{user}", or a constant) or a map of the keys below, of
// which one names the origin and the others change what it gives.
type fieldSpec struct {
	given bool

	Column   string `yaml:"column"`
	Constant string `yaml:"constant"`
	Template string `yaml:"template"`

	Trim      bool              `yaml:"trim"`      // cut blanks at both ends
	Map       map[string]string `yaml:"map"`       // value → value; one that is not in it is bad, but for Otherwise
	Lookup    string            `yaml:"lookup"`    // value → value of a second file; one that is not in it is unknown, but for Otherwise
	Normalize string            `yaml:"normalize"` // province
	Otherwise *string           `yaml:"otherwise"` // for values that are not in Map or Lookup
}

func (s *fieldSpec) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&s.Template) == nil {
		s.given = true
		return nil
	}
	type plain fieldSpec
	if err := unmarshal((*plain)(s)); err != nil {
		return err
	}
	s.given = true
	return nil
}

func (s *fieldSpec) check(m *Mapping) error {
	if !s.given {
		return nil
	}
	if (s.Column != "" && s.Template != "") || (s.Constant != "" && s.Column+s.Template != "") {
		return errors.New("want one of column, constant and template")
	}
	if s.Map != nil && s.Lookup != "" {
		return errors.New("want a map or a lookup, not both")
	}
	if s.Lookup != "" {
		if _, ok := m.lookups[s.Lookup]; !ok {
			return fmt.Errorf("lookup %q is not among lookups", s.Lookup)
		}
	}
	if s.Otherwise != nil && s.Map == nil && s.Lookup == "" {
		return errors.New("otherwise: only beside a map or a lookup")
	}
	if s.Normalize != "" && s.Normalize != "province" {
		return fmt.Errorf("normalize: %q; want province", s.Normalize)
	}
	return nil
}

// checkID makes sure that rows can have ids of their own.
func (s *fieldSpec) checkID() error {
	if s.Column == "" && !strings.Contains(s.Template, "{") {
		return errors.New(`id: the same for every row; build it of columns, or of the row's number, such as  "{order}-pay" or "shop-{#row}"`)
	}
	return nil
}

// checkType makes sure that whatever the type's spec gives is a type, as far as the file can tell.
func (s *fieldSpec) checkType() error {
	values := []string{}
	switch {
	case s.Map != nil:
		for _, v := range s.Map {
			values = append(values, v)
		}
		if s.Otherwise != nil {
			values = append(values, *s.Otherwise)
		}
	case s.Constant != "":
		values = append(values, s.Constant)
	case s.Template != "" && !strings.Contains(s.Template, "{"):
		values = append(values, s.Template)
	}
	for _, v := range values {
		if !slices.Contains(liushui.EventTypes, v) {
			return fmt.Errorf("type: %q is none of %s", v, strings.Join(liushui.EventTypes, ", "))
		}
	}
	return nil
}

// conditionSpec is what a column must fulfil for a row to make the event; of
// several keys all must hold.
type conditionSpec struct {
	Empty      *bool    `yaml:"empty"` // blanks are empty
	Equals     *string  `yaml:"equals"`
	In         []string `yaml:"in"`
	Above      *string  `yaml:"above"` // numbers; an empty cell is neither above nor below anything
	Below      *string  `yaml:"below"`
	StartsWith *string  `yaml:"starts_with"`
}

// UnmarshalYAML takes a value for {equals: value}, and a list for {in: list}.
func (c *conditionSpec) UnmarshalYAML(unmarshal func(any) error) error {
	var value string
	if unmarshal(&value) == nil {
		c.Equals = &value
		return nil
	}
	var list []string
	if unmarshal(&list) == nil {
		c.In = list
		return nil
	}
	type plain conditionSpec
	return unmarshal((*plain)(c))
}

func (c conditionSpec) check() error {
	if c.Empty == nil && c.Equals == nil && c.In == nil && c.Above == nil && c.Below == nil && c.StartsWith == nil {
		return errors.New("want a condition: {empty: false}, {equals: x}, {in: [x, y]}, {above: 0}, {below: 10} or {starts_with: x}")
	}
	for key, bound := range map[string]*string{"above": c.Above, "below": c.Below} {
		if bound != nil {
			if _, err := parseDecimal(*bound); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return nil
}

// numberSpec is where quantity or amount comes from. In the file it is a
// template ("{total}", or a number) or a map of the keys below.
type numberSpec struct {
	given bool

	Template string   // of the short form
	Column   string   `yaml:"column"`
	Product  []string `yaml:"product"`  // exact product of two columns
	Absolute bool     `yaml:"absolute"` // where a sign means refund
}

func (s *numberSpec) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&s.Template) == nil {
		s.given = true
		return nil
	}
	var f struct {
		Column   string   `yaml:"column"`
		Product  []string `yaml:"product"`
		Absolute bool     `yaml:"absolute"`
	}
	if err := unmarshal(&f); err != nil {
		return err
	}
	*s = numberSpec{given: true, Column: f.Column, Product: f.Product, Absolute: f.Absolute}
	return nil
}

func (s *numberSpec) check() error {
	switch {
	case !s.given:
		return nil
	case s.Template != "":
		return nil
	case (s.Column == "") == (s.Product == nil):
		return errors.New("want a column or a product of two columns")
	case s.Product != nil && len(s.Product) != 2:
		return fmt.Errorf("product: %d columns; want two", len(s.Product))
	}
	return nil
}
