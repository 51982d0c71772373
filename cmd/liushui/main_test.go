package main

import (
	"bytes"
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// result is what a command line gave.
type result struct {
	code        int
	out, errOut string
}

// command runs a command line to its end.
func command(t *testing.T, args ...string) result {
	t.Helper()
	return commandWith(t, nil, args...)
}

// commandWith is command with environment variables.
func commandWith(t *testing.T, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var out, errOut output
	code := run(ctx, args, env, &out, &errOut)
	if ctx.Err() != nil {
		t.Fatalf("liushui %s did not end; it said:\n%s", strings.Join(args, " "), errOut.String())
	}
	return result{code, out.String(), errOut.String()}
}

// output may be written and read at once.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// launched is a command that runs beside the test.
type launched struct {
	t           *testing.T
	name        string
	out, errOut output
	cancel      context.CancelFunc
	done        chan struct{}
	code        int
}

// launch runs a command line until stop, or the test's end.
func launch(t *testing.T, args ...string) *launched {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &launched{t: t, name: args[0], cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.code = run(ctx, args, nil, &s.out, &s.errOut)
	}()
	t.Cleanup(func() {
		cancel()
		<-s.done
		if t.Failed() {
			t.Logf("liushui %s said:\n%s%s", strings.Join(args, " "), s.out.String(), s.errOut.String())
		}
	})
	return s
}

// stop is Ctrl-C. It must be clean, and take no more than 5 s.
func (s *launched) stop() {
	s.t.Helper()
	begun := time.Now()
	s.cancel()
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		s.t.Fatalf("%s did not stop within 5 s", s.name)
	}
	if s.code != exitFine {
		s.t.Fatalf("%s exited with %d after Ctrl-C: %s", s.name, s.code, s.errOut.String())
	}
	s.t.Logf("%s stopped in %s", s.name, time.Since(begun).Round(time.Millisecond))
}

// says waits until the command has written a text to stderr.
func (s *launched) says(text string) {
	s.t.Helper()
	s.awaits(&s.errOut, text)
}

// prints waits until the command has written a text to stdout.
func (s *launched) prints(text string) {
	s.t.Helper()
	s.awaits(&s.out, text)
}

func (s *launched) awaits(o *output, text string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(o.String(), text); time.Sleep(10 * time.Millisecond) {
		select {
		case <-s.done:
			if !strings.Contains(o.String(), text) {
				s.t.Fatalf("%s ended with %d before it said %q: %s", s.name, s.code, text, s.errOut.String())
			}
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s has not said %q, but:\n%s%s", s.name, text, s.out.String(), s.errOut.String())
		}
	}
}

// eventually waits until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 60 s still not: %s", what)
		}
	}
}

// freePort is an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// testdata is where it is, also for a test that works in another directory.
var testdata, _ = filepath.Abs("testdata")

// golden compares with a file in testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(testdata, name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (write it anew with -update):\n%s", name, diff)
	}
}

// file writes a file for a test.
func file(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
