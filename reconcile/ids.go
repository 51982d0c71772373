package reconcile

import (
	"crypto/sha256"
	"hash/crc32"
)

// ids are the ids that were counted or ignored, each as 96 bits of its SHA-256,
// with a checksum of what the event said: about 25 bytes an id. With 10^8 of
// them, two share those bits with a probability of 10^-13.
type ids map[idHash]uint32

type idHash [12]byte

func hashOf(id string) idHash {
	sum := sha256.Sum256([]byte(id))
	return idHash(sum[:12])
}

// add remembers an id and what its event said; known is true where it is not
// the first, differs where the first said something else.
func (m ids) add(h idHash, said []byte) (known, differs bool) {
	sum := crc32.ChecksumIEEE(said)
	first, known := m[h]
	if !known {
		m[h] = sum
	}
	return known, known && first != sum
}
