package liushui

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Correction is a row that changed after it was final.
type Correction struct {
	Row                  // as it is now
	First        []Value // what it was when it was final, in the order of the measures
	FirstVersion int64   // 0: nothing had been counted in it
	At           int64   // when it changed first: Kafka's time of that result, ms
	Changed      int64   // and when last
}

// change is a measure that a correction changed.
type change struct {
	measure             *Measure
	was, is, difference Value
}

// changes are the measures that differ from what they were, in the statistic's order.
func (c *Correction) changes(s *Statistic) (all []change) {
	for i := range s.Measures {
		was, is := c.First[i], c.Values[i]
		if was == is {
			continue
		}
		difference := is.N - was.N
		overflows := (is.N < was.N) != (difference < 0)
		all = append(all, change{&s.Measures[i], was, is, Value{N: difference, Null: was.Null || is.Null || overflows}})
	}
	return all
}

// correctionColumns are those of every corrected measure after its row's window,
// start, end and key fields.
var correctionColumns = []string{"measure", "was", "is", "difference", "late", "repair", "first", "last"}

// AppendJSON appends a flat JSON object for each measure that changed, separated
// by a comma and a new line: window, start, end, the key fields, measure, was,
// is, difference, late, repair, and when it changed first and last.
func (c *Correction) AppendJSON(b []byte, s *Statistic, zone *time.Location) []byte {
	for i, change := range c.changes(s) {
		if i > 0 {
			b = append(b, ",\n  "...)
		}
		b = append(b, `{"window":`...)
		b = AppendQuoted(b, c.Window)
		b = appendTime(append(b, `,"start":"`...), c.Start, zone)
		b = appendTime(append(b, `","end":"`...), c.End, zone)
		b = append(b, '"')
		for i, k := range c.Key {
			b = appendName(b, 1, s.By[i])
			b = AppendQuoted(b, k)
		}
		b = append(b, `,"measure":`...)
		b = AppendQuoted(b, change.measure.Name)
		for i, v := range []Value{change.was, change.is, change.difference} {
			b = appendName(b, 1, correctionColumns[1+i])
			b = v.AppendJSON(b, change.measure.Kind)
		}
		b = append(b, `,"late":`...)
		if c.Late == LateUnknown {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendInt(b, c.Late, 10)
		}
		b = strconv.AppendInt(append(b, `,"repair":`...), c.Repair, 10)
		b = appendTime(append(b, `,"first":"`...), c.At, zone)
		b = appendTime(append(b, `","last":"`...), c.Changed, zone)
		b = append(b, `"}`...)
	}
	return b
}

func appendTime(b []byte, ms int64, zone *time.Location) []byte {
	return time.UnixMilli(ms).In(zone).AppendFormat(b, rowTime)
}

// AppendCorrectionsCSVHeader appends the names of AppendCSV's columns as a line.
func (s *Statistic) AppendCorrectionsCSVHeader(b []byte) []byte {
	columns := append([]string{"window", "start", "end"}, s.By...)
	b = append(b, strings.Join(append(columns, correctionColumns...), ",")...)
	return append(b, '\n')
}

// AppendCSV appends a line of CSV for each measure that changed, its columns in
// AppendJSON's order; null is empty.
func (c *Correction) AppendCSV(b []byte, s *Statistic, zone *time.Location) []byte {
	for _, change := range c.changes(s) {
		b = append(append(b, c.Window...), ',')
		b = append(appendTime(b, c.Start, zone), ',')
		b = append(appendTime(b, c.End, zone), ',')
		for _, k := range c.Key {
			b = append(appendCSVText(b, k), ',')
		}
		b = append(append(b, change.measure.Name...), ',')
		for _, v := range []Value{change.was, change.is, change.difference} {
			if !v.Null {
				b = v.AppendJSON(b, change.measure.Kind)
			}
			b = append(b, ',')
		}
		if c.Late != LateUnknown {
			b = strconv.AppendInt(b, c.Late, 10)
		}
		b = append(strconv.AppendInt(append(b, ','), c.Repair, 10), ',')
		b = append(appendTime(b, c.At, zone), ',')
		b = append(appendTime(b, c.Changed, zone), '\n')
	}
	return b
}

// AppendCorrectionsTable appends corrections of one statistic as a table for a
// terminal, a line for each measure that changed.
func AppendCorrectionsTable(b []byte, all []Correction, s *Statistic, zone *time.Location) []byte {
	header := append([]string{fmt.Sprintf("start (%s)", zone), "window"}, s.By...)
	lines := [][]string{append(header, "measure", "was", "is", "difference", "late", "changed")}
	for i := range all {
		c := &all[i]
		key := c.tableCells(s, zone)[2 : 2+len(s.By)]
		for _, change := range c.changes(s) {
			line := append([]string{time.UnixMilli(c.Start).In(zone).Format(time.DateTime), c.Window}, key...)
			line = append(line, change.measure.Name)
			for _, v := range []Value{change.was, change.is, change.difference} {
				line = append(line, v.tableText(change.measure.Kind))
			}
			switch d := &line[len(line)-1]; {
			case change.difference.Null:
				*d = "-"
			case change.difference.N > 0:
				*d = "+" + *d
			}
			late := strconv.FormatInt(c.Late, 10)
			switch {
			case c.Repair > 0 && c.Late > 0:
				late += ", repaired"
			case c.Repair > 0:
				late = "repaired"
			}
			lines = append(lines, append(line, late, time.UnixMilli(c.Changed).In(zone).Format(time.DateTime)))
		}
	}
	return appendColumns(b, lines, 3+len(s.By), 6+len(s.By))
}
