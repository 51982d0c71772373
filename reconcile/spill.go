package reconcile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// spill keeps rows by hour, in the order in which they came, on disk but for the
// newest.
type spill struct {
	dir      string // empty: all stays in memory
	most     int    // bytes that wait in memory for the file
	file     *os.File
	size     int64
	buffered int
	hours    map[int64]*hour
}

type hour struct {
	tail   []byte // not yet in the file
	chunks []chunk
}

// chunk is a piece of the file.
type chunk struct {
	at     int64
	length int
}

func newSpill(dir string) *spill { return &spill{dir: dir, most: 32 << 20, hours: map[int64]*hour{}} }

func (s *spill) add(start int64, row []byte) error {
	h := s.hours[start]
	if h == nil {
		h = &hour{}
		s.hours[start] = h
	}
	before := len(h.tail)
	h.tail = append(binary.AppendUvarint(h.tail, uint64(len(row))), row...)
	s.buffered += len(h.tail) - before
	if s.dir == "" || s.buffered < s.most {
		return nil
	}
	return s.flush()
}

// flush moves all tails to the file.
func (s *spill) flush() (err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp(s.dir, "liushui-reconcile-*"); err != nil {
			return fmt.Errorf("keep events on disk: %w", err)
		}
	}
	for _, h := range s.hours {
		if len(h.tail) == 0 {
			continue
		}
		if _, err := s.file.WriteAt(h.tail, s.size); err != nil {
			return fmt.Errorf("keep events on disk: %w", err)
		}
		h.chunks = append(h.chunks, chunk{s.size, len(h.tail)})
		s.size += int64(len(h.tail))
		h.tail = nil
	}
	s.buffered = 0
	return nil
}

// each calls take with every row of an hour; the row is good until take returns.
func (s *spill) each(start int64, take func(row []byte) error) error {
	h := s.hours[start]
	if h == nil {
		return nil
	}
	for _, c := range h.chunks {
		rows := make([]byte, c.length)
		if _, err := s.file.ReadAt(rows, c.at); err != nil && err != io.EOF {
			return fmt.Errorf("read back from disk: %w", err)
		}
		if err := eachRow(rows, take); err != nil {
			return err
		}
	}
	return eachRow(h.tail, take)
}

func eachRow(rows []byte, take func([]byte) error) error {
	for len(rows) > 0 {
		length, n := binary.Uvarint(rows)
		row := rows[n : n+int(length)]
		rows = rows[n+int(length):]
		if err := take(row); err != nil {
			return err
		}
	}
	return nil
}

func (s *spill) starts() []int64 { return slices.Sorted(maps.Keys(s.hours)) }

func (s *spill) close() error {
	if s.file == nil {
		return nil
	}
	name := s.file.Name()
	return errors.Join(s.file.Close(), os.Remove(name))
}
