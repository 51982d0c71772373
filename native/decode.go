package native

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"unicode/utf8"

	"liushui"
)

// event is a decoded record. Its bytes may alias the record's value.
type event struct {
	id       []byte
	entry    idEntry // of id and time
	kind     int     // into liushui.EventTypes
	time     int64
	quantity int64
	amount   int64
	dims     [][]byte // by plan.dims; empty is unknown
}

// What a field's name means to the decoder: an index into plan.dims, or below 0.
const (
	fieldID = -1 - iota
	fieldKind
	fieldTime
	fieldQuantity
	fieldAmount
	fieldNone // ignored whatever it holds
)

// decoder reads events by the closed rule of system.md section 2. Records in
// the plain form that producers write take a fast path; anything odd goes
// through encoding/json. Both judge alike: a fuzz test holds them together.
type decoder struct {
	plan    *plan
	table   [256][]name // by length and ends of the name
	event   *event      // under way
	guesses guesses
}

type name struct {
	text  string
	field int
}

func newDecoder(p *plan) *decoder {
	d := &decoder{plan: p}
	add := func(text string, field int) {
		h := nameHash([]byte(text))
		d.table[h] = append(d.table[h], name{text, field})
	}
	add("id", fieldID)
	add("type", fieldKind)
	add("time", fieldTime)
	if p.quantity {
		add("quantity", fieldQuantity)
	}
	if p.amount {
		add("amount", fieldAmount)
	}
	for i, dim := range p.dims {
		add(dim, i)
	}
	return d
}

func nameHash(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return byte(len(b))*37 ^ b[0]*5 ^ b[len(b)-1]*11
}

func (d *decoder) field(text []byte) int {
	for _, n := range d.table[nameHash(text)] {
		if n.text == string(text) {
			return n.field
		}
	}
	return fieldNone
}

// decode reads one record's value into an event. An error wraps liushui.ErrBad.
func (d *decoder) decode(value []byte, e *event) error {
	if len(value) > liushui.MaxRecord {
		return fmt.Errorf("the record has %d bytes, more than %d: %w", len(value), liushui.MaxRecord, liushui.ErrBad)
	}
	d.begin(e)
	if !d.fast(value) || d.check() != nil {
		if !utf8.Valid(value) {
			return fmt.Errorf("not valid UTF-8: %w", liushui.ErrBad)
		}
		d.begin(e) // the careful path starts anew, and says what is wrong
		if err := d.careful(value); err != nil {
			return err
		}
	}
	e.entry = newEntry(e.id, e.time)
	return nil
}

func (d *decoder) begin(e *event) {
	d.event = e
	e.id, e.kind, e.time, e.quantity, e.amount = nil, -1, 0, 0, 0
	if e.dims == nil {
		e.dims = make([][]byte, len(d.plan.dims))
	}
	clear(e.dims)
}

// check judges what is known only at the end.
func (d *decoder) check() error {
	e := d.event
	switch {
	case len(e.id) == 0:
		return fmt.Errorf("id is missing: %w", liushui.ErrBad)
	case len(e.id) > liushui.MaxID:
		return fmt.Errorf("id has %d bytes, more than %d: %w", len(e.id), liushui.MaxID, liushui.ErrBad)
	case e.kind < 0:
		return fmt.Errorf("type is missing: %w", liushui.ErrBad)
	case e.time < liushui.MinTime:
		return fmt.Errorf("time is missing or before the year 2000: %w", liushui.ErrBad)
	case e.time > liushui.MaxTime:
		return fmt.Errorf("time %d is after the year 9999: %w", e.time, liushui.ErrBad)
	case e.quantity < 0 || e.quantity > liushui.MaxQuantity:
		return fmt.Errorf("quantity %d is not in 0 to %d: %w", e.quantity, liushui.MaxQuantity, liushui.ErrBad)
	case e.amount < 0 || e.amount > int64(liushui.MaxAmount):
		return fmt.Errorf("amount %s is not in 0 to %s: %w", liushui.Money(e.amount), liushui.MaxAmount, liushui.ErrBad)
	}
	for i, v := range e.dims {
		if len(v) > liushui.MaxDimension && utf8.RuneCount(v) > liushui.MaxDimension {
			return fmt.Errorf("%s has more than %d characters: %w", d.plan.dims[i], liushui.MaxDimension, liushui.ErrBad)
		}
	}
	return nil
}

