package source

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// BadRow is a row that makes no event because something in it is wrong.
type BadRow struct {
	File   string
	Line   int64 // from 1, of the row's begin
	Reason string
	Detail string // Reason with the row's own values
	Text   string
}

// String is file, line and reason, in one line.
func (b BadRow) String() string { return fmt.Sprintf("%s:%d: %s", b.File, b.Line, b.Detail) }

// rejectsHeader begins a rejects file: a CSV with one row a bad row.
var rejectsHeader = []string{"file", "line", "reason", "row"}

// rejects writes bad rows to a file that is made with the first of them.
type rejects struct {
	path string // empty: nowhere
	file *os.File
	out  *csv.Writer
}

func (r *rejects) add(b BadRow) error {
	if r.path == "" {
		return nil
	}
	if r.file == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	return r.out.Write([]string{b.File, strconv.FormatInt(b.Line, 10), b.Detail, b.Text})
}

func (r *rejects) open() (err error) {
	if err = os.MkdirAll(filepath.Dir(r.path), 0o755); err == nil {
		r.file, err = os.Create(r.path)
	}
	if err != nil {
		return misuse("rejects file %s: %v", r.path, cause(err))
	}
	r.out = csv.NewWriter(r.file)
	return r.out.Write(rejectsHeader)
}

// close ends the file. One that an earlier run left is removed where no row is bad now.
func (r *rejects) close() error {
	if r.file == nil {
		if r.path == "" || !isRejects(r.path) {
			return nil
		}
		if err := os.Remove(r.path); err != nil {
			return fmt.Errorf("remove old rejects file: %w", err)
		}
		return nil
	}
	r.out.Flush()
	if err := errors.Join(r.out.Error(), r.file.Close()); err != nil {
		return fmt.Errorf("write rejects file %s: %w", r.path, err)
	}
	return nil
}

// isRejects tells a rejects file by its header, so that nothing else is ever removed.
func isRejects(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	header, err := csv.NewReader(f).Read()
	return err == nil && slices.Equal(header, rejectsHeader)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
