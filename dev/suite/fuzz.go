package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Bounds of the fuzz stage: each target runs for eachFuzz, all of them together for about allFuzz.
const (
	eachFuzz = 10 * time.Second
	allFuzz  = 3 * time.Minute
)

type fuzzTarget struct{ pkg, name string }

// fuzz runs every fuzz target that `go test -list` knows.
func fuzz(ctx context.Context, r *report) error {
	targets, err := fuzzTargets(ctx)
	if err != nil {
		return err
	}
	each := min(eachFuzz, allFuzz/time.Duration(max(1, len(targets))))
	if s := os.Getenv("FUZZTIME"); s != "" {
		if each, err = time.ParseDuration(s); err != nil {
			return fmt.Errorf("FUZZTIME: %w", err)
		}
	}
	for _, t := range targets {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.run(ctx, r, each)
	}
	return nil
}

func fuzzTargets(ctx context.Context) ([]fuzzTarget, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-list=^Fuzz", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the fuzz targets: %w\n%s", err, out)
	}
	return parseTargets(string(out)), nil
}

// parseTargets reads the names, each package's own before its line "ok".
func parseTargets(list string) (targets []fuzzTarget) {
	var names []string
	for line := range strings.Lines(list) {
		switch words := strings.Fields(line); {
		case len(words) == 1 && strings.HasPrefix(words[0], "Fuzz"):
			names = append(names, words[0])
		case len(words) > 1 && words[0] == "ok":
			for _, name := range names {
				targets = append(targets, fuzzTarget{words[1], name})
			}
			names = nil
		}
	}
	return targets
}

// run fuzzes one target. The deadline of -fuzztime itself may come out as a
// failure (go.dev/issue/75804); without a failing input that is tried once more.
func (t fuzzTarget) run(ctx context.Context, r *report, each time.Duration) {
	what := t.pkg + " " + t.name
	for again := true; ; again = false {
		began := time.Now()
		cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-run=^$", "-fuzz=^"+t.name+"$", "-fuzztime="+each.String(), "-fuzzminimizetime=20x", t.pkg)
		out, err := cmd.CombinedOutput()
		switch {
		case err == nil:
			r.passed++
			fmt.Printf("   %-44s %6.1f s  %s\n", what, time.Since(began).Seconds(), lastCount(out))
			return
		case again && bytes.Contains(out, []byte("context deadline exceeded")) && !bytes.Contains(out, []byte("Failing input")):
			continue
		}
		fmt.Printf("%s", out)
		r.fail(what, "see above; the failing input is now in its testdata/fuzz")
		return
	}
}

// lastCount is how much the target has run, from fuzzing's last progress line.
func lastCount(out []byte) string {
	count := ""
	for line := range strings.Lines(string(out)) {
		if _, after, ok := strings.Cut(line, "execs: "); ok {
			count, _, _ = strings.Cut(after, " ")
		}
	}
	return count + " runs"
}
