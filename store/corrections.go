package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"liushui"
)

// A correction is a result in a batch that changes a row after it was final.
type correction struct {
	first *liushui.Result // what was sent before it in this batch; nil: nothing
	at    int64           // Kafka's time of the first result that changes, ms
	last  int64           // and of the last
}

// corrects reports whether a result holds more than its row had when it was final.
func corrects(r *liushui.Result) bool { return r.Late > 0 || r.Repair > 0 }

// firstTable is where a table's rows are kept as they were when they were final,
// once they have changed. No other table's name ends in $$ and letters.
func firstTable(t *table) string {
	const suffix = "$$first"
	if len(t.name)+len(suffix) <= 64 {
		return t.name + suffix
	}
	sum := sha256.Sum256([]byte(t.name))
	return "$" + hex.EncodeToString(sum[:12]) + suffix
}

// firstColumns are the columns of such a table besides the key and the measures.
var firstColumns = []string{"end", "version", "at", "changed"}

func createFirstTable(d dialect, t *table, s *liushui.Statistic) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS " + d.quote(firstTable(t)) + " (" +
		d.quote("generation") + " BIGINT NOT NULL, " + d.quote("window") + " " + d.windowType() + " NOT NULL, " + d.quote("start") + " BIGINT NOT NULL")
	for _, k := range t.keys {
		b.WriteString(", " + d.quote(k) + " " + d.keyType() + " NOT NULL")
	}
	for _, c := range firstColumns {
		b.WriteString(", " + d.quote(c) + " BIGINT NOT NULL")
	}
	measures, _ := valueColumns(s)
	for _, c := range measures {
		b.WriteString(", " + d.quote(c) + " BIGINT NULL")
	}
	b.WriteString(", PRIMARY KEY (" + quoted(d, t.key()) + "))" + d.tableOptions(false))
	return b.String()
}

// correctedAtOnce is how many cells one question asks for.
const correctedAtOnce = 64

// writeFirst keeps what the rows were that a batch's results change after they
// were final. It comes before the results are written.
func (s *Store) writeFirst(ctx context.Context, tx *sql.Tx, c *cells) error {
	if len(c.corrections) == 0 {
		return nil
	}
	u := &upsert{cells: c, table: tableOf(c.statistic)}
	var corrected []*liushui.Result
	for _, r := range c.sorted(u.table) {
		if c.corrections[r] != nil {
			corrected = append(corrected, r)
		}
	}
	for part := range slices.Chunk(corrected, correctedAtOnce) {
		if err := s.writeFirstOf(ctx, tx, u, part); err != nil {
			return fmt.Errorf("keep what %s was before its correction: %w", c.statistic.Name, err)
		}
	}
	return nil
}

func (s *Store) writeFirstOf(ctx context.Context, tx *sql.Tx, u *upsert, part []*liushui.Result) error {
	held, err := s.heldOf(ctx, tx, u, part)
	if err != nil {
		return err
	}
	measures, _ := valueColumns(u.cells.statistic)
	columns := slices.Concat(u.table.key(), firstColumns, measures)
	insert := "REPLACE INTO " + s.db.quote(firstTable(u.table)) + " (" + quoted(s.db, columns) + ") VALUES (" + strings.Repeat("?, ", len(columns)-1) + "?)"
	again := "UPDATE " + s.db.quote(firstTable(u.table)) + " SET " + s.db.quote("changed") + " = ? WHERE " + s.whereKey(u.table)
	for _, r := range part {
		c, row := u.cells.corrections[r], held[u.keyOf(r)]
		if row != nil && !r.Newer(&row.Result) {
			continue // it was sent before
		}
		key := u.keyValues(r)
		if row != nil && row.kept {
			if _, err := tx.ExecContext(ctx, again, append([]any{c.last}, key...)...); err != nil {
				return err
			}
			continue
		}
		first := firstOf(r, c, row)
		if first == nil {
			continue
		}
		args := append(key, r.End, first.Version, c.at, c.last)
		for _, v := range first.Values {
			args = append(args, orNull(v.N, v.Null))
		}
		if _, err := tx.ExecContext(ctx, insert, args...); err != nil {
			return err
		}
	}
	return nil
}

