package native

import "encoding/binary"

// A producer writes its records' fields in one order, so the name that comes
// next is nearly always one that came there before. guesses remember which.
type guesses struct {
	first guess // before the first name
	known int
}

// guess is a name in a place.
type guess struct {
	quoted string    // "name": as it stands in the record
	words  [2]uint64 // its first 16 bytes
	masks  [2]uint64 // which of them there are
	field  int
	after  [4]*guess // the names that came next, the oldest replaced first
	turn   int
}

// Bounds of what is remembered, whatever the records hold.
const (
	maxGuesses = 64
	maxGuess   = 16 // bytes
)

// next is the guess that b begins with, or nil.
func (g *guess) next(b []byte) *guess {
	if len(b) < 16 { // the last field
		for _, n := range g.after {
			if n != nil && len(b) >= len(n.quoted) && string(b[:len(n.quoted)]) == n.quoted {
				return n
			}
		}
		return nil
	}
	low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	for _, n := range g.after {
		if n == nil {
			return nil
		}
		if low&n.masks[0] == n.words[0] && high&n.masks[1] == n.words[1] {
			return n
		}
	}
	return nil
}

// learn remembers that a name came after at; it returns where it is remembered,
// or the first guess where it is not. Only ASCII is: the rest of a record has to
// be checked for valid UTF-8.
func (gs *guesses) learn(at *guess, quoted []byte, field int) *guess {
	if len(quoted) > maxGuess {
		return &gs.first
	}
	for _, c := range quoted {
		if c >= 0x80 {
			return &gs.first
		}
	}
	if gs.known == maxGuesses { // begin anew: the records have changed, or differ too much
		*gs = guesses{}
		at = &gs.first
	}
	g := &guess{quoted: string(quoted), field: field}
	for i, c := range quoted {
		g.words[i/8] |= uint64(c) << (i % 8 * 8)
		g.masks[i/8] |= 0xFF << (i % 8 * 8)
	}
	gs.known++
	at.after[at.turn] = g
	at.turn = (at.turn + 1) % len(at.after)
	return g
}
