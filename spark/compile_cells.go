package spark

import (
	"fmt"
	"slices"
	"strings"

	"liushui"
)

// cells writes the SQL that folds events. Each event becomes a row for each cell
// that it is folded into; one aggregation then computes all statistics and window
// sizes. A row's inputs stand in slots that statistics share: what c1 counts
// depends on the row's statistic.
type cells struct {
	job     *liushui.Job
	windows []liushui.Window // of all statistics
	inputs  []string         // SQL of the measures' inputs, each once
	stats   []cellsOf
	counts  int // slots
	sums    int
	hashes  int
}

// cellsOf are the cells of one statistic.
type cellsOf struct {
	*liushui.Statistic
	first int    // number of the first window's cells
	guard string // SQL condition: some measure takes the event; empty: every one does
	slots []slot // of each measure
}

// slot is where a measure's input stands.
type slot struct {
	column string // c1, s1 or h1
	input  int    // into cells.inputs
}

func newCells(job *liushui.Job) *cells {
	c := &cells{job: job}
	number := 0
	for _, s := range job.Statistics {
		of := cellsOf{Statistic: s, first: number, guard: guard(s)}
		number += len(s.Windows)
		for _, w := range s.Windows {
			if !slices.Contains(c.windows, w) {
				c.windows = append(c.windows, w)
			}
		}
		counts, sums, hashes := 0, 0, 0
		for _, m := range s.Measures {
			var column string
			switch m.Kind {
			case liushui.Count:
				counts++
				column = fmt.Sprintf("c%d", counts)
			case liushui.SumAmount, liushui.SumQuantity:
				sums++
				column = fmt.Sprintf("s%d", sums)
			case liushui.Distinct:
				hashes++
				column = fmt.Sprintf("h%d", hashes)
			}
			of.slots = append(of.slots, slot{column, c.input(inputOf(m))})
		}
		c.counts, c.sums, c.hashes = max(c.counts, counts), max(c.sums, sums), max(c.hashes, hashes)
		c.stats = append(c.stats, of)
	}
	return c
}

// input is the number of an input, which several statistics may share.
func (c *cells) input(sql string) int {
	if i := slices.Index(c.inputs, sql); i >= 0 {
		return i
	}
	c.inputs = append(c.inputs, sql)
	return len(c.inputs) - 1
}

// inputOf is what a measure takes of an event: whether it counts, what it adds,
// or the value that is told from others, NULL for none.
func inputOf(m liushui.Measure) string {
	holds := conditions(m.Where)
	var value string
	switch m.Kind {
	case liushui.SumAmount:
		value = column("amount")
	case liushui.SumQuantity:
		value = column("quantity")
	case liushui.Distinct:
		value = "nullif(" + column(m.Field) + ", '')"
	default:
		if holds == "" {
			return "true"
		}
		return holds
	}
	switch {
	case holds == "":
		return value
	case m.Kind == liushui.Distinct:
		return "IF(" + holds + ", " + value + ", NULL)"
	}
	return "IF(" + holds + ", " + value + ", 0L)"
}

// conditions is true where all conditions hold; empty where there are none.
func conditions(where []liushui.Condition) string {
	var all []string
	for _, w := range where {
		all = append(all, column(w.Field)+" IN ("+texts(w.Values)+")")
	}
	return strings.Join(all, " AND ")
}

// guard is true where at least one measure's conditions hold; empty: always.
func guard(s *liushui.Statistic) string {
	var any []string
	for _, m := range s.Measures {
		holds := conditions(m.Where)
		if holds == "" {
			return ""
		}
		if holds = "(" + holds + ")"; !slices.Contains(any, holds) {
			any = append(any, holds)
		}
	}
	return strings.Join(any, " OR ")
}

