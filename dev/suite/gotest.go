package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// goTests runs all tests. A package at a time: several of them start browsers,
// databases and whole lines, and two cores are soon busy with one of those.
func goTests(ctx context.Context, r *report) error {
	args := []string{"-shuffle=on", "-p=1", "-timeout=25m", "-vet=off", "./..."}
	if _, err := exec.LookPath("cc"); err == nil {
		args = append([]string{"-race"}, args...)
	} else {
		r.skip("race detector", "there is no C compiler on this machine")
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := len(r.failures)
	readErr := readTests(out, os.Stdout, r)
	err = cmd.Wait()
	if len(r.failures) > failed {
		err = nil // it has been told, test by test
	}
	return errors.Join(readErr, err)
}

// testEvent is a line of `go test -json`.
type testEvent struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
	Elapsed    float64
}

// testRun is what is known of a package's run so far.
type testRun struct {
	report *report
	show   io.Writer
	output map[string]string // by test; "" is the package's own
	parent map[string]bool   // tests with subtests are not counted, their subtests are
	broken map[string]bool   // parents of failed subtests
	open   map[string]bool   // begun and not ended

	passed, failed, skipped int
}

// readTests follows the output of `go test -json`: a line a package, and all
// that a failed test said.
func readTests(in io.Reader, show io.Writer, r *report) error {
	runs := map[string]*testRun{}
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var e testEvent
		if json.Unmarshal(scanner.Bytes(), &e) != nil {
			fmt.Fprintf(show, "%s\n", scanner.Bytes())
			continue
		}
		if e.Action == "build-output" {
			fmt.Fprint(show, e.Output)
			continue
		}
		if e.Package == "" {
			continue
		}
		run := runs[e.Package]
		if run == nil {
			run = newTestRun(r, show)
			runs[e.Package] = run
		}
		run.take(e)
	}
	return scanner.Err()
}

func newTestRun(r *report, show io.Writer) *testRun {
	return &testRun{report: r, show: show, output: map[string]string{},
		parent: map[string]bool{}, broken: map[string]bool{}, open: map[string]bool{}}
}

func (t *testRun) take(e testEvent) {
	switch {
	case e.Action == "output":
		t.output[e.Test] += e.Output
	case e.Test == "":
		t.end(e)
	case e.Action == "run":
		t.open[e.Test] = true
		t.parent[parentOf(e.Test)] = true
	case e.Action == "pass":
		t.close(e.Test)
		if !t.parent[e.Test] {
			t.passed++
			t.report.passed++
		}
	case e.Action == "skip":
		t.skipped++
		t.report.skip(e.Package+" "+e.Test, reason(t.output[e.Test]))
		t.close(e.Test)
	case e.Action == "fail":
		fmt.Fprint(t.show, t.output[e.Test])
		if !t.broken[e.Test] { // else its subtests have been told
			t.failed++
			t.report.fail(e.Package+" "+e.Test, firstFault(t.output[e.Test]))
		}
		t.broken[parentOf(e.Test)] = true
		t.close(e.Test)
	}
}

// parentOf is the test that a subtest belongs to, or "".
func parentOf(test string) string {
	return test[:max(0, strings.LastIndexByte(test, '/'))]
}

func (t *testRun) close(test string) {
	delete(t.open, test)
	delete(t.output, test)
}

// end is the end of the package.
func (t *testRun) end(e testEvent) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(t.show, "   %-24s %6.1f s  %d passed", e.Package, e.Elapsed, t.passed)
		if t.skipped > 0 {
			fmt.Fprintf(t.show, ", %d skipped", t.skipped)
		}
		fmt.Fprintln(t.show)
	case "fail":
		for test := range t.open {
			fmt.Fprint(t.show, t.output[test])
		}
		fmt.Fprint(t.show, t.output[""])
		fmt.Fprintf(t.show, "   %-24s %6.1f s  FAILED\n", e.Package, e.Elapsed)
		if t.failed == 0 {
			t.report.fail(e.Package, "failed outside a test: it does not build, ended early or ran out of time")
		}
	}
}

var (
	place     = regexp.MustCompile(`^\s*\S+\.go:\d+: `)
	frameLine = regexp.MustCompile(`^\s*(===|---)|^\s*$`)
)

// reason is what a skipped test said.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		if !frameLine.MatchString(line) {
			said = append(said, strings.TrimSpace(place.ReplaceAllString(line, "")))
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// firstFault is the first line that a failed test said, with its place.
func firstFault(output string) string {
	for line := range strings.Lines(output) {
		if place.MatchString(line) || strings.HasPrefix(line, "panic:") {
			return strings.TrimSpace(line)
		}
	}
	return "see above"
}
