//go:build linux

package main

import (
	"fmt"
	"slices"
)

// series are the figures of one column, a run each.
type series struct {
	name   string
	format string // of a figure
	values []float64
}

func (s *series) add(v float64) { s.values = append(s.values, v) }

// String is the median and the range.
func (s *series) String() string {
	if len(s.values) == 0 {
		return "not measured"
	}
	sorted := slices.Sorted(slices.Values(s.values))
	show := func(v float64) string { return fmt.Sprintf(s.format, v) }
	return fmt.Sprintf("**%s** (%s to %s)", show(median(sorted)), show(sorted[0]), show(sorted[len(sorted)-1]))
}

func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// table prints series, one a row.
func table(all ...*series) {
	fmt.Println("| | median (range) |\n| --- | --- |")
	for _, s := range all {
		fmt.Printf("| %s | %s |\n", s.name, s)
	}
}
