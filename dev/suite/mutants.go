package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const simulatedSeeds = 2000

// simulation plays the simulation without the race detector, under which stage
// test plays a few seeds.
func simulation(ctx context.Context, r *report) error {
	seeds := os.Getenv("LIUSHUI_SEEDS")
	if seeds == "" {
		seeds = fmt.Sprint(simulatedSeeds)
	}
	out, err := simulate(ctx, seeds)
	if err != nil {
		fmt.Printf("%s", out)
		return fmt.Errorf("%s seeds: %w", seeds, err)
	}
	fmt.Printf("   %s seeds\n", seeds)
	return nil
}

func simulate(ctx context.Context, seeds string, args ...string) ([]byte, error) {
	args = append([]string{"test", "-vet=off", "-count=1", "-run=^TestSimulation$", "-timeout=20m"}, args...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/liushui")...)
	cmd.Env = append(os.Environ(), "LIUSHUI_SEEDS="+seeds)
	return cmd.CombinedOutput()
}

// mutant is the program with one fault that a person might make.
type mutant struct {
	name, file string
	from, to   string // from stands in the file once
}

var mutants = []mutant{
	{"the guard of versions is broken", "store/sqlite.go", `excluded."version") > (`, `excluded."version") <> (`},
	{"an offset is skipped after a restart", "native/engine.go", "offsets[number] = p.offset\n", "offsets[number] = p.offset + 1\n"},
	{"the checkpoint's checksum is not looked at", "native/checkpoint.go", "if xxh3.Hash(body) !=", "if false && xxh3.Hash(body) !="},
	{"the journal is ignored", "native/checkpoint.go", "r.batches = append(r.batches, entries...)", "_ = entries"},
	{"an id is forgotten too early", "native/ids.go", "if held.time() > tooLate {\n				return false", "if held.time() > tooLate+20_000 {\n				return false"},
	{"a cent is rounded", "native/fold.go", "addWide(f.values[d.at+m.at:], f.columns.amounts[row])", "addWide(f.values[d.at+m.at:], f.columns.amounts[row]/100*100)"},
	{"the journal is not synced", "native/journal.go", "if err := j.file.Sync(); err != nil {", "if err := error(nil); err != nil {"},
	{"a checkpoint does not wait for acknowledgements", "native/save.go", "errors.Join(e.c.Results.Flush(ctx), e.c.DeadLetters.Flush(ctx)); err != nil {\n		return fmt.Errorf(\"wait for", "errors.Join(); err != nil {\n		return fmt.Errorf(\"wait for"},
	{"results are sent before the batch is journaled", "native/loop.go", "entry.after = e.marks.watermark\n", "entry.after = e.marks.watermark\n		e.collect()\n		if err := errors.Join(e.send(ctx, now, true), e.c.Results.Flush(ctx)); err != nil {\n			return taken, err\n		}\n"},
}

// mutantSeeds is how many seeds may pass before a mutant counts as not seen.
const mutantSeeds = "500"

// killMutants shows that the simulation finds faults: it must fail on each mutant.
func killMutants(ctx context.Context, r *report) error {
	dir, err := os.MkdirTemp("", "liushui-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, m := range mutants {
		began := time.Now()
		overlay, err := m.write(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		out, err := simulate(ctx, mutantSeeds, "-overlay="+overlay)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch seed := failedSeed(out); {
		case err == nil:
			r.fail("mutant", m.name+": the simulation does not see it")
		case seed == "":
			fmt.Printf("%s", out)
			r.fail("mutant", m.name+": it does not build, or fails otherwise")
		default:
			r.passed++
			fmt.Printf("   %-50s %5.1f s  %s\n", m.name, time.Since(began).Seconds(), seed)
		}
	}
	return nil
}

// write writes the mutated file and the overlay that puts it in place of the real one.
func (m mutant) write(dir string) (overlay string, err error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), m.from) != 1 {
		return "", fmt.Errorf("%s holds %d times what the mutant changes; dev/suite/mutants.go must follow it", m.file, strings.Count(string(text), m.from))
	}
	real, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	mutated := filepath.Join(dir, filepath.Base(m.file))
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {real: mutated}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(
		os.WriteFile(mutated, []byte(strings.Replace(string(text), m.from, m.to, 1)), 0o644),
		os.WriteFile(overlay, replaced, 0o644))
}

// failedSeed is the first seed that a run of the simulation names.
func failedSeed(out []byte) string {
	_, after, ok := strings.Cut(string(out), ": seed ")
	if !ok {
		return ""
	}
	number, _, _ := strings.Cut(after, ":")
	return "seed " + number
}
