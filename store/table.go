package store

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"liushui"
)

// Names of the store's own tables; no statistic's name begins with _.
const (
	tableStore       = "_liushui_store"       // one row: how far the topic has been taken
	tableRecords     = "_liushui_records"     // the newest job and progress records
	tableGenerations = "_liushui_generations" // what they say of each generation, for the views
	tableTables      = "_liushui_tables"      // the tables of statistics
)

// A table holds the rows of one statistic and one set of key fields. Names that
// carry a $ cannot meet a statistic, field or measure: none of theirs does.
type table struct {
	name   string
	fields []string // sorted
	keys   []string // their columns, in that order
}

// tableOf names the table of a statistic after it and its key fields, as in
// sales_by_province$province; where that is too long or case would decide, after a hash of them.
func tableOf(s *liushui.Statistic) *table {
	t := &table{fields: slices.Sorted(slices.Values(s.By))}
	joined := strings.Join(t.fields, "$")
	t.name = s.Name + "$" + joined
	if len(t.name) > 64 || strings.ToLower(joined) != joined {
		sum := sha256.Sum256([]byte(joined))
		t.name = s.Name + "$$" + hex.EncodeToString(sum[:4])
	}
	for i, field := range t.fields {
		same := slices.ContainsFunc(t.fields[:i], func(f string) bool { return strings.EqualFold(f, field) })
		if same { // Brand and brand: no database tells such columns apart
			field += "$" + string(rune('0'+i))
		}
		t.keys = append(t.keys, field)
	}
	return t
}

// key is the primary key's columns.
func (t *table) key() []string { return append([]string{"generation", "window", "start"}, t.keys...) }

// keyColumn is the column of a key field.
func (t *table) keyColumn(field string) string { return t.keys[slices.Index(t.fields, field)] }

// fixed are the columns besides key, measures and sketches. The offsets are
// those of local time, in seconds.
var fixed = []string{"end", "start$offset", "end$offset", "late", "engine", "repair", "version"}

// measureColumn is a measure's column. Money has ten-thousandths in its, whose name ends in $.
func measureColumn(m liushui.Measure) string {
	if m.Kind == liushui.SumAmount {
		return m.Name + "$"
	}
	return m.Name
}

// sketchColumn is the column of a measure's sketch, empty where there is none.
func sketchColumn(s *liushui.Statistic, m liushui.Measure) string {
	if s.Mergeable && m.Kind == liushui.Distinct {
		return m.Name + "$sketch"
	}
	return ""
}

// valueColumns are the columns of the measures and, after them, of the sketches.
func valueColumns(s *liushui.Statistic) (measures, sketches []string) {
	for _, m := range s.Measures {
		measures = append(measures, measureColumn(m))
		if c := sketchColumn(s, m); c != "" {
			sketches = append(sketches, c)
		}
	}
	return measures, sketches
}

// createTable is the table with the columns of its first job.
func createTable(d dialect, t *table, s *liushui.Statistic) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS " + d.quote(t.name) + " (" +
		d.quote("generation") + " BIGINT NOT NULL, " + d.quote("window") + " " + d.windowType() + " NOT NULL, " + d.quote("start") + " BIGINT NOT NULL")
	for _, k := range t.keys {
		b.WriteString(", " + d.quote(k) + " " + d.keyType() + " NOT NULL")
	}
	for _, c := range fixed {
		switch c {
		case "late":
			b.WriteString(", " + d.quote(c) + " BIGINT NULL")
		case "engine":
			b.WriteString(", " + d.quote(c) + " VARCHAR(64) NOT NULL")
		default:
			b.WriteString(", " + d.quote(c) + " BIGINT NOT NULL")
		}
	}
	measures, sketches := valueColumns(s)
	for _, c := range measures {
		b.WriteString(", " + d.quote(c) + " BIGINT NULL")
	}
	for _, c := range sketches {
		b.WriteString(", " + d.quote(c) + " " + d.bytesType() + " NULL")
	}
	b.WriteString(", PRIMARY KEY (" + quoted(d, t.key()) + "))" + d.tableOptions(s.Mergeable))
	return b.String()
}

// addColumns are the statements that bring a table that is held to a later job's measures.
func addColumns(d dialect, table string, measures, sketches, held []string) []string {
	var statements []string
	add := func(column, kind string) {
		if len(held) > 0 && !slices.Contains(held, column) {
			statements = append(statements, "ALTER TABLE "+d.quote(table)+" ADD COLUMN "+d.quote(column)+" "+kind+" NULL")
		}
	}
	for _, c := range measures {
		add(c, "BIGINT")
	}
	for _, c := range sketches {
		add(c, d.bytesType())
	}
	return statements
}

// viewQuery is what a person reads under the statistic's own name: the shown
// rows, with local times, decimal money and how firm they are. SQLite keeps the
// order of a CROSS JOIN, so generation and window find their rows by the key.
func viewQuery(d dialect, t *table, s *liushui.Statistic) string {
	r := func(column string) string { return "r." + d.quote(column) }
	g := func(column string) string { return "g." + d.quote(column) }
	var b strings.Builder
	column := func(expression, name string) { b.WriteString(expression + " AS " + d.quote(name) + ", ") }
	b.WriteString("SELECT ")
	column(r("window"), "window_size")
	column(d.localTime(r("start"), r("start$offset")), "start")
	column(d.localTime(r("end"), r("end$offset")), "end")
	column("CASE WHEN "+g("ended")+" = 0 AND "+g("watermark")+" < "+r("end")+" THEN 'provisional' WHEN "+r("late")+" > 0 THEN 'corrected' ELSE 'final' END", "state")
	for _, field := range s.By {
		column(d.text(r(t.keyColumn(field))), t.keyColumn(field))
	}
	for _, m := range s.Measures {
		expression := r(measureColumn(m))
		if m.Kind == liushui.SumAmount {
			expression = d.decimal(expression)
		}
		column(expression, m.Name)
	}
	column(r("version"), "version")
	column(r("late"), "late")
	b.WriteString(r("generation") + " AS " + d.quote("generation") +
		" FROM " + d.quote(tableGenerations) + " g CROSS JOIN " + d.quote(t.name) + " r ON " + g("generation") + " = " + r("generation") +
		" AND " + r("start") + " >= " + g("shown_from") + " AND " + r("start") + " < " + g("shown_to"))
	return b.String()
}
