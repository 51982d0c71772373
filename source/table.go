package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// table is a CSV file that is open and whose columns are known.
type table struct {
	path    string
	text    *text
	rows    *rows
	columns []string
}

// openTable opens a file and reads its header. what names the file's part in errors.
func openTable(ctx context.Context, what, path string, f format, held int64) (t *table, err error) {
	t = &table{path: path, columns: f.columns}
	if t.text, err = openText(ctx, what, path, f, held); err != nil {
		return nil, err
	}
	t.rows = newRows(t.text, f)
	if f.header {
		err = t.readHeader(what, f)
	}
	if err != nil {
		return nil, errors.Join(err, t.text.Close())
	}
	t.rows.columns = len(t.columns)
	return t, nil
}

func (t *table) readHeader(what string, f format) error {
	header, d, err := t.rows.next()
	switch {
	case errors.Is(err, io.EOF):
		return misuse("%s %s: is empty; want a header and rows", what, t.path)
	case err != nil:
		return fmt.Errorf("read %s: %w", t.path, err)
	case d != nil:
		return misuse("%s %s: header: %s", what, t.path, d.detail)
	case !utf8.ValidString(header.text):
		return misuse("%s %s: the header is not UTF-8; name the file's encoding in the mapping, such as  csv: {encoding: GB18030}", what, t.path)
	}
	for _, name := range header.fields {
		t.columns = append(t.columns, strings.TrimSpace(name))
	}
	t.rows.number = 0
	return nil
}

// findLookup is the path of a second file: beside the CSV, else beside the mapping.
func (m *Mapping) findLookup(l lookupSpec, csv string) string {
	if filepath.IsAbs(l.file) {
		return l.file
	}
	beside := filepath.Join(filepath.Dir(csv), l.file)
	if m.dir != "" && !exists(beside) {
		if own := filepath.Join(m.dir, l.file); exists(own) {
			return own
		}
	}
	return beside
}

// loadLookup reads a second file into memory; of equal keys the last counts.
func (m *Mapping) loadLookup(ctx context.Context, name string, l lookupSpec, csv string) (values map[string]string, err error) {
	t, err := openTable(ctx, "lookup "+name+":", m.findLookup(l, csv), l.csv, heldSize)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.text.Close()) }()
	b := binding{columns: t.columns}
	key, err := b.column(l.key)
	if err != nil {
		return nil, misuse("lookup %s: %s: %v", name, t.path, err)
	}
	value, err := b.column(l.value)
	if err != nil {
		return nil, misuse("lookup %s: %s: %v", name, t.path, err)
	}
	values = map[string]string{}
	for {
		w, d, err := t.rows.next()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", t.path, err)
		}
		if d != nil {
			return nil, misuse("lookup %s: %s:%d: %s", name, t.path, w.line, d.detail)
		}
		values[strings.Clone(w.fields[key])] = strings.Clone(w.fields[value])
	}
}

// bindTo makes the plan of the mapping for an open file.
func (m *Mapping) bindTo(ctx context.Context, t *table) (*plan, error) {
	b := &binding{columns: t.columns, lookups: map[string]map[string]string{}}
	for name, l := range m.lookups {
		values, err := m.loadLookup(ctx, name, l, t.path)
		if err != nil {
			return nil, err
		}
		b.lookups[name] = values
	}
	p, err := m.bind(b)
	if err != nil {
		return nil, misuse("mapping %s: csv %s: %v", m.Name, t.path, err)
	}
	return p, nil
}
