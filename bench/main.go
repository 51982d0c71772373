//go:build linux

// Command bench makes the published comparisons: whole programs, each in a
// process of its own, their CPU time and memory taken from the kernel, the two
// sides of a ratio run in turns.
//
//	go run ./bench                  all, into the terminal as Markdown
//	go run ./bench floor line       those
//	go run ./bench -runs 9 floor
//	go run ./bench -brokers 127.0.0.1:19092 floor   on a Kafka without the topic category (go run ./dev/servers kafka)
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// comparison is one table of bench/README.md.
type comparison struct {
	name string
	run  func(context.Context, *setup) error
}

var comparisons = []comparison{
	{"parts", parts},
	{"floor", floor},
	{"checkpoints", checkpoints},
	{"line", line},
	{"idle", idle},
	{"start", start},
	{"restart", restart},
}

// setup is what every comparison needs.
type setup struct {
	liushui, count string // programs
	dir            string // that is removed at the end
	runs           int
	events         int64
	brokers        string // of floor; "" is an embedded broker of its own
}

func main() {
	s := &setup{}
	flag.IntVar(&s.runs, "runs", 5, "runs, or pairs of runs, of each comparison")
	flag.Int64Var(&s.events, "events", 3_000_000, "events of each run")
	flag.StringVar(&s.brokers, "brokers", "", "floor: a Kafka to use instead of the embedded broker; its topic category must not exist")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.all(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func (s *setup) all(ctx context.Context, names []string) (err error) {
	for _, name := range names {
		if !slices.ContainsFunc(comparisons, func(c comparison) bool { return c.name == name }) {
			return fmt.Errorf("no comparison %q; there are %s", name, all(comparisons))
		}
	}
	if s.dir, err = os.MkdirTemp("", "liushui-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	if err := s.build(ctx); err != nil {
		return err
	}
	fmt.Printf("%s, %s, %d cores, %d runs each.\n", time.Now().Format("2006-01-02"), machine(), runtime.NumCPU(), s.runs)
	for _, c := range comparisons {
		if len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		fmt.Printf("\n## %s\n\n", c.name)
		if err := c.run(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

func all(comparisons []comparison) string {
	var names []string
	for _, c := range comparisons {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// build makes the programs as a user gets them.
func (s *setup) build(ctx context.Context) error {
	s.liushui, s.count = filepath.Join(s.dir, "liushui"), filepath.Join(s.dir, "count")
	for pkg, binary := range map[string]string{"./cmd/liushui": s.liushui, "./bench/count": s.count} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s", "-o", binary, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return nil
}

// machine names the processor and Go.
func machine() string {
	cpu := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(l, "model name"); ok {
				cpu = strings.TrimSpace(strings.TrimLeft(name, "\t: "))
				break
			}
		}
	}
	return cpu + ", " + runtime.Version()
}

// fresh is a new directory.
func (s *setup) fresh() (string, error) { return os.MkdirTemp(s.dir, "run-") }
