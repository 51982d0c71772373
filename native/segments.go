package native

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// Remembered ids are kept in segments: files that only grow, 16 bytes an id, and
// go when all their ids are too late. A checkpoint names the segments and how
// much of each belongs to it, so it need not hold the ids itself.
type segment struct {
	number int64
	size   int64  // bytes that belong to the checkpoint
	sum    uint32 // CRC-32C of them
	newest int64  // newest event time among its ids
	oldest int64
}

// maxSegment is when a new segment begins; one whose ids span more than a
// quarter of the corrections ends too.
const maxSegment = 32 << 20

// appendIDs writes ids behind the last segment, or into a new one, synced, and
// returns the list with it.
func (d directory) appendIDs(list []segment, ids [][]idEntry, span int64) ([]segment, error) {
	if len(ids) == 0 {
		return list, nil
	}
	list = append([]segment(nil), list...)
	if n := len(list); n == 0 || list[n-1].size >= maxSegment || list[n-1].newest-list[n-1].oldest > span/4 {
		number := int64(1)
		if n > 0 {
			number = list[n-1].number + 1
		}
		list = append(list, segment{number: number, newest: none, oldest: -none})
	}
	s := &list[len(list)-1]
	at := s.size
	err := d.writeAt(d.segment(s.number), at, func(w io.Writer) error {
		var b []byte
		for _, block := range ids {
			b = s.encode(b[:0], block)
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("write ids: %w", err)
	}
	return list, nil
}

// encode appends ids as they stand in the segment, which they now belong to.
func (s *segment) encode(b []byte, ids []idEntry) []byte {
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint64(b, id.hash)
		b = binary.LittleEndian.AppendUint64(b, id.rest)
		s.newest = max(s.newest, id.time())
		s.oldest = min(s.oldest, id.time())
	}
	s.sum = crc32.Update(s.sum, castagnoli, b)
	s.size += int64(len(b))
	return b
}

// readIDs fills the set from a segment; those too late are left out.
func (s *idSet) readIDs(d directory, from segment, tooLate int64) error {
	name := d.segment(from.number)
	file, err := d.Open(name)
	if err != nil {
		return fmt.Errorf("open ids: %w", err)
	}
	defer file.Close()
	b := make([]byte, 1<<20)
	sum := uint32(0)
	for left := from.size; left > 0; {
		part := b[:min(left, int64(len(b)))]
		if _, err := io.ReadFull(file, part); err != nil {
			return fmt.Errorf("read ids %s: %w", name, err)
		}
		sum = crc32.Update(sum, castagnoli, part)
		left -= int64(len(part))
		for i := 0; i+16 <= len(part); i += 16 {
			e := idEntry{binary.LittleEndian.Uint64(part[i:]), binary.LittleEndian.Uint64(part[i+8:])}
			if e.time() > tooLate {
				s.insert(e, tooLate)
			}
		}
	}
	if sum != from.sum {
		return fmt.Errorf("read ids %s: wrong checksum", name)
	}
	return nil
}

// liveSegments are those with an id that is not too late.
func liveSegments(list []segment, tooLate int64) []segment {
	var live []segment
	for i, s := range list {
		if s.newest > tooLate || i == len(list)-1 {
			live = append(live, s)
		}
	}
	return live
}