// firstOf is what a row was when it was final; nil where that is not known any more.
func firstOf(r *liushui.Result, c *correction, row *heldRow) *liushui.Result {
	switch {
	case row != nil && corrects(&row.Result):
		return nil // it was corrected before first rows were kept
	case c.first != nil:
		return c.first
	case row != nil:
		return &row.Result
	case r.Late == r.Version || r.Repair > 0:
		return &liushui.Result{Values: make([]liushui.Value, len(r.Values))} // nothing had been in time
	}
	return nil
}

// heldRow is a row as it is held, and whether its first form is kept.
type heldRow struct {
	liushui.Result
	kept bool
}

// heldOf reads the rows of results, by key.
func (s *Store) heldOf(ctx context.Context, tx *sql.Tx, u *upsert, part []*liushui.Result) (map[string]*heldRow, error) {
	q := s.db.quote
	measures, _ := valueColumns(u.cells.statistic)
	columns := slices.Concat(u.table.key(), []string{"late", "repair", "version"}, measures)
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "b." + q(c)
	}
	var on []string
	for _, c := range u.table.key() {
		on = append(on, "f."+q(c)+" = b."+q(c))
	}
	where, args := []string{}, []any{}
	for _, r := range part {
		where = append(where, "("+s.whereKeyOf("b.", u.table)+")")
		args = append(args, u.keyValues(r)...)
	}
	rows, err := tx.QueryContext(ctx, "SELECT "+strings.Join(list, ", ")+", f."+q("version")+" FROM "+q(u.table.name)+" b LEFT JOIN "+q(firstTable(u.table))+
		" f ON "+strings.Join(on, " AND ")+" WHERE "+strings.Join(where, " OR "), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	held := map[string]*heldRow{}
	for rows.Next() {
		row := &heldRow{Result: liushui.Result{Key: make([]string, len(u.table.keys))}}
		var late, kept sql.NullInt64
		values := make([]sql.NullInt64, len(measures))
		into := []any{&row.Generation, &row.Window, &row.Start}
		for i := range row.Key {
			into = append(into, &row.Key[i])
		}
		into = append(into, &late, &row.Repair, &row.Version)
		for i := range values {
			into = append(into, &values[i])
		}
		if err := rows.Scan(append(into, &kept)...); err != nil {
			return nil, err
		}
		row.Late, row.kept = late.Int64, kept.Valid
		for _, v := range values {
			row.Values = append(row.Values, liushui.Value{N: v.Int64, Null: !v.Valid})
		}
		held[keyText(row.Window, row.Start, row.Key)] = row
	}
	return held, rows.Err()
}

func (s *Store) whereKey(t *table) string { return s.whereKeyOf("", t) }

func (s *Store) whereKeyOf(prefix string, t *table) string {
	var terms []string
	for _, c := range t.key() {
		terms = append(terms, prefix+s.db.quote(c)+" = ?")
	}
	return strings.Join(terms, " AND ")
}

// keyValues are a result's values of the key's columns.
func (u *upsert) keyValues(r *liushui.Result) []any {
	values := []any{r.Generation, r.Window, r.Start}
	for _, k := range u.sortedKey(r) {
		values = append(values, k)
	}
	return values
}

// sortedKey is a result's key in the order of the table's columns.
func (u *upsert) sortedKey(r *liushui.Result) []string {
	var key []string
	for _, field := range u.table.fields {
		key = append(key, r.Key[slices.Index(u.cells.statistic.By, field)])
	}
	return key
}

func (u *upsert) keyOf(r *liushui.Result) string { return keyText(r.Window, r.Start, u.sortedKey(r)) }

func keyText(window string, start int64, key []string) string {
	return fmt.Sprintf("%s %d %q", window, start, key)
}

