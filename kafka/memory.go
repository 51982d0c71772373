package kafka

import (
	"sync"

	"liushui"
)

// memory is what a fetch of a partition was unpacked and decoded into. Whoever
// is done with the fetch may give it back, and the next one uses it.
type memory struct {
	room    []byte // to unpack into: what is left of slab
	slab    []byte
	records []liushui.Record
	wanted  int // bytes that all batches unpacked to
}

// mostKept bounds what is kept for the next fetch.
const mostKept = 16 << 20

var memories = sync.Pool{New: func() any { return new(memory) }}

func takeMemory() *memory {
	m := memories.Get().(*memory)
	m.room, m.wanted = m.slab[:0], 0
	return m
}

// use takes what was unpacked into the room, or beside it, out of it.
func (m *memory) use(unpacked []byte) {
	n := len(unpacked)
	m.wanted += n
	if n <= cap(m.room) {
		m.room = m.room[n:n]
	}
}

// giveBack lets the next fetch use the memory; nobody may hold a record of it.
func (m *memory) giveBack() {
	if m.wanted > cap(m.slab) && m.wanted <= mostKept {
		m.slab = make([]byte, 0, m.wanted+m.wanted/4)
	}
	clear(m.records)
	m.records = m.records[:0]
	memories.Put(m)
}