// cells is the query of the rows: number of the statistic's window, begin and end,
// key, and the slots.
func (c *cells) cells() string {
	var rows []string
	for _, s := range c.stats {
		for i, w := range s.Windows {
			row := "struct(" + c.row(s, i, w) + ")"
			if s.guard != "" {
				row = "IF(" + s.guard + ", " + row + ", NULL)"
			}
			rows = append(rows, row)
		}
	}
	return "SELECT cell, start, timestamp_millis(`end`) AS until, key" + c.slotNames() + "\n" + from(c.spans()) +
		"\nLATERAL VIEW inline(array(\n" + columns(rows...) + "\n)) AS cell, start, `end`, key" + c.slotNames() + "\nWHERE cell IS NOT NULL"
}

func (c *cells) slotNames() string {
	var b strings.Builder
	for i := range c.counts {
		fmt.Fprintf(&b, ", c%d", i+1)
	}
	for i := range c.sums {
		fmt.Fprintf(&b, ", s%d", i+1)
	}
	for i := range c.hashes {
		fmt.Fprintf(&b, ", h%d", i+1)
	}
	return b.String()
}

// row is one row of an event, in the order of the columns. A slot that the
// statistic does not use is NULL, which no aggregate takes.
func (c *cells) row(s cellsOf, window int, w liushui.Window) string {
	by := make([]string, len(s.By))
	for i, field := range s.By {
		by[i] = column(field)
	}
	key := "CAST(array() AS ARRAY<STRING>)"
	if len(by) > 0 {
		key = "array(" + strings.Join(by, ", ") + ")"
	}
	cellStart, cellEnd := spanColumns(w)
	values := []string{fmt.Sprintf("%d AS cell", s.first+window), cellStart + " AS start", cellEnd + " AS `end`", key + " AS key"}
	slots := func(letter, kind string, n int) {
		for i := range n {
			column := fmt.Sprintf("%s%d", letter, i+1)
			value := "CAST(NULL AS " + kind + ")"
			if at := slices.IndexFunc(s.slots, func(s slot) bool { return s.column == column }); at >= 0 {
				value = inputColumn(s.slots[at].input)
			}
			values = append(values, value+" AS "+column)
		}
	}
	slots("c", "BOOLEAN", c.counts)
	slots("s", "BIGINT", c.sums)
	slots("h", "STRING", c.hashes)
	return strings.Join(values, ", ")
}

func inputColumn(i int) string { return fmt.Sprintf("m%d", i) }

// results is the query of the cells' results.
func (c *cells) results(o options) string {
	aggregates := []string{"cell", "start", "unix_millis(until) AS `end`", "key", "count(1) AS version"}
	for i := range c.counts {
		aggregates = append(aggregates, fmt.Sprintf("count_if(c%d) AS c%d", i+1, i+1))
	}
	for i := range c.sums { // NULL where it leaves 64 bits: nothing that is added is below 0, so it never comes back
		aggregates = append(aggregates, fmt.Sprintf("try_sum(s%d) AS s%d", i+1, i+1))
	}
	for i := range c.hashes {
		aggregates = append(aggregates, fmt.Sprintf("hll_sketch_agg(h%d, 12) AS h%d", i+1, i+1))
	}
	grouped := "SELECT\n" + columns(aggregates...) + "\nFROM cells\nGROUP BY until, cell, start, key"
	return "SELECT\n" + columns(c.resultKey()+" AS key", c.resultValue(o)+" AS value") + "\n" + from(c.unions(grouped))
}

// unions makes of each sketch the union with itself: its estimate is then the
// composite one, which does not depend on the order of events.
func (c *cells) unions(grouped string) string {
	if c.hashes == 0 {
		return grouped
	}
	list := []string{"* EXCEPT (" + strings.TrimPrefix(c.hashNames(), ", ") + ")"}
	for i := range c.hashes {
		list = append(list, fmt.Sprintf("hll_union(h%d, h%d) AS h%d", i+1, i+1, i+1))
	}
	return "SELECT\n" + columns(list...) + "\n" + from(grouped)
}

