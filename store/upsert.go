package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"liushui"
)

// chunks are how many rows one statement takes; few sizes, so that each is prepared once.
var chunks = []int{256, 64, 16, 4, 1}

// An upsert writes the results of one generation and statistic.
type upsert struct {
	cells      *cells
	table      *table
	columns    []string    // key, fixed, measures, sketches
	statements []*sql.Stmt // by chunk, nil where not needed
}

// prepareUpserts is done before the transaction begins, since both need the one connection.
func (s *Store) prepareUpserts(ctx context.Context, b *batch) ([]*upsert, error) {
	var all []*upsert
	for _, c := range b.targets {
		if len(c.results) == 0 {
			continue
		}
		t := tableOf(c.statistic)
		measures, sketches := valueColumns(c.statistic)
		u := &upsert{cells: c, table: t, columns: slices.Concat(t.key(), fixed, measures, sketches), statements: make([]*sql.Stmt, len(chunks))}
		for rest := len(c.results); rest > 0; {
			i := u.chunk(s.db, rest)
			rest -= chunks[i]
			var err error
			if u.statements[i], err = s.statement(ctx, u, chunks[i]); err != nil {
				return nil, fmt.Errorf("prepare to write %s: %w", c.statistic.Name, err)
			}
		}
		all = append(all, u)
	}
	return all, nil
}

// chunk is the place in chunks of the next size, for so many rows that are left.
func (u *upsert) chunk(d dialect, rest int) int {
	most := d.maxParameters() / len(u.columns)
	for i, n := range chunks {
		if n <= rest && n <= most {
			return i
		}
	}
	return len(chunks) - 1
}

// statement is the prepared upsert of n rows: the higher (repair, version) wins.
func (s *Store) statement(ctx context.Context, u *upsert, n int) (*sql.Stmt, error) {
	key := u.table.key()
	values := "(" + strings.Repeat("?,", len(u.columns)-1) + "?)"
	text := "INSERT INTO " + s.db.quote(u.table.name) + " (" + quoted(s.db, u.columns) + ") VALUES " +
		strings.Repeat(values+",", n-1) + values + s.db.upsert(u.table.name, key, u.columns[len(key):])
	if held := s.writer.statements[text]; held != nil {
		return held, nil
	}
	statement, err := s.write.PrepareContext(ctx, text)
	if err == nil {
		s.writer.statements[text] = statement
	}
	return statement, err
}

func (u *upsert) run(ctx context.Context, d dialect, tx *sql.Tx) error {
	rest := u.cells.sorted(u.table)
	args := make([]any, 0, min(len(rest), chunks[0])*len(u.columns))
	appendRow := u.rowAppender()
	for len(rest) > 0 {
		i := u.chunk(d, len(rest))
		args = args[:0]
		for _, r := range rest[:chunks[i]] {
			args = appendRow(args, r)
		}
		rest = rest[chunks[i]:]
		if _, err := tx.StmtContext(ctx, u.statements[i]).ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("write %s: %w", u.cells.statistic.Name, err)
		}
	}
	return nil
}

// rowAppender appends a result's values in the order of the columns.
func (u *upsert) rowAppender() func([]any, *liushui.Result) []any {
	statistic, zone := u.cells.statistic, u.cells.job.Zone
	places := make([]int, len(u.table.fields))
	for i, field := range u.table.fields {
		places[i] = slices.Index(statistic.By, field)
	}
	return func(args []any, r *liushui.Result) []any {
		args = append(args, r.Generation, r.Window, r.Start)
		for _, i := range places {
			args = append(args, r.Key[i])
		}
		args = append(args, r.End, offsetAt(r.Start, zone), offsetAt(r.End, zone), orNull(r.Late, r.Late == liushui.LateUnknown), r.Engine, r.Repair, r.Version)
		for _, v := range r.Values {
			args = append(args, orNull(v.N, v.Null))
		}
		for _, m := range statistic.Measures {
			if sketchColumn(statistic, m) != "" {
				args = append(args, r.Sketches[m.Name]) // nil is NULL
			}
		}
		return args
	}
}

func orNull(n int64, null bool) any {
	if null {
		return nil
	}
	return n
}

// offsetAt is how far local time is ahead of UTC, in seconds.
func offsetAt(ms int64, zone *time.Location) int64 {
	_, seconds := time.UnixMilli(ms).In(zone).Zone()
	return int64(seconds)
}
