package liushui

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// decodePlain reads a value in the very form that AppendValue writes, without
// escapes. ok is false for any other, which DecodeResult then reads as JSON.
// Readers take hundreds of thousands of results a second when they catch up.
func decodePlain(value []byte, job func(int64) *Job) (r *Result, ok bool) {
	c := cursor{value}
	statistic, window := c.text(`{"statistic":"`), c.text(`,"window":"`)
	r = &Result{Start: c.int(`,"start":`), End: c.int(`,"end":`)}
	key := c.pairs(`,"key":{`, make([]pair, 0, 5))
	values := c.pairs(`,"values":{`, make([]pair, 0, 12))
	r.Version = c.int(`,"version":`)
	if r.Late = LateUnknown; !c.skip(`,"late":null`) {
		r.Late = c.int(`,"late":`)
	}
	r.Generation, r.Repair = c.int(`,"generation":`), c.int(`,"repair":`)
	r.Engine = string(c.text(`,"engine":"`))
	var sketches []pair
	if bytes.HasPrefix(c.b, []byte(`,"sketches":{`)) {
		sketches = c.pairs(`,"sketches":{`, nil)
		if len(sketches) == 0 {
			return nil, false
		}
	}
	if string(c.b) != "}" {
		return nil, false
	}
	j := job(r.Generation)
	if j == nil {
		return nil, false
	}
	s := j.Statistic(string(statistic))
	if s == nil {
		return nil, false
	}
	w, known := s.Window(string(window))
	if !known || len(key) != len(s.By) || len(values) != len(s.Measures) {
		return nil, false
	}
	r.Statistic, r.Window = s.Name, w.Name
	return r, r.setKey(s, key) && r.setValues(s, values) && r.setSketches(sketches)
}

func (r *Result) setKey(s *Statistic, key []pair) bool {
	for i, by := range s.By {
		if string(key[i].name) != by || !key[i].quoted {
			return false
		}
		r.Key = append(r.Key, string(key[i].value))
	}
	return true
}

func (r *Result) setValues(s *Statistic, values []pair) bool {
	r.Values = make([]Value, len(values))
	for i, m := range s.Measures {
		if string(values[i].name) != m.Name || values[i].quoted {
			return false
		}
		v, err := decodeValue(values[i].value, m.Kind)
		if err != nil {
			return false
		}
		r.Values[i] = v
	}
	return true
}

func (r *Result) setSketches(sketches []pair) bool {
	for _, p := range sketches {
		image, err := base64.StdEncoding.AppendDecode(nil, p.value)
		if err != nil || !p.quoted {
			return false
		}
		if r.Sketches == nil {
			r.Sketches = map[string][]byte{}
		}
		r.Sketches[string(p.name)] = image
	}
	return true
}

// cursor reads on in a value; after a surprise nothing is left.
type cursor struct{ b []byte }

type pair struct {
	name, value []byte
	quoted      bool
}

func (c *cursor) skip(text string) bool {
	if len(c.b) < len(text) || string(c.b[:len(text)]) != text {
		return false
	}
	c.b = c.b[len(text):]
	return true
}

// text reads a string whose opening quotation mark ends before.
func (c *cursor) text(before string) []byte {
	if !c.skip(before) {
		c.b = nil
		return nil
	}
	end := bytes.IndexByte(c.b, '"')
	if end < 0 || !isPlain(c.b[:end]) {
		c.b = nil
		return nil
	}
	text := c.b[:end]
	c.b = c.b[end+1:]
	return text
}

// isPlain reports whether a string stands for itself in JSON.
func isPlain(text []byte) bool {
	for _, b := range text {
		if b < 0x20 || b == '\\' {
			return false
		}
	}
	return utf8.Valid(text)
}

func (c *cursor) int(before string) int64 {
	if !c.skip(before) {
		c.b = nil
		return 0
	}
	text := c.bare()
	n, err := ParseWhole(text)
	if err != nil || bytes.ContainsAny(text, ".eE") {
		c.b = nil
	}
	return n
}

// bare reads up to a comma or brace; nothing before one is a surprise.
func (c *cursor) bare() []byte {
	end := bytes.IndexAny(c.b, ",}")
	if end <= 0 {
		c.b = nil
		return nil
	}
	text := c.b[:end]
	c.b = c.b[end:]
	return text
}

// pairs reads the rest of an object of strings or bare values.
func (c *cursor) pairs(before string, into []pair) []pair {
	if !c.skip(before) {
		c.b = nil
	}
	for !c.skip("}") && len(c.b) > 0 {
		if len(into) > 0 && !c.skip(",") {
			c.b = nil
		}
		p := pair{name: c.text(`"`)}
		if !c.skip(":") {
			c.b = nil
		}
		if p.quoted = bytes.HasPrefix(c.b, []byte(`"`)); p.quoted {
			p.value = c.text(`"`)
		} else {
			p.value = c.bare()
		}
		into = append(into, p)
	}
	return into
}
