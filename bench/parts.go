//go:build linux

package main

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// benchmarks are those of the parts that the published page quotes.
var benchmarks = []struct{ pkg, pattern string }{
	{"./native", "BenchmarkDecodeFold"},
	{"./source", "BenchmarkRowsToEvents|BenchmarkReplay|BenchmarkGenerator"},
}

// parts runs them, each several times, and gives all of their figures.
func parts(ctx context.Context, s *setup) error {
	found := map[string]*series{}
	for range s.runs {
		for _, b := range benchmarks {
			out, err := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench="+b.pattern, "-benchmem", b.pkg).CombinedOutput()
			if err != nil {
				return fmt.Errorf("go test -bench %s %s: %w\n%s", b.pattern, b.pkg, err, out)
			}
			readBenchmarks(string(out), found)
		}
	}
	fmt.Print("`go test -bench` of the parts, one core each.\n\n")
	var all []*series
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name])
	}
	table(all...)
	return nil
}

// readBenchmarks takes the figures of lines such as
//
//	BenchmarkDecode-2   1000   512 ns/op   0 B/op   0 allocs/op
func readBenchmarks(out string, into map[string]*series) {
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(words[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of cores
		}
		for i := 2; i+1 < len(words); i += 2 {
			value, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				break
			}
			key := name + ", " + words[i+1]
			if into[key] == nil {
				into[key] = &series{name: key, format: "%.4g"}
			}
			into[key].add(value)
		}
	}
}
