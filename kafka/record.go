package kafka

import (
	"encoding/binary"

	"liushui"
)

// cursor reads what the fields of a record are made of. After a field that is
// not there it is bad, and reads zeros.
type cursor struct {
	b   []byte
	bad bool
}

// varint reads a number in zigzag form.
func (c *cursor) varint() int64 {
	if len(c.b) > 0 && c.b[0] < 0x80 {
		v := c.b[0]
		c.b = c.b[1:]
		return int64(v>>1) ^ -int64(v&1)
	}
	if len(c.b) > 1 && c.b[1] < 0x80 { // as most lengths and offsets have
		v := uint64(c.b[0]&0x7F) | uint64(c.b[1])<<7
		c.b = c.b[2:]
		return int64(v>>1) ^ -int64(v&1)
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return int64(v>>1) ^ -int64(v&1)
}

// bytes reads a length and as many bytes; nil where the length is below 0.
func (c *cursor) bytes() []byte {
	n := c.varint()
	if n < 0 {
		return nil
	}
	if n > int64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	field := c.b[:n:n]
	c.b = c.b[n:]
	return field
}

// record reads one record; its time and offset are still those since its batch's.
func (d *decoder) record(c *cursor, r *liushui.Record) {
	body := cursor{b: c.bytes(), bad: c.bad}
	if len(body.b) == 0 {
		c.bad = true
		return
	}
	body.b = body.b[1:] // attributes of a record: none are defined
	r.Time = body.varint()
	r.Offset = body.varint()
	r.Key = body.bytes()
	r.Value = body.bytes()
	if count := body.varint(); count > 0 {
		d.feeds.headers(&body, count, r)
	}
	c.bad = body.bad
}

// feeds keeps one string for each value of the header feed that was met, so
// that a record's Feed costs no allocation.
type feeds struct {
	last string
	kept map[string]string
}

// maxFeeds bounds what feeds keeps: others than ours may write anything there.
const maxFeeds = 64

func (f *feeds) headers(c *cursor, count int64, r *liushui.Record) {
	for range count {
		key, value := c.bytes(), c.bytes()
		if c.bad {
			return
		}
		if string(key) == liushui.HeaderFeed {
			r.Feed = f.intern(value)
			continue
		}
		if r.Headers == nil {
			r.Headers = make([]liushui.Header, 0, min(count, 8))
		}
		r.Headers = append(r.Headers, liushui.Header{Key: string(key), Value: value})
	}
}

func (f *feeds) intern(value []byte) string {
	if string(value) == f.last {
		return f.last
	}
	s, known := f.kept[string(value)]
	if !known {
		s = string(value)
		if f.kept == nil {
			f.kept = map[string]string{}
		}
		if len(f.kept) < maxFeeds {
			f.kept[s] = s
		}
	}
	f.last = s
	return s
}
