package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// command is a stage that is one command.
func command(name string, args ...string) func(context.Context, *report) error {
	return func(ctx context.Context, _ *report) error { return run(ctx, ".", name, args...) }
}

// run runs a command and shows what it says.
func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

func installTools(ctx context.Context, r *report) error {
	return run(ctx, ".", "bash", "dev/deps.sh")
}

// servers fetches what the tests start. Without Maven they are skipped.
func servers(ctx context.Context, r *report) error {
	if _, err := exec.LookPath("mvn"); err != nil {
		r.skip("servers", "there is no mvn on this machine; apt-get install maven")
		return nil
	}
	return run(ctx, ".", "go", "run", "./dev/servers", "fetch")
}

func format(ctx context.Context, r *report) error {
	files, err := exec.CommandContext(ctx, "git", "ls-files", "--cached", "--others", "--exclude-standard", "*.go").Output()
	if err != nil {
		return fmt.Errorf("list the Go files: %w", err)
	}
	there := slices.DeleteFunc(strings.Fields(string(files)), func(name string) bool {
		_, err := os.Stat(name)
		return errors.Is(err, fs.ErrNotExist)
	})
	out, err := exec.CommandContext(ctx, "gofmt", append([]string{"-l"}, there...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("gofmt: %w\n%s", err, out)
	}
	for _, name := range strings.Fields(string(out)) {
		r.fail(name, "not as gofmt writes it")
	}
	return nil
}

const pageDir = "wall/ui"

// haveNode reports whether the page can be worked on here.
func haveNode(r *report, what string) bool {
	if _, err := exec.LookPath("npm"); err != nil {
		r.skip(what, "there is no npm on this machine; install Node.js 20 or later")
		return false
	}
	return true
}

func page(ctx context.Context, r *report) error {
	if !haveNode(r, "the page's types and tests") {
		return nil
	}
	for _, args := range [][]string{{"ci", "--no-progress"}, {"run", "check"}} {
		if err := run(ctx, pageDir, "npm", args...); err != nil {
			return err
		}
		r.passed++
	}
	cmd := exec.CommandContext(ctx, "npm", "test")
	cmd.Dir = pageDir
	out, err := cmd.CombinedOutput()
	countNode(string(out), r)
	if err != nil {
		fmt.Printf("%s", out)
		return fmt.Errorf("npm test: %w", err)
	}
	return nil
}

var nodeCount = regexp.MustCompile(`^(?:#|ℹ) (pass|skipped|todo) (\d+)$`)

// countNode takes the numbers that node's test runner ends with.
func countNode(output string, r *report) {
	for line := range strings.Lines(output) {
		m := nodeCount.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[2]) // digits only
		if m[1] == "pass" {
			r.passed += n
		} else if n > 0 {
			r.skip(pageDir, m[2]+" tests are marked "+m[1])
		}
	}
}

// generatedPaths are what programs wrote and people commit.
var generatedPaths = []string{"wall/dist", "docs", "spark/proto"}

// generated makes them again and compares.
func generated(ctx context.Context, r *report) error {
	before, err := contents(generatedPaths)
	if err != nil {
		return err
	}
	if err := run(ctx, ".", "go", "generate", "./..."); err != nil {
		return err
	}
	if haveNode(r, "the built page") {
		if err := run(ctx, pageDir, "npm", "run", "build"); err != nil {
			return err
		}
	}
	after, err := contents(generatedPaths)
	if err != nil {
		return err
	}
	for _, name := range changed(before, after) {
		r.fail(name, "comes out otherwise than it was; look at it and commit it")
	}
	return nil
}

// contents are the files below some paths, by name.
func contents(paths []string) (map[string]string, error) {
	files := map[string]string{}
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(name)
			files[name] = string(text)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return files, nil
}

// changed are the files that differ, are new or are gone, sorted.
func changed(before, after map[string]string) (names []string) {
	for name, text := range after {
		if was, ok := before[name]; !ok || was != text {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// program builds what a user gets, without C, and starts it.
func program(ctx context.Context, r *report) error {
	dir, err := os.MkdirTemp("", "liushui-suite-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "liushui")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s", "-o", binary, "./cmd/liushui")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	if info, err := os.Stat(binary); err == nil {
		fmt.Printf("   %.1f MB\n", float64(info.Size())/1e6)
	}
	return run(ctx, ".", binary, "version")
}

// clean fails where a run has left something in a fresh clone.
func clean(ctx context.Context, r *report) error {
	if !inCI() {
		return nil
	}
	out, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil {
		return fmt.Errorf("git status: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		r.fail(strings.TrimSpace(line), "the run has changed it or left it behind")
	}
	return nil
}
