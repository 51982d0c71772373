package source

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxRow is the longest row in bytes; a longer one is bad.
const maxRow = 1 << 20

// chunkSize is how much of a large file is read at once.
const chunkSize = 256 << 10

// row is a row of a CSV file.
type row struct {
	number int64  // from 1, below the header; bad ones count, empty lines do not
	line   int64  // of its begin, from 1
	offset int64  // of its begin in the text
	text   string // without its line's end
	fields []string
}

// rows reads a file's rows one after the other.
type rows struct {
	splitter
	text    *text
	auto    bool   // eol is to be found
	foreign bool   // the text was written anew from another encoding
	buffer  string // of the text from base on
	base    int64
	at      int // in buffer
	ended   bool
	line    int64 // at
	number  int64 // of the newest row
	columns int   // that a row must have
	chunk   int64 // how much of a large file is read at once
	newest  row
}

func newRows(t *text, f format) *rows {
	r := &rows{text: t, auto: f.newline == newlineAuto, foreign: f.encoding != nil, line: 1, chunk: chunkSize}
	r.splitter = splitter{delimiter: f.delimiter, quote: f.quote, eol: '\n'}
	if f.newline == newlineCR {
		r.eol = '\r'
	}
	return r
}

// next returns the next row, which stays until the call after. A row that
// cannot be read is returned with its defect; err is for the file. io.EOF: no
// more rows.
func (r *rows) next() (w *row, d *defect, err error) {
	if r.auto {
		if err := r.findNewline(); err != nil {
			return nil, nil, err
		}
	}
	for {
		end, err := r.lineEnd()
		if err != nil {
			return nil, nil, err
		}
		if end == r.at && end < len(r.buffer) || r.eol == '\n' && end == r.at+1 && r.buffer[r.at] == '\r' {
			r.at = min(end+1, len(r.buffer))
			r.line++
			continue // an empty line
		}
		d, err = r.take(&r.newest, end)
		return &r.newest, d, err
	}
}

// take makes the row that begins at r.at, whose first line ends at end.
func (r *rows) take(w *row, end int) (d *defect, err error) {
	r.number++
	*w = row{number: r.number, line: r.line, offset: r.base + int64(r.at), text: trimCR(r.buffer[r.at:end], r.eol, true)}
	switch {
	case len(w.text) > maxRow:
		w.text = w.text[:100]
		d = &defect{"a row is too long", fmt.Sprintf("a row of more than %d bytes", maxRow)}
	case r.quote == 0 || strings.IndexByte(w.text, r.quote) < 0:
		r.plain(w.text)
	default:
		if d, err = r.takeQuoted(w, &end); err != nil {
			return nil, err
		}
	}
	r.line++
	r.at = min(end+1, len(r.buffer))
	w.fields = r.fields
	switch {
	case d != nil:
	case r.columns > 0 && len(w.fields) != r.columns:
		d = &defect{"wrong number of columns", fmt.Sprintf("%d columns instead of %d", len(w.fields), r.columns)}
	case r.foreign && strings.ContainsRune(w.text, utf8.RuneError):
		d = &defect{"bytes that are not of the file's encoding", "holds bytes that are not of the file's encoding"}
	}
	return d, nil
}

// takeQuoted splits a row with quotes, which may go on over further lines. A
// row whose quotes are wrong is bad as far as its first line goes.
func (r *rows) takeQuoted(w *row, end *int) (*defect, error) {
	for {
		rest := r.buffer[r.at:min(r.at+maxRow, len(r.buffer))]
		all := r.ended && r.at+len(rest) == len(r.buffer)
		n, err := r.quoted(rest, all)
		if errors.Is(err, errMore) {
			if len(rest) < maxRow {
				begin := r.at
				if err := r.fill(); err != nil {
					return nil, err
				}
				*end -= begin - r.at
				continue
			}
			err = errOpenQuote
		}
		if err != nil {
			return &defect{err.Error(), err.Error()}, nil
		}
		*end = r.at + n
		w.text = trimCR(rest[:n], r.eol, true)
		r.line += int64(strings.Count(w.text, string(rune(r.eol))))
		return nil, nil
	}
}

// lineEnd finds the end of the line at r.at, reading on where it must. A line
// that is longer than maxRow is cut there, and its rest is skipped.
func (r *rows) lineEnd() (int, error) {
	from := r.at
	for {
		if i := strings.IndexByte(r.buffer[from:], r.eol); i >= 0 {
			return from + i, nil
		}
		if r.ended {
			if r.at == len(r.buffer) {
				return 0, io.EOF
			}
			return len(r.buffer), nil
		}
		seen := len(r.buffer) - r.at
		if seen > maxRow+1 { // enough to call it too long: forget the rest
			r.base += int64(seen - maxRow - 1)
			r.buffer, r.at = r.buffer[r.at:r.at+maxRow+1], 0
			seen = maxRow + 1
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
		from = r.at + seen
	}
}

// fill reads on; the buffer then begins at the row at r.at.
func (r *rows) fill() error {
	if r.text.file == nil {
		r.buffer, r.base, r.at, r.ended = r.text.whole, 0, int(r.base)+r.at, true
		return nil
	}
	r.buffer, r.base, r.at = r.buffer[r.at:], r.base+int64(r.at), 0
	next := r.base + int64(len(r.buffer))
	want := min(r.chunk, r.text.size-next)
	chunk := make([]byte, len(r.buffer)+int(want))
	copy(chunk, r.buffer)
	if _, err := r.text.file.ReadAt(chunk[len(r.buffer):], r.text.start+next); err != nil {
		return fmt.Errorf("the file became shorter while it was read: %w", err)
	}
	r.buffer, r.ended = string(chunk), next+want == r.text.size
	return nil
}

// findNewline tells by the first line's end how lines end.
func (r *rows) findNewline() error {
	if err := r.fill(); err != nil {
		return err
	}
	r.auto = false
	if i := strings.IndexAny(r.buffer, "\r\n"); i >= 0 && r.buffer[i] == '\r' && !strings.HasPrefix(r.buffer[i:], "\r\n") {
		r.eol = '\r'
	}
	return nil
}
