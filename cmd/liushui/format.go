package main

import (
	"errors"
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
		b = liushui.AppendCSVList(s.AppendCSVHeader(b), rows, s, job.Zone)
	case "json":
		b = liushui.AppendJSONList(b, rows, s, job.Zone, jsonIndent)
	default:
		b = liushui.AppendTable(b, rows, s, job.Zone)
		if len(rows) == 0 {
			b = append(b, "no rows\n"...)
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
		b = liushui.AppendCSVList(s.AppendCorrectionsCSVHeader(b), all, s, job.Zone)
	case "json":
		b = liushui.AppendJSONList(b, all, s, job.Zone, jsonIndent)
	default:
		if b = liushui.AppendCorrectionsTable(b, all, s, job.Zone); len(all) == 0 {
			b = []byte("no corrections\n")
		}
	}
	_, err := w.Write(b)
	return err
}

// jsonIndent stands before the objects of a list.
const jsonIndent = "  "
