package native

import (
	"math"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// idSet remembers ids until their time is too late. An entry is 128 bits: 86 of
// the id's hash and 42 of its event time in ms (to the year 2109), so that with
// 10^8 ids remembered at once two of them are taken for one with a probability
// of about 10^-10. Tables grow one of 256 at a time, from a load of 0.85 to
// 0.55; each has begun at a size of its own, so they do not do so together, and
// all in all an id takes 23.6 bytes.
type idSet struct {
	shards  [256]shard
	added   [][]idEntry // since the last checkpoint, in blocks: a slice that grows would be copied again and again
	touched uint64      // keeps the compiler from leaving touch out
}

type idEntry struct{ hash, rest uint64 } // rest: 22 bits of hash, 42 of time

const addedBlock = 8192

const (
	timeBits = 42
	timeMask = 1<<timeBits - 1
)

type shard struct {
	slots []idEntry // rest == 0 is empty
	used  int
}

func newEntry(id []byte, time int64) idEntry {
	h := xxh3.Hash128(id)
	return idEntry{h.Hi, h.Lo&^timeMask | uint64(min(time, timeMask))}
}

func (e idEntry) time() int64 { return int64(e.rest & timeMask) }

// add remembers an id, unless it is remembered already with a time after
// tooLate; then it reports false. Its time must be after tooLate, and not 0.
func (s *idSet) add(e idEntry, tooLate int64) bool {
	if !s.insert(e, tooLate) {
		return false
	}
	if n := len(s.added); n == 0 || len(s.added[n-1]) == addedBlock {
		s.added = append(s.added, make([]idEntry, 0, addedBlock))
	}
	last := &s.added[len(s.added)-1]
	*last = append(*last, e)
	return true
}

func (s *idSet) insert(e idEntry, tooLate int64) bool {
	sh := &s.shards[e.hash>>56]
	if sh.used*100 >= len(sh.slots)*85 {
		sh.rebuild(tooLate, int(e.hash>>56))
	}
	i := sh.home(e)
	for {
		held := sh.slots[i]
		if held.rest == 0 {
			sh.slots[i] = e
			sh.used++
			return true
		}
		if held.hash == e.hash && held.rest&^timeMask == e.rest&^timeMask {
			if held.time() > tooLate {
				return false
			}
			sh.slots[i] = e // forgotten: its time is too late
			return true
		}
		if i++; i == len(sh.slots) {
			i = 0
		}
	}
}

// touch reads where ids would stand, so that add finds it in the cache: one
// after the other each would wait for memory, here the waits overlap.
func (s *idSet) touch(events []event) {
	for i := range events {
		e := events[i].entry
		if sh := &s.shards[e.hash>>56]; len(sh.slots) > 0 {
			home := sh.home(e)
			s.touched ^= sh.slots[home].hash ^ sh.slots[min(home+6, len(sh.slots)-1)].hash // most runs of taken slots end there
		}
	}
}

// home maps the hash bits below the shard's evenly onto the slots.
func (sh *shard) home(e idEntry) int {
	hi, _ := bits.Mul64(e.hash<<8, uint64(len(sh.slots)))
	return int(hi)
}

// growth is the factor by which a table grows out of which nothing goes.
const growth = 1.55

// rebuild drops what is too late and makes room for more. number is the shard's.
func (sh *shard) rebuild(tooLate int64, number int) {
	live := 0
	for _, e := range sh.slots {
		if e.rest != 0 && e.time() > tooLate {
			live++
		}
	}
	old := sh.slots
	size := live*147/100 + 8
	switch {
	case len(old) == 0:
		size = int(32 * math.Pow(growth, float64(number)/float64(len(idSet{}.shards))))
	case live*100 >= len(old)*80:
		size = int(growth * float64(len(old)))
	}
	sh.slots = make([]idEntry, max(32, size))
	for i := 0; i < len(sh.slots); i += 4096 / 16 {
		sh.slots[i] = idEntry{} // written before it is read: else the system would map each page twice
	}
	sh.used = 0
	for _, e := range old {
		if e.rest != 0 && e.time() > tooLate {
			sh.place(e)
		}
	}
}

func (sh *shard) place(e idEntry) {
	i := sh.home(e)
	for sh.slots[i].rest != 0 {
		if i++; i == len(sh.slots) {
			i = 0
		}
	}
	sh.slots[i] = e
	sh.used++
}

// size is how many ids the tables hold, those too late but not yet dropped included.
func (s *idSet) size() int {
	n := 0
	for i := range s.shards {
		n += s.shards[i].used
	}
	return n
}
