package reconcile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"liushui"
)

// Event is what is taken from a record: the fields that the job names.
type Event struct {
	ID     string
	Time   int64
	Fields map[string]string // type and the named dimensions; absent = unknown
	Sums   map[string]int64  // amount and quantity, where the event has them; amounts in ten-thousandths
}

// Fields are those that a job names, beside id, type and time which every event
// needs; see docs/decisions/0001-named-fields.md.
type Fields struct {
	dimensions       []string
	quantity, amount bool
}

// FieldsOf returns the fields that a job names.
func FieldsOf(job *liushui.Job) Fields {
	var n Fields
	add := func(field string) {
		if field != "" && field != "type" && !slices.Contains(n.dimensions, field) {
			n.dimensions = append(n.dimensions, field)
		}
	}
	for _, s := range job.Statistics {
		for _, field := range s.By {
			add(field)
		}
		for _, m := range s.Measures {
			n.amount = n.amount || m.Kind == liushui.SumAmount
			n.quantity = n.quantity || m.Kind == liushui.SumQuantity
			add(m.Field)
			for _, c := range m.Where {
				add(c.Field)
			}
		}
	}
	return n
}

// Decode reads a record's value by the closed rule of system.md section 2. Any
// error means that the record is bad.
func Decode(value []byte, n Fields) (*Event, error) {
	fields, err := object(value)
	if err != nil {
		return nil, err
	}
	e := &Event{Fields: make(map[string]string, 1+len(n.dimensions)), Sums: map[string]int64{}}
	if e.ID, err = text(fields["id"]); err != nil || e.ID == "" || len(e.ID) > 256 {
		return nil, fmt.Errorf("id %.300q: %v", e.ID, err)
	}
	kind, err := text(fields["type"])
	if err != nil || !slices.Contains(kinds, kind) {
		return nil, fmt.Errorf("type %q: %v", kind, err)
	}
	e.Fields["type"] = kind
	for _, name := range n.dimensions {
		s, err := text(fields[name])
		if err != nil || len(s) > 128 && utf8.RuneCountInString(s) > 128 {
			return nil, fmt.Errorf("%s %q: %v", name, s, err)
		}
		e.Fields[name] = s
	}
	at, err := number(fields["time"], 0)
	if err != nil || at == nil || !at.IsInt64() || at.Int64() < 946684800000 || at.Int64() > 253402300799999 {
		return nil, fmt.Errorf("time %v: %v", at, err)
	}
	e.Time = at.Int64()
	if n.quantity {
		if err := e.sum("quantity", fields["quantity"], 0, 1_000_000_000); err != nil {
			return nil, err
		}
	}
	if n.amount {
		if err := e.sum("amount", fields["amount"], 4, 1_000_000_000_000*10_000); err != nil {
			return nil, err
		}
	}
	return e, nil
}

var kinds = []string{"view", "cart", "favorite", "order", "pay", "refund", "cancel"}

func (e *Event) sum(name string, raw json.RawMessage, places int, most int64) error {
	n, err := number(raw, places)
	if err != nil || n != nil && (n.Sign() < 0 || n.Cmp(big.NewInt(most)) > 0) {
		return fmt.Errorf("%s %v: %v", name, n, err)
	}
	if n != nil {
		e.Sums[name] = n.Int64()
	}
	return nil
}

// object reads the value as one JSON object; of equal names the last counts.
func object(value []byte) (map[string]json.RawMessage, error) {
	if len(value) > 64<<10 {
		return nil, errors.New("more than 64 KiB")
	}
	if !utf8.Valid(value) {
		return nil, errors.New("invalid UTF-8")
	}
	if !bytes.HasPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("{")) {
		return nil, errors.New("no object")
	}
	var fields map[string]json.RawMessage // not a struct: its names would match without regard to case
	if err := json.Unmarshal(value, &fields); err != nil {
		return nil, err
	}
	if bytes.Count(value, []byte("{"))+bytes.Count(value, []byte("[")) > 100 && depth(value) > 100 {
		return nil, errors.New("more than 100 levels")
	}
	return fields, nil
}

func depth(value []byte) int {
	level, deepest := 0, 0
	for d := json.NewDecoder(bytes.NewReader(value)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			level++
		case json.Delim('}'), json.Delim(']'):
			level--
		}
		deepest = max(deepest, level)
	}
}

func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// text reads a string; absent is the empty one.
func text(raw json.RawMessage) (string, error) {
	if absent(raw) {
		return "", nil
	}
	if raw[0] != '"' {
		return "", fmt.Errorf("%.40s is not a string", raw)
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	if half := unpaired(string(raw)); half != "" {
		return "", fmt.Errorf("%s is half of a character", half)
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

var escape = regexp.MustCompile(`(?i)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|\\u(d[89a-f][0-9a-f]{2})|\\.`)

// unpaired finds an escaped surrogate without its other half: no UTF-8 can say
// it, and a decoder that replaced it would take two ids for one.
func unpaired(raw string) string {
	for _, found := range escape.FindAllStringSubmatch(raw, -1) {
		if found[3] != "" {
			return found[0]
		}
	}
	return ""
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE]([+-]?[0-9]+))?$`)

// number reads a JSON number, quoted or not, times 10^places; it must then be
// whole. Absent is nil.
func number(raw json.RawMessage, places int) (*big.Int, error) {
	if absent(raw) {
		return nil, nil
	}
	s := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
	}
	if !decimal.MatchString(s) {
		return nil, fmt.Errorf("%.40q is not a number", s)
	}
	if n, err := strconv.ParseInt(s, 10, 48); err == nil { // as most are: whole, and not near any bound
		return new(big.Int).Mul(big.NewInt(n), scale(places)), nil
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if strings.Trim(mantissa, "-0.") == "" {
		return new(big.Int), nil
	}
	// No mantissa of 64 KiB makes up for a greater exponent, which big.Rat would spell out.
	if n, err := strconv.Atoi(exponent); exponent != "" && (err != nil || n < -100_000 || n > 100_000) {
		return nil, fmt.Errorf("%.40q is out of bounds", s)
	}
	value, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, fmt.Errorf("%.40q is not a number", s)
	}
	value.Mul(value, new(big.Rat).SetInt(scale(places)))
	if !value.IsInt() {
		return nil, fmt.Errorf("%.40q has more than %d decimal places", s, places)
	}
	return value.Num(), nil
}

func scale(places int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
}
