// Command suite runs all that guards the project, stage by stage, and ends with
// what was skipped and why:
//
//	go run ./dev/suite                        every stage
//	go run ./dev/suite format vet staticcheck those
//
// It goes on after a failed stage and then exits with 1. With CI=true a skip is
// a failure too. FUZZTIME is how long each fuzz target runs.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// stage is a part of the suite. What it finds goes into the report; an error is
// a failure of the stage as a whole.
type stage struct {
	name string
	does string
	run  func(context.Context, *report) error
}

// stages stand in the order in which they run. page installs what the browser
// tests need.
var stages = []stage{
	{"tools", "what the tests need from Debian", installTools},
	{"modules", "the Go modules", command("go", "mod", "download")},
	{"servers", "Kafka, MySQL and Spark from Maven Central, fetched once", servers},
	{"format", "gofmt", format},
	{"vet", "go vet", command("go", "vet", "./...")},
	{"staticcheck", "the rules of staticcheck.conf", command("go", "tool", "staticcheck", "./...")},
	{"page", "the wall's page: types and tests", page},
	{"test", "all Go tests, in random order, under the race detector", goTests},
	{"simulation", "2,000 seeds of faults, compared with the oracle", simulation},
	{"mutants", "the simulation finds faults that are put into the program", killMutants},
	{"fuzz", "every fuzz target for a while", fuzz},
	{"generated", "the built page, the references and the protocol come out as committed", generated},
	{"program", "one static program that starts", program},
	{"clean", "in CI: nothing has left files behind", clean},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	chosen, err := choose(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(2)
	}
	r := &report{}
	for _, s := range chosen {
		r.stage(ctx, s)
	}
	r.print(os.Stdout)
	if !r.fine(inCI()) {
		os.Exit(1)
	}
}

func inCI() bool { return os.Getenv("CI") == "true" }

func choose(names []string) ([]stage, error) {
	if len(names) == 0 {
		return stages, nil
	}
	var chosen []stage
	for _, name := range names {
		i := slices.IndexFunc(stages, func(s stage) bool { return s.name == name })
		if i < 0 {
			var all []string
			for _, s := range stages {
				all = append(all, s.name)
			}
			return nil, fmt.Errorf("no stage %q; there are %s", name, strings.Join(all, ", "))
		}
		chosen = append(chosen, stages[i])
	}
	return chosen, nil
}

// stage runs one stage and takes its time.
func (r *report) stage(ctx context.Context, s stage) {
	if ctx.Err() != nil {
		r.fail(s.name, "interrupted")
		return
	}
	fmt.Printf("== %s: %s\n", s.name, s.does)
	before, began := *r, time.Now()
	if err := s.run(ctx, r); err != nil {
		r.fail(s.name, err.Error())
	} else if r.passed == before.passed && len(r.failures) == len(before.failures) && len(r.skips) == len(before.skips) {
		r.passed++ // a stage that counts nothing is one check
	}
	took := time.Since(began)
	r.times = append(r.times, fmt.Sprintf("%-12s %6.1f s", s.name, took.Seconds()))
	fmt.Printf("   %.1f s\n", took.Seconds())
}
