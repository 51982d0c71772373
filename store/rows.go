package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"liushui"
)

// queryPlan is a query as SQL sees it.
type queryPlan struct {
	db        dialect
	query     *liushui.Query
	statistic *liushui.Statistic // of the current job: the form of the rows
	table     *table
	parts     []part // in the order of their starts
	columns   []string
	by        string // column that Top orders by
}

// part are the shown rows of one generation, with starts in [from, to).
type part struct {
	generation, from, to int64
}

func planQuery(d dialect, standing *liushui.Standing, job *liushui.Job, q *liushui.Query) (*queryPlan, error) {
	s := job.Statistic(q.Statistic)
	if s == nil {
		return nil, misusef("there is no statistic %q in the job %s", q.Statistic, job.Name)
	}
	if _, ok := s.Window(q.Window); !ok {
		return nil, misusef("%s has no window %q", s.Name, q.Window)
	}
	p := &queryPlan{db: d, query: q, statistic: s, table: tableOf(s)}
	for _, where := range q.Where {
		if !slices.Contains(s.By, where.Name) {
			return nil, misusef("%s is not grouped by %q", s.Name, where.Name)
		}
	}
	if q.Top > 0 {
		i := slices.IndexFunc(s.Measures, func(m liushui.Measure) bool { return m.Name == q.By })
		if i < 0 {
			return nil, misusef("%s has no measure %q to order by", s.Name, q.By)
		}
		p.by = measureColumn(s.Measures[i])
	}
	measures, sketches := valueColumns(s)
	p.columns = slices.Concat([]string{"generation", "start", "end", "late", "engine", "repair", "version"}, p.keyColumns(), measures, sketches)
	p.setParts(standing, q)
	return p, nil
}

// keyColumns are the columns of the key fields, in the order of the job's by.
func (p *queryPlan) keyColumns() []string {
	var columns []string
	for _, field := range p.statistic.By {
		columns = append(columns, p.table.keyColumn(field))
	}
	return columns
}

// setParts finds the generations that are shown in the query's range and have
// the same key fields.
func (p *queryPlan) setParts(standing *liushui.Standing, q *liushui.Query) {
	for _, g := range generationsOf(standing) {
		from, to := max(g.shownFrom, q.From), g.shownTo
		if q.To != 0 {
			to = min(to, q.To)
		}
		s := standing.Job(g.number).Statistic(q.Statistic)
		if from < to && s != nil && tableOf(s).name == p.table.name {
			p.parts = append(p.parts, part{g.number, from, to})
		}
	}
	slices.SortFunc(p.parts, func(a, b part) int { return int(min(max(a.from-b.from, -1), 1)) })
}

// narrow moves the parts' ends to the starts that a limit can reach, which the
// primary key finds at once; servers would sort all rows of a part instead.
func (p *queryPlan) narrow(ctx context.Context, tx *sql.Tx) error {
	limit, offset := p.limit(), int64(p.query.Offset)
	if p.by != "" || limit >= forever-offset {
		return nil
	}
	direction := ""
	if p.query.Newest {
		direction = " DESC"
	}
	for i := range p.parts {
		part := &p.parts[i]
		text, args := p.selectPart(*part, []string{"start"})
		text += " ORDER BY " + p.db.quote("start") + direction + limitClause(1, limit+offset-1)
		var last int64
		err := tx.QueryRowContext(ctx, text, args...).Scan(&last)
		switch {
		case errors.Is(err, sql.ErrNoRows): // fewer rows than that
		case err != nil:
			return err
		case p.query.Newest:
			part.from = last
		default:
			part.to = last + 1
		}
	}
	return nil
}

