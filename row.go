package liushui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ApproximateAbove is the estimate of a distinct measure above which people see it marked with ≈.
const ApproximateAbove = 300

// rowTime is RFC 3339, with a fraction only where there is one.
const rowTime = "2006-01-02T15:04:05.999Z07:00"

// rowColumns are the columns of every row before its key fields and measures.
var rowColumns = []string{"window", "start", "end", "state", "version"}

// AppendJSON appends the row as one flat JSON object: window, start and end
// (RFC 3339 in zone), state, version, the key fields and the measures, money as
// exact decimal numbers. s is the row's statistic.
func (r *Row) AppendJSON(b []byte, s *Statistic, zone *time.Location) []byte {
	b = append(b, `{"window":`...)
	b = AppendQuoted(b, r.Window)
	b = append(b, `,"start":"`...)
	b = time.UnixMilli(r.Start).In(zone).AppendFormat(b, rowTime)
	b = append(b, `","end":"`...)
	b = time.UnixMilli(r.End).In(zone).AppendFormat(b, rowTime)
	b = append(b, `","state":`...)
	b = AppendQuoted(b, string(r.State))
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, r.Version, 10)
	for i, k := range r.Key {
		b = appendName(b, 1, s.By[i])
		b = AppendQuoted(b, k)
	}
	for i, v := range r.Values {
		b = appendName(b, 1, s.Measures[i].Name)
		b = v.AppendJSON(b, s.Measures[i].Kind)
	}
	return append(b, '}')
}

// AppendCSVHeader appends the names of AppendCSV's columns as a line.
func (s *Statistic) AppendCSVHeader(b []byte) []byte {
	for _, name := range rowColumns {
		b = append(append(b, name...), ',')
	}
	for _, name := range s.By {
		b = append(append(b, name...), ',')
	}
	for _, m := range s.Measures {
		b = append(append(b, m.Name...), ',')
	}
	b[len(b)-1] = '\n'
	return b
}

// AppendCSV appends the row as a line of CSV, its columns in AppendJSON's order;
// null is empty. A key that a spreadsheet would run as a formula gets a leading '.
func (r *Row) AppendCSV(b []byte, s *Statistic, zone *time.Location) []byte {
	b = append(append(b, r.Window...), ',')
	b = append(time.UnixMilli(r.Start).In(zone).AppendFormat(b, rowTime), ',')
	b = append(time.UnixMilli(r.End).In(zone).AppendFormat(b, rowTime), ',')
	b = append(append(b, r.State...), ',')
	b = append(strconv.AppendInt(b, r.Version, 10), ',')
	for _, k := range r.Key {
		b = append(appendCSVText(b, k), ',')
	}
	for i, v := range r.Values {
		if !v.Null {
			b = v.AppendJSON(b, s.Measures[i].Kind)
		}
		b = append(b, ',')
	}
	b[len(b)-1] = '\n'
	return b
}

// formulaStarts are the characters, full-width forms included, at which
// spreadsheets begin to read a formula.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

func appendCSVText(b []byte, text string) []byte {
	if first, _ := utf8.DecodeRuneInString(text); text != "" && strings.ContainsRune(formulaStarts, first) {
		text = "'" + text
	}
	if !strings.ContainsAny(text, "\",\r\n") && strings.TrimSpace(text) == text {
		return append(b, text...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(text, `"`, `""`)...)
	return append(b, '"')
}

// AppendTable appends rows of one statistic and window as a table for a
// terminal: the window's start in zone, state, key fields, measures. Estimates
// above ApproximateAbove carry ≈; what does not fit reads "too large"; an
// unknown key reads "(unknown)".
func AppendTable(b []byte, rows []Row, s *Statistic, zone *time.Location) []byte {
	cells := [][]string{tableHeader(s, zone)}
	for i := range rows {
		cells = append(cells, rows[i].tableCells(s, zone))
	}
	return appendColumns(b, cells, 2+len(s.By), len(cells[0]))
}

// appendColumns appends lines of a table. The columns [from, to) are figures,
// which stand to the right.
func appendColumns(b []byte, lines [][]string, from, to int) []byte {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], displayWidth(cell))
		}
	}
	for _, line := range lines {
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-displayWidth(cell))
			switch {
			case i >= from && i < to:
				b = append(append(b, pad...), cell...)
			case i < len(line)-1:
				b = append(append(b, cell...), pad...)
			default:
				b = append(b, cell...)
			}
			if i < len(line)-1 {
				b = append(b, "  "...)
			}
		}
		b = append(b, '\n')
	}
	return b
}

func tableHeader(s *Statistic, zone *time.Location) []string {
	header := append([]string{fmt.Sprintf("start (%s)", zone), "state"}, s.By...)
	for _, m := range s.Measures {
		header = append(header, m.Name)
	}
	return header
}

func (r *Row) tableCells(s *Statistic, zone *time.Location) []string {
	layout := "2006-01-02 15:04:05"
	if w, err := ParseWindow(r.Window); err == nil && w.Day() {
		layout = time.DateOnly
	}
	cells := []string{time.UnixMilli(r.Start).In(zone).Format(layout), string(r.State)}
	for _, k := range r.Key {
		if k == "" {
			k = "(unknown)"
		}
		cells = append(cells, strings.Map(printable, k))
	}
	for i, v := range r.Values {
		cells = append(cells, v.tableText(s.Measures[i].Kind))
	}
	return cells
}

// tableText is the value as people read it.
func (v Value) tableText(kind MeasureKind) string {
	switch {
	case v.Null:
		return "too large"
	case kind == Distinct && v.N > ApproximateAbove:
		return "≈" + strconv.FormatInt(v.N, 10)
	}
	return string(v.AppendJSON(nil, kind))
}

// printable keeps what a terminal would obey, or show in another order, out of it.
func printable(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
		return utf8.RuneError
	}
	return r
}

// wide are ranges of characters that take two columns of a terminal.
var wide = [][2]rune{{0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0xA4CF}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},
	{0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}}

func displayWidth(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r):
		case slices.ContainsFunc(wide, func(w [2]rune) bool { return r >= w[0] && r <= w[1] }):
			n += 2
		default:
			n++
		}
	}
	return n
}
