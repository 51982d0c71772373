package native

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// dictionary numbers the values of a dimension; 0 is unknown. Values of at most
// shortText bytes are found in a table that holds them, without a pointer.
type dictionary struct {
	short  []short // open addressing, a power of two, at most half full
	shorts int
	long   map[string]uint32
	values []string // by number; "" where free
	free   []uint32
	swept  int    // values in use at the last sweep
	seed   uint64 // against values that were chosen to collide
}

const shortText = 15

type short struct {
	word   // zero: empty
	number uint32
}

func newDictionary() *dictionary {
	return &dictionary{short: make([]short, 64), long: map[string]uint32{}, values: []string{""}, seed: rand.Uint64()}
}

// word is a value as two machine words: the bytes of a short one and its length
// in the highest byte, or the number of a longer one. The zero word is unknown.
type word struct{ low, high uint64 }

const longWord = 0xFF << 56

// word looks up long values at once; short ones are left to number, which many
// of them in a row make cheaper: the waits for memory then overlap.
func (d *dictionary) word(text []byte) word {
	n := len(text)
	switch {
	case n == 0:
		return word{}
	case n > shortText:
		number, ok := d.long[string(text)]
		if !ok {
			number = d.add(string(text))
			d.long[d.values[number]] = number
		}
		return word{uint64(number), longWord}
	case cap(text) < 16:
		text = append(make([]byte, 0, 16), text...)
	}
	text = text[:16] // what follows the text is masked
	low, high := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[8:])
	if n < 8 {
		low, high = low&(1<<(8*n)-1), 0
	} else {
		high &= 1<<(8*(n-8)) - 1
	}
	return word{low, high | uint64(n)<<56}
}

// text is a short word's.
func (w word) text() string {
	b := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, w.low), w.high)
	return string(b[:w.high>>56])
}

// number is the value's, given now where it is new.
func (d *dictionary) number(w word) uint32 {
	if w.high == 0 {
		return 0
	}
	if w.high == longWord {
		return uint32(w.low)
	}
	at := d.place(w)
	if d.short[at].word == w {
		return d.short[at].number
	}
	number := d.add(w.text())
	d.short[at] = short{w, number}
	if d.shorts++; d.shorts*2 > len(d.short) {
		d.resize(len(d.short) * 2)
	}
	return number
}

// place is where a short value stands, or the empty place where it would.
func (d *dictionary) place(w word) int {
	a, b := bits.Mul64(w.low^d.seed, w.high^0x9E3779B97F4A7C15)
	mask := len(d.short) - 1
	at := int(a^b) & mask
	for d.short[at].word != w && d.short[at].high != 0 {
		at = (at + 1) & mask
	}
	return at
}

func (d *dictionary) resize(size int) {
	old := d.short
	d.short = make([]short, size)
	for _, s := range old {
		if s.high != 0 && d.values[s.number] != "" {
			d.short[d.place(s.word)] = s
		}
	}
}

// add gives a value a number.
func (d *dictionary) add(text string) uint32 {
	if n := len(d.free); n > 0 {
		number := d.free[n-1]
		d.free = d.free[:n-1]
		d.values[number] = text
		return number
	}
	d.values = append(d.values, text)
	return uint32(len(d.values) - 1)
}

func (d *dictionary) size() int { return d.shorts + len(d.long) }

func (d *dictionary) crowded() bool { return d.size() > 2*d.swept+65536 }

// sweep forgets the values that are not used.
func (d *dictionary) sweep(used []bool) {
	for number := 1; number < len(used); number++ {
		text := d.values[number]
		if used[number] || text == "" {
			continue
		}
		if len(text) > shortText {
			delete(d.long, text)
		} else {
			d.shorts--
		}
		d.values[number] = ""
		d.free = append(d.free, uint32(number))
	}
	size := 64
	for d.shorts*2 > size {
		size *= 2
	}
	d.resize(size)
	d.swept = d.size()
}