// sql is one SELECT for each part, each in the order and with the limit of the
// whole, so that the primary key serves it.
func (p *queryPlan) sql() (text string, args []any) {
	limit, offset := p.limit(), int64(p.query.Offset)
	if len(p.parts) == 1 {
		text, args = p.selectPart(p.parts[0], p.columns)
		return text + p.order() + limitClause(limit, offset), args
	}
	var selects []string
	for i, part := range p.parts {
		text, own := p.selectPart(part, p.columns)
		each := int64(forever)
		if limit < forever-offset {
			each = limit + offset
		}
		selects = append(selects, "SELECT * FROM ("+text+p.order()+limitClause(each, 0)+") p"+strconv.Itoa(i))
		args = append(args, own...)
	}
	return "SELECT * FROM (" + strings.Join(selects, " UNION ALL ") + ") p" + p.order() + limitClause(limit, offset), args
}

func (p *queryPlan) selectPart(part part, columns []string) (text string, args []any) {
	q := p.db.quote
	text = "SELECT " + quoted(p.db, columns) + " FROM " + q(p.table.name) +
		" WHERE " + q("generation") + " = ? AND " + q("window") + " = ? AND " + q("start") + " >= ? AND " + q("start") + " < ?"
	args = []any{part.generation, p.query.Window, part.from, part.to}
	for _, where := range p.query.Where {
		text += " AND " + q(p.table.keyColumn(where.Name)) + " = ?"
		args = append(args, where.Value)
	}
	return text, args
}

func (p *queryPlan) limit() int64 {
	limit := int64(forever)
	if p.query.Limit > 0 {
		limit = int64(p.query.Limit)
	}
	if p.query.Top > 0 {
		limit = min(limit, int64(p.query.Top))
	}
	return limit
}

// limitClause has a limit where there is an offset, as SQL wants it.
func limitClause(limit, offset int64) string {
	switch {
	case offset > 0:
		return " LIMIT " + strconv.FormatInt(limit, 10) + " OFFSET " + strconv.FormatInt(offset, 10)
	case limit < forever:
		return " LIMIT " + strconv.FormatInt(limit, 10)
	}
	return ""
}

// order is that of windows and keys, or Top's: highest first.
func (p *queryPlan) order() string {
	q := p.db.quote
	var terms []string
	if p.by != "" {
		terms = append(terms, q(p.by)+" IS NULL DESC", q(p.by)+" DESC")
	}
	start := q("start")
	if p.query.Newest {
		start += " DESC"
	}
	terms = append(terms, start)
	for _, c := range p.keyColumns() {
		terms = append(terms, q(c))
	}
	return " ORDER BY " + strings.Join(terms, ", ")
}

// scanner reads a row of the plan's columns, and what stands after them.
func (p *queryPlan) scanner() func(rows *sql.Rows, more ...any) (liushui.Row, error) {
	keys, values := len(p.statistic.By), len(p.statistic.Measures)
	var late sql.NullInt64
	numbers := make([]sql.NullInt64, values)
	var withSketch []string
	for _, m := range p.statistic.Measures {
		if sketchColumn(p.statistic, m) != "" {
			withSketch = append(withSketch, m.Name)
		}
	}
	images := make([][]byte, len(withSketch))
	return func(rows *sql.Rows, more ...any) (liushui.Row, error) {
		r := liushui.Row{Result: liushui.Result{Statistic: p.statistic.Name, Window: p.query.Window, Values: make([]liushui.Value, values)}}
		if keys > 0 {
			r.Key = make([]string, keys)
		}
		into := []any{&r.Generation, &r.Start, &r.End, &late, &r.Engine, &r.Repair, &r.Version}
		for i := range r.Key {
			into = append(into, &r.Key[i])
		}
		for i := range numbers {
			into = append(into, &numbers[i])
		}
		for i := range images {
			images[i] = nil
			into = append(into, &images[i])
		}
		if err := rows.Scan(append(into, more...)...); err != nil {
			return r, err
		}
		r.Late = liushui.LateUnknown
		if late.Valid {
			r.Late = late.Int64
		}
		for i, n := range numbers {
			r.Values[i] = liushui.Value{N: n.Int64, Null: !n.Valid}
		}
		for i, image := range images {
			if image != nil {
				if r.Sketches == nil {
					r.Sketches = map[string][]byte{}
				}
				r.Sketches[withSketch[i]] = image
			}
		}
		return r, nil
	}
}
