package native

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A journal holds, for every batch judged since a checkpoint, the watermark at
// its start and the offsets at its end: enough to judge the same records again
// in the same way. It is synced before the batch's results are sent.
//
// An entry is its length (4 bytes), a CRC-32C of the rest (4 bytes), and
// varints: watermark before and after, number of partitions, then partition and
// end offset. One without partitions is a move of the watermark by the clock.
type journal struct {
	file File
	size int64
	buf  []byte
}

type journalEntry struct {
	watermark int64           // at the batch's start
	after     int64           // at its end; readers may see it once it is journaled
	ends      map[int32]int64 // of the partitions that the batch read from
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const journalHead = "liushui journal 1\n"

// createJournal begins the journal that follows a checkpoint. One of this
// number that a crash left behind is replaced.
func (d directory) createJournal(number int64) (*journal, error) {
	j, err := d.openJournal(number, 0)
	if err != nil {
		return nil, err
	}
	if err = j.write([]byte(journalHead)); err == nil {
		err = d.SyncDir(d.path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin journal: %w", err), j.close())
	}
	return j, nil
}

// openJournal goes on with a journal behind its last whole entry.
func (d directory) openJournal(number, size int64) (*journal, error) {
	file, err := d.Write(d.journal(number))
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := file.Truncate(size); err != nil {
		return nil, errors.Join(fmt.Errorf("cut journal: %w", err), file.Close())
	}
	return &journal{file: file, size: size}, nil
}

// append writes and syncs one entry.
func (j *journal) append(e journalEntry) error {
	b := append(j.buf[:0], 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.AppendVarint(b, e.watermark)
	b = binary.AppendVarint(b, e.after)
	b = binary.AppendUvarint(b, uint64(len(e.ends)))
	for number, end := range e.ends {
		b = binary.AppendVarint(b, int64(number))
		b = binary.AppendVarint(b, end)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-8))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	j.buf = b
	return j.write(b)
}

func (j *journal) write(b []byte) error {
	if _, err := j.file.WriteAt(b, j.size); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	j.size += int64(len(b))
	return nil
}

func (j *journal) close() error { return j.file.Close() }

// readJournal returns the whole entries of a journal and their size in bytes. A
// torn tail, as a crash leaves it, ends the list.
func (d directory) readJournal(number int64) ([]journalEntry, int64, error) {
	b, err := d.read(d.journal(number))
	if err != nil {
		return nil, 0, fmt.Errorf("read journal: %w", err)
	}
	if len(b) < len(journalHead) || string(b[:len(journalHead)]) != journalHead {
		return nil, 0, nil
	}
	var entries []journalEntry
	at := len(journalHead)
	for len(b)-at >= 8 {
		size := int(binary.LittleEndian.Uint32(b[at:]))
		if size > len(b)-at-8 {
			break
		}
		body := b[at+8 : at+8+size]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[at+4:]) {
			break
		}
		e, ok := parseEntry(body)
		if !ok {
			break
		}
		entries = append(entries, e)
		at += 8 + size
	}
	return entries, int64(at), nil
}

func parseEntry(b []byte) (journalEntry, bool) {
	r := reader{b: b}
	e := journalEntry{watermark: r.varint(), after: r.varint(), ends: map[int32]int64{}}
	for range r.count() {
		number := int32(r.varint())
		e.ends[number] = r.varint()
	}
	return e, r.err == nil && len(r.b) == 0
}

// reader reads the varints and strings of journals and checkpoints; after an
// error it returns zeros.
type reader struct {
	b   []byte
	err error
}

var errShort = errors.New("the data ends too early")

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.b)
	return skip(r, n, size)
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	return skip(r, n, size)
}

func skip[T int64 | uint64](r *reader, n T, size int) T {
	if size <= 0 || r.err != nil {
		r.b, r.err = nil, errShort
		return 0
	}
	r.b = r.b[size:]
	return n
}

// count reads a number of things to follow, each of at least one byte.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.b, r.err = nil, errShort
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.count()
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) string() string { return string(r.bytes()) }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBlob(b, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
