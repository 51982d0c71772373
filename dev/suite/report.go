package main

import (
	"fmt"
	"io"
)

// report is what the suite has found.
type report struct {
	passed   int
	failures []finding
	skips    []finding
	times    []string
}

// finding is a test or stage that failed or was skipped, and why.
type finding struct{ what, why string }

func (r *report) fail(what, why string) { r.failures = append(r.failures, finding{what, why}) }
func (r *report) skip(what, why string) { r.skips = append(r.skips, finding{what, why}) }

// fine reports whether nothing failed and, where that matters, nothing was skipped.
func (r *report) fine(strict bool) bool {
	return len(r.failures) == 0 && (!strict || len(r.skips) == 0)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintln(w, "\n== times")
	for _, t := range r.times {
		fmt.Fprintln(w, "  ", t)
	}
	list(w, "failed", r.failures)
	list(w, "skipped", r.skips)
	if len(r.skips) == 0 {
		fmt.Fprintln(w, "\n== skipped: nothing")
	}
	fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", r.passed, len(r.failures), len(r.skips))
}

func list(w io.Writer, title string, findings []finding) {
	if len(findings) == 0 {
		return
	}
	fmt.Fprintf(w, "\n== %s\n", title)
	for _, f := range findings {
		fmt.Fprintf(w, "   %s: %s\n", f.what, f.why)
	}
}
