package liushui

import "time"

// listed is what stands in a list as a line of CSV or an object of JSON: a Row
// or a Correction.
type listed[T any] interface {
	*T
	AppendCSV(b []byte, s *Statistic, zone *time.Location) []byte
	AppendJSON(b []byte, s *Statistic, zone *time.Location) []byte
}

// AppendCSVList appends the lines of all, without a header.
func AppendCSVList[T any, L listed[T]](b []byte, all []T, s *Statistic, zone *time.Location) []byte {
	for i := range all {
		b = L(&all[i]).AppendCSV(b, s, zone)
	}
	return b
}

// AppendJSONList appends an array, each object of it on a line of its own; with
// an indent the brackets stand on theirs, too. What gives no object is left out.
func AppendJSONList[T any, L listed[T]](b []byte, all []T, s *Statistic, zone *time.Location, indent string) []byte {
	b = append(b, '[')
	empty := len(b)
	for i := range all {
		before := len(b)
		if before > empty {
			b = append(b, ",\n"...)
		} else if indent != "" {
			b = append(b, '\n')
		}
		b = append(b, indent...)
		begun := len(b)
		if b = L(&all[i]).AppendJSON(b, s, zone); len(b) == begun {
			b = b[:before]
		}
	}
	if indent != "" && len(b) > empty {
		b = append(b, '\n')
	}
	return append(b, "]\n"...)
}