// Corrections reads the rows of a query that changed after they were final.
func (v *snapshot) Corrections(ctx context.Context, q liushui.Query) ([]liushui.Correction, error) {
	_, job := v.standing.Current()
	if job == nil {
		return nil, nil
	}
	s := job.Statistic(q.Statistic)
	if s == nil {
		return nil, misusef("there is no statistic %q in the job %s", q.Statistic, job.Name)
	}
	windows := []string{q.Window}
	if q.Window == "" {
		windows = nil
		for _, w := range s.Windows {
			windows = append(windows, w.Name)
		}
	}
	var all []liushui.Correction
	for _, window := range windows {
		own := q
		own.Window, own.Top, own.By, own.Offset, own.Newest = window, 0, "", 0, false
		p, err := planQuery(v.db, v.standing, job, &own)
		if err != nil {
			return nil, err
		}
		if there, err := v.has(ctx, firstTable(p.table)); err != nil || !there {
			return nil, err
		}
		for _, part := range p.parts {
			found, err := v.correctionsOf(ctx, p, part)
			if err != nil {
				return nil, fmt.Errorf("read corrections of %s: %w", s.Name, err)
			}
			all = append(all, found...)
		}
	}
	slices.SortStableFunc(all, func(a, b liushui.Correction) int {
		return cmp.Or(cmp.Compare(b.Changed, a.Changed), cmp.Compare(b.Start, a.Start), cmp.Compare(a.End-a.Start, b.End-b.Start), slices.Compare(a.Key, b.Key))
	})
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
	}
	return all, nil
}

// has reports whether there is a table: a store of an earlier version that was
// only read since has none for first rows.
func (v *snapshot) has(ctx context.Context, table string) (bool, error) {
	if _, there := v.known.Load(table); there {
		return true, nil
	}
	rows, err := v.tx.QueryContext(ctx, v.db.columnsQuery())
	if err != nil {
		return false, fmt.Errorf("look for table %s: %w", table, err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, column string
		if err := rows.Scan(&name, &column); err != nil {
			return false, fmt.Errorf("look for table %s: %w", table, err)
		}
		v.known.Store(name, true)
	}
	_, there := v.known.Load(table)
	return there, rows.Err()
}

func (v *snapshot) correctionsOf(ctx context.Context, p *queryPlan, part part) ([]liushui.Correction, error) {
	q := p.db.quote
	measures, _ := valueColumns(p.statistic)
	columns := slices.Clone(p.columns)
	for i, c := range columns {
		columns[i] = "b." + q(c)
	}
	for _, c := range append([]string{"version", "at", "changed"}, measures...) {
		columns = append(columns, "f."+q(c))
	}
	var on []string
	for _, c := range p.table.key() {
		on = append(on, "b."+q(c)+" = f."+q(c))
	}
	text := "SELECT " + strings.Join(columns, ", ") + " FROM " + q(firstTable(p.table)) + " f JOIN " + q(p.table.name) + " b ON " + strings.Join(on, " AND ") +
		" WHERE f." + q("generation") + " = ? AND f." + q("window") + " = ? AND f." + q("start") + " >= ? AND f." + q("start") + " < ?"
	args := []any{part.generation, p.query.Window, part.from, part.to}
	for _, where := range p.query.Where {
		text += " AND f." + q(p.table.keyColumn(where.Name)) + " = ?"
		args = append(args, where.Value)
	}
	text += " ORDER BY f." + q("changed") + " DESC, f." + q("start") + " DESC" + limitClause(p.limit(), 0)
	rows, err := v.tx.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []liushui.Correction
	scan := p.scanner()
	for rows.Next() {
		var c liushui.Correction
		first := make([]sql.NullInt64, len(measures))
		more := []any{&c.FirstVersion, &c.At, &c.Changed}
		for i := range first {
			more = append(more, &first[i])
		}
		if c.Row, err = scan(rows, more...); err != nil {
			return nil, err
		}
		for _, n := range first {
			c.First = append(c.First, liushui.Value{N: n.Int64, Null: !n.Valid})
		}
		c.State = v.standing.State(&c.Result)
		all = append(all, c)
	}
	return all, rows.Err()
}
