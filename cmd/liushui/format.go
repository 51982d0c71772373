package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"liushui"
)

// formatFlag is how query writes rows.
type formatFlag string

var formats = []string{"table", "csv", "json"}

func (f *formatFlag) Type() string   { return "table|csv|json" }
func (f *formatFlag) String() string { return string(*f) }

func (f *formatFlag) Set(s string) error {
	if !slices.Contains(formats, s) {
		return errors.New("want table, csv or json")
	}
	*f = formatFlag(s)
	return nil
}

// write writes rows of one statistic and window.
func (f formatFlag) write(w io.Writer, job *liushui.Job, s *liushui.Statistic, rows []liushui.Row) error {
	var b []byte
	switch f {
	case "csv":
		b = s.AppendCSVHeader(b)
		for i := range rows {
			b = rows[i].AppendCSV(b, s, job.Zone)
		}
	case "json":
		b = append(b, '[')
		for i := range rows {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, "\n  "...)
			b = rows[i].AppendJSON(b, s, job.Zone)
		}
		if len(rows) > 0 {
			b = append(b, '\n')
		}
		b = append(b, "]\n"...)
	default:
		b = liushui.AppendTable(b, rows, s, job.Zone)
		if len(rows) == 0 {
			b = fmt.Appendf(b, "no rows\n")
		}
	}
	_, err := w.Write(b)
	return err
}

// writeCorrections writes corrections of one statistic, a line or an object for
// each figure that changed.
func (f formatFlag) writeCorrections(w io.Writer, job *liushui.Job, s *liushui.Statistic, all []liushui.Correction) error {
	var b []byte
	switch f {
	case "csv":
		b = s.AppendCorrectionsCSVHeader(b)
		for i := range all {
			b = all[i].AppendCSV(b, s, job.Zone)
		}
	case "json":
		b = append(b, '[')
		for i := range all {
			begin := len(b)
			if begin > 1 {
				b = append(b, ',')
			}
			b = append(b, "\n  "...)
			whole := len(b)
			if b = all[i].AppendJSON(b, s, job.Zone); len(b) == whole {
				b = b[:begin] // no figure of it changed
			}
		}
		if len(b) > 1 {
			b = append(b, '\n')
		}
		b = append(b, "]\n"...)
	default:
		if b = liushui.AppendCorrectionsTable(b, all, s, job.Zone); len(all) == 0 {
			b = []byte("no corrections\n")
		}
	}
	_, err := w.Write(b)
	return err
}
