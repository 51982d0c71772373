package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// lines of `go test -json`, with the fields that matter.
func events(lines ...string) io.Reader { return strings.NewReader(strings.Join(lines, "\n")) }

func event(action, test, output string) string {
	return `{"Action":"` + action + `","Package":"p","Test":"` + test + `","Output":"` + output + `"}`
}

func TestReadTests(t *testing.T) {
	for _, test := range []struct {
		name    string
		lines   []string
		passed  int
		failed  []finding
		skipped []finding
	}{
		{"subtests are counted, not their parent", []string{
			event("run", "TestA", ""), event("run", "TestA/x", ""), event("run", "TestA/y", ""),
			event("pass", "TestA/x", ""), event("pass", "TestA/y", ""), event("pass", "TestA", ""), event("pass", "", ""),
		}, 2, nil, nil},
		{"a skip says why", []string{
			event("run", "TestA", ""), event("output", "TestA", `=== RUN   TestA\n`),
			event("output", "TestA", `    a_test.go:7: there is no mariadbd\n`), event("output", "TestA", `--- SKIP: TestA (0.00s)\n`),
			event("skip", "TestA", ""), event("pass", "", ""),
		}, 0, nil, []finding{{"p TestA", "there is no mariadbd"}}},
		{"a failed subtest is told once, with its place", []string{
			event("run", "TestA", ""), event("run", "TestA/x", ""),
			event("output", "TestA/x", `    a_test.go:9: got 1, want 2\n`), event("fail", "TestA/x", ""), event("fail", "TestA", ""), event("fail", "", ""),
		}, 0, []finding{{"p TestA/x", "a_test.go:9: got 1, want 2"}}, nil},
		{"a parent that fails by itself", []string{
			event("run", "TestA", ""), event("run", "TestA/x", ""), event("pass", "TestA/x", ""),
			event("output", "TestA", `    a_test.go:3: left over\n`), event("fail", "TestA", ""), event("fail", "", ""),
		}, 1, []finding{{"p TestA", "a_test.go:3: left over"}}, nil},
		{"a package that does not build", []string{
			`{"Action":"build-output","ImportPath":"p","Output":"p.go:1: syntax error"}`, event("fail", "", ""),
		}, 0, []finding{{"p", "failed outside a test: it does not build, ended early or ran out of time"}}, nil},
		{"a package without tests", []string{event("skip", "", "")}, 0, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &report{}
			if err := readTests(events(test.lines...), io.Discard, r); err != nil {
				t.Fatal(err)
			}
			if r.passed != test.passed || !slices.Equal(r.failures, test.failed) || !slices.Equal(r.skips, test.skipped) {
				t.Errorf("%d passed, failed %v, skipped %v; want %d, %v, %v", r.passed, r.failures, r.skips, test.passed, test.failed, test.skipped)
			}
		})
	}
}

func TestWhatAFailedTestSaidIsShown(t *testing.T) {
	var shown bytes.Buffer
	err := readTests(events(
		event("run", "TestHangs", ""), event("output", "TestHangs", `still here\n`),
		event("output", "", `panic: test timed out\n`), event("fail", "", "")), &shown, &report{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"still here", "panic: test timed out", "FAILED"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q is not in\n%s", want, shown.String())
		}
	}
}

func TestASkipFailsOnlyInCI(t *testing.T) {
	r := &report{}
	r.skip("a", "b")
	if !r.fine(false) || r.fine(true) {
		t.Errorf("fine is %v here and %v in CI", r.fine(false), r.fine(true))
	}
	var text bytes.Buffer
	r.print(&text)
	if !strings.HasSuffix(text.String(), "\n0 passed, 0 failed, 1 skipped\n") || !strings.Contains(text.String(), "a: b") {
		t.Errorf("printed %s", text.String())
	}
}

func TestParseTargets(t *testing.T) {
	got := parseTargets("FuzzA\nFuzzB\nok  \tliushui/a\t0.1s\n?   \tliushui/b\t[no test files]\nok  \tliushui/c\t0.1s\nFuzzC\nok  \tliushui/d\t0.2s\n")
	want := []fuzzTarget{{"liushui/a", "FuzzA"}, {"liushui/a", "FuzzB"}, {"liushui/d", "FuzzC"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestChanged(t *testing.T) {
	got := changed(map[string]string{"same": "1", "gone": "1", "other": "1"}, map[string]string{"same": "1", "other": "2", "new": "1"})
	if want := []string{"gone", "new", "other"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCountNode(t *testing.T) {
	r := &report{}
	countNode("# tests 5\n# pass 3\n# fail 0\n# skipped 2\n# todo 0\nℹ pass 4\n", r)
	if r.passed != 7 || len(r.skips) != 1 {
		t.Errorf("%d passed, skipped %v", r.passed, r.skips)
	}
}