// fast reads {"name":value,…} without blanks, escapes or nesting; false where
// the record has another form.
func (d *decoder) fast(b []byte) bool {
	n := len(b)
	if n < 2 || b[0] != '{' || b[n-1] != '}' {
		return false
	}
	i, at := 1, &d.guesses.first
	for {
		var field int
		if g := at.next(b[i:]); g != nil {
			at, field = g, g.field
			i += len(g.quoted)
		} else {
			if i >= n || b[i] != '"' {
				return false
			}
			end := text(b, i+1)
			if end < 0 || end+2 >= n || b[end+1] != ':' {
				return false
			}
			field = d.field(b[i+1 : end])
			at = d.guesses.learn(at, b[i:end+2], field)
			i = end + 2
		}
		if i >= n {
			return false
		}
		var ok bool
		if b[i] == '"' {
			end := text(b, i+1)
			if end < 0 {
				return false
			}
			ok = d.setText(field, b[i+1:end])
			i = end + 1
		} else {
			end := i
			for end < n && b[end] != ',' && b[end] != '}' {
				end++
			}
			ok = d.setBare(field, b[i:end])
			i = end
		}
		if !ok || i >= n {
			return false
		}
		if b[i] == '}' {
			return i == n-1
		}
		if b[i] != ',' {
			return false
		}
		i++
	}
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// text finds the quotation mark that ends the string from i on, eight bytes at
// a time; -1 where a backslash or a control character comes before it, or where
// the string is not valid UTF-8.
func text(b []byte, i int) int {
	begin, high := i, uint64(0)
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		q, s := w^ones*'"', w^ones*'\\'
		end := (q - ones) &^ q & tops // the lowest set bit is exact, as are those of odd
		odd := ((s-ones)&^s | (w-ones*0x20)&^w) & tops
		if end != 0 {
			below := end&-end - 1
			if odd&below != 0 {
				return -1
			}
			return valid(b, begin, i+bits.TrailingZeros64(end)>>3, high|w&below&tops)
		}
		if odd != 0 {
			return -1
		}
		high |= w & tops
	}
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return valid(b, begin, i, high)
		case c < 0x20 || c == '\\':
			return -1
		default:
			high |= uint64(c) & 0x80
		}
	}
	return -1
}

// valid is end, or -1 where the text before it, some of it not ASCII if high is
// not 0, is not valid UTF-8.
func valid(b []byte, begin, end int, high uint64) int {
	if high != 0 && !utf8.Valid(b[begin:end]) {
		return -1
	}
	return end
}

func (d *decoder) setText(field int, v []byte) bool {
	e := d.event
	switch field {
	case fieldNone:
		return true
	case fieldID:
		e.id = v
	case fieldKind:
		e.kind = kindOf(v)
		return e.kind >= 0
	case fieldTime, fieldQuantity, fieldAmount:
		return d.setNumber(field, v) == nil
	default:
		e.dims[field] = v
	}
	return true
}

func (d *decoder) setBare(field int, v []byte) bool {
	if len(v) == 0 {
		return false
	}
	if c := v[0]; c != '-' && (c < '0' || c > '9') {
		return false // null, true, false, nesting: the careful path knows
	}
	switch field {
	case fieldTime, fieldQuantity, fieldAmount:
		return d.setNumber(field, v) == nil
	case fieldNone:
		return json.Valid(v)
	}
	return false
}

func (d *decoder) setNumber(field int, v []byte) error {
	e := d.event
	var err error
	switch field {
	case fieldTime:
		if len(v) == 13 {
			if n, ok := digits13(v); ok {
				e.time = n
				return nil
			}
		}
		e.time, err = liushui.ParseWhole(v)
	case fieldQuantity:
		e.quantity, err = liushui.ParseWhole(v)
	case fieldAmount:
		var m liushui.Money
		m, err = liushui.ParseMoney(v)
		e.amount = int64(m)
	}
	return err
}

