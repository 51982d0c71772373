package reconcile

import (
	"encoding/binary"
	"slices"
)

// codec writes events as rows of bytes: what a job's fields say, by position.
type codec struct {
	fields Fields
	names  []string // of sums
}

func newCodec(f Fields) codec {
	c := codec{fields: f}
	if f.amount {
		c.names = append(c.names, "amount")
	}
	if f.quantity {
		c.names = append(c.names, "quantity")
	}
	return c
}

// said appends all that an event says but its id.
func (c *codec) said(b []byte, e *Event) []byte {
	b = binary.AppendVarint(b, e.Time)
	b = append(b, byte(slices.Index(kinds, e.Fields["type"])))
	for _, name := range c.fields.dimensions {
		b = binary.AppendUvarint(b, uint64(len(e.Fields[name])))
		b = append(b, e.Fields[name]...)
	}
	for _, name := range c.names {
		if n, found := e.Sums[name]; found {
			b = binary.AppendVarint(append(b, 1), n)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// heard reads what said wrote into an event.
func (c *codec) heard(b []byte, e *Event) {
	var n int
	e.Time, n = binary.Varint(b)
	e.Fields["type"] = kinds[b[n]]
	b = b[n+1:]
	for _, name := range c.fields.dimensions {
		length, n := binary.Uvarint(b)
		if value := b[n : n+int(length)]; e.Fields[name] != string(value) {
			e.Fields[name] = string(value)
		}
		b = b[n+int(length):]
	}
	clear(e.Sums)
	for _, name := range c.names {
		has := b[0] == 1
		b = b[1:]
		if has {
			amount, n := binary.Varint(b)
			e.Sums[name] = amount
			b = b[n:]
		}
	}
}