func (c *cells) hashNames() string {
	var b strings.Builder
	for i := range c.hashes {
		fmt.Fprintf(&b, ", h%d", i+1)
	}
	return b.String()
}

// resultKey is ["statistic","window","start",key values…]. Spark's JSON escapes as
// the rule of keys has it.
func (c *cells) resultKey() string {
	var heads []string
	for _, s := range c.stats {
		for _, w := range s.Windows {
			heads = append(heads, text(`["`+s.Name+`","`+w.Name+`","`))
		}
	}
	return "concat(element_at(array(" + strings.Join(heads, ", ") + "), cell + 1), start, '\"',\n" +
		"    IF(size(key) = 0, ']', concat(',', substring(to_json(key), 2))))"
}

// resultValue is the value's JSON, in the form that liushui.Result.AppendValue gives it.
func (c *cells) resultValue(o options) string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, s := range c.stats {
		fmt.Fprintf(&b, "\n    WHEN cell < %d THEN concat(%s)", s.first+len(s.Windows), strings.Join(s.value(o), ", "))
	}
	b.WriteString("\n  END")
	return b.String()
}

func (s cellsOf) value(o options) []string {
	var windows, keys []string
	for _, w := range s.Windows {
		windows = append(windows, text(w.Name))
	}
	for i, by := range s.By {
		keys = append(keys, fmt.Sprintf("%s, key[%d]", text(by), i))
	}
	key := "'{}'"
	if len(keys) > 0 {
		key = "to_json(named_struct(" + strings.Join(keys, ", ") + "))"
	}
	window := windows[0]
	if len(windows) > 1 {
		window = fmt.Sprintf("element_at(array(%s), 1 + cell - %d)", strings.Join(windows, ", "), s.first)
	}
	parts := []string{text(`{"statistic":"` + s.Name + `","window":"`), window, text(`","start":`), "start", text(`,"end":`), "`end`", text(`,"key":`), key}
	before := `,"values":{"`
	for i, m := range s.Measures {
		parts = append(parts, text(before+m.Name+`":`), s.shown(i))
		before = `,"`
	}
	parts = append(parts, text(`},"version":`), "version",
		text(fmt.Sprintf(`,"late":null,"generation":%d,"repair":0,"engine":"%s"`, o.Generation, engineName)))
	return append(parts, s.sketches()...)
}

// shown is a measure's value as JSON.
func (s cellsOf) shown(measure int) string {
	column := s.slots[measure].column
	switch s.Measures[measure].Kind {
	case liushui.SumAmount:
		return "coalesce(" + money(column) + ", 'null')"
	case liushui.SumQuantity:
		return "coalesce(CAST(" + column + " AS STRING), 'null')"
	case liushui.Distinct:
		return "hll_sketch_estimate(" + column + ")"
	}
	return column
}

// money is an amount's text with two to four places.
func money(column string) string {
	places := fmt.Sprintf("CASE WHEN %[1]s %% 100 = 0 THEN lpad(%[1]s %% 10000 div 100, 2, '0') WHEN %[1]s %% 10 = 0 THEN lpad(%[1]s %% 10000 div 10, 3, '0') ELSE lpad(%[1]s %% 10000, 4, '0') END", column)
	return "concat(" + column + " div 10000, '.', " + places + ")"
}

// sketches are the last parts of a value.
func (s cellsOf) sketches() []string {
	if !s.Mergeable {
		return []string{text("}")}
	}
	var parts []string
	before := `,"sketches":{"`
	for i, m := range s.Measures {
		if m.Kind == liushui.Distinct {
			parts = append(parts, text(before+m.Name+`":"`), "translate(base64("+s.slots[i].column+"), CAST(X'0D0A' AS STRING), '')") // base64 breaks its lines
			before = `","`
		}
	}
	return append(parts, text(`"}}`))
}