// kindOf is the type's index into liushui.EventTypes, or -1.
func kindOf(v []byte) int {
	if i := kinds[nameHash(v)]; i >= 0 && string(v) == liushui.EventTypes[i] {
		return int(i)
	}
	return slices.Index(liushui.EventTypes, string(v))
}

// kinds guesses types by nameHash; -1 is none.
var kinds = func() (guessed [256]int8) {
	for i := range guessed {
		guessed[i] = -1
	}
	for i, kind := range liushui.EventTypes {
		guessed[nameHash([]byte(kind))] = int8(i)
	}
	return guessed
}()

// digits13 reads a number of 13 digits, as times of these decades have.
func digits13(v []byte) (int64, bool) {
	high, ok1 := digits8(binary.LittleEndian.Uint64(v))
	low, ok2 := digits8(binary.LittleEndian.Uint64(v[5:13])) // three of them again
	return int64(high*100_000 + low%100_000), ok1 && ok2 && v[0] != '0'
}

// digits8 reads eight digits at once: pairs, then fours, then all.
func digits8(w uint64) (uint64, bool) {
	ok := w&(ones*0xF0) == ones*'0' && (w+ones*6)&(ones*0xF0) == ones*'0'
	w &= ones * 0x0F
	w = w*10 + w>>8
	w = (w&0x000000FF000000FF*0x000F424000000064 + w>>16&0x000000FF000000FF*0x0000271000000001) >> 32
	return w, ok
}

// careful reads any JSON.
func (d *decoder) careful(value []byte) error {
	if depth(value) > liushui.MaxDepth {
		return fmt.Errorf("more than %d levels: %w", liushui.MaxDepth, liushui.ErrBad)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		return fmt.Errorf("not a JSON object: %v: %w", err, liushui.ErrBad)
	}
	if fields == nil {
		return fmt.Errorf("not a JSON object: null: %w", liushui.ErrBad)
	}
	for _, list := range d.table {
		for _, n := range list {
			if err := d.setCareful(n, fields[n.text]); err != nil {
				return fmt.Errorf("%s: %w: %w", n.text, err, liushui.ErrBad)
			}
		}
	}
	return d.check()
}

func (d *decoder) setCareful(n name, raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	text, isText := []byte(nil), raw[0] == '"'
	if isText {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		if loneSurrogate(raw) {
			return fmt.Errorf("half of a surrogate pair")
		}
		text = []byte(s)
	}
	switch n.field {
	case fieldTime, fieldQuantity, fieldAmount:
		if !isText {
			text = raw
		}
		return d.setNumber(n.field, text)
	}
	if !isText {
		return fmt.Errorf("%.20s is not a string", raw)
	}
	if !d.setText(n.field, text) {
		return fmt.Errorf("%.40q is none of %v", text, liushui.EventTypes)
	}
	return nil
}

// loneSurrogate finds an escape that no UTF-8 can stand for, which
// encoding/json turns into U+FFFD.
func loneSurrogate(raw []byte) bool {
	for i := 0; i+6 <= len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if raw[i+1] != 'u' {
			i++
			continue
		}
		switch unit := hex4(raw[i+2 : i+6]); {
		case unit >= 0xDC00 && unit < 0xE000:
			return true
		case unit >= 0xD800 && unit < 0xDC00:
			if i+12 > len(raw) || raw[i+6] != '\\' || raw[i+7] != 'u' {
				return true
			}
			if low := hex4(raw[i+8 : i+12]); low < 0xDC00 || low >= 0xE000 {
				return true
			}
			i += 11
		default:
			i += 5
		}
	}
	return false
}

func hex4(b []byte) int {
	n := 0
	for _, c := range b {
		n = n<<4 | slices.Index([]byte("0123456789abcdef"), c|0x20)&15
	}
	return n
}

// depth is how many levels of nesting there are at most.
func depth(b []byte) int {
	level, most, text := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			level++
			most = max(most, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return most
}
