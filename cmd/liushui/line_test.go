package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary notes in which order stations begin and stop.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// untilStopped is a station that takes a while to stop.
func (d *diary) untilStopped(name string) station {
	return station{name: name, drained: atOnce, run: func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond)
		d.add(name)
		return ctx.Err()
	}}
}

func quietProgram() *program {
	return &program{log: slog.New(slog.NewTextHandler(io.Discard, nil)), stdout: io.Discard, stderr: newScreen(io.Discard)}
}

func TestLineStopsInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := quietProgram().runLine(ctx, false, d.untilStopped("produce"), d.untilStopped("process"), d.untilStopped("store"))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		if want := []string{"produce", "process", "store"}; !slices.Equal(d.lines, want) {
			t.Errorf("they stopped as %v, want %v", d.lines, want)
		}
	})
}

func TestLineDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		begun := time.Now()
		finite := station{name: "produce", run: func(context.Context) error { time.Sleep(time.Minute); d.add("produce"); return nil }}
		behind := d.untilStopped("store")
		behind.drained = func(ctx context.Context) error { return sleep(ctx, time.Hour) }
		if err := quietProgram().runLine(t.Context(), true, finite, behind); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took < time.Hour+time.Minute {
			t.Errorf("it ended after %s, before the store was drained", took)
		}
	})
}

func TestLineEndsWhenOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		broken := station{name: "store", run: func(context.Context) error { time.Sleep(time.Second); return errors.New("disk full") }}
		for _, drain := range []bool{false, true} {
			never := d.untilStopped("produce")
			never.drained = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
			err := quietProgram().runLine(t.Context(), drain, never, broken)
			if err == nil || err.Error() != "store: disk full" {
				t.Errorf("drain %t: got %v, want the fault of the one that failed", drain, err)
			}
		}
		if len(d.lines) != 2 {
			t.Errorf("the other was stopped %d times, want twice", len(d.lines))
		}
	})
}

func TestLineDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck := station{name: "store", run: func(context.Context) error { <-release; return nil }}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun := time.Now()
		err := quietProgram().runLine(ctx, false, stuck)
		if took := time.Since(begun); took > 6*time.Second {
			t.Errorf("Ctrl-C took %s", took-time.Second)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "store did not stop within 4.5s") {
			t.Errorf("got %v, want the name of what did not stop", err)
		}
		close(release)
	})
}

// TestLineStopsWithoutAnAnswer is Ctrl-C while Kafka or the database is away.
func TestLineStopsWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said output
		p := &program{log: slog.New(slog.NewTextHandler(&said, nil))}
		away := station{name: "process", run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return context.DeadlineExceeded
		}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := p.runLine(ctx, false, away); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want a clean stop", err)
		}
		if !strings.Contains(said.String(), "stopped without an answer") {
			t.Errorf("it said %q", said.String())
		}
	})
}

func TestScreenKeepsTheBarBelow(t *testing.T) {
	var out output
	s := &screen{out: &out, terminal: true}
	s.show("bar 1")
	if _, err := s.Write([]byte("a line\n")); err != nil {
		t.Fatal(err)
	}
	s.show("")
	if want := clearLine + "bar 1" + clearLine + "a line\nbar 1" + clearLine; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, said output
		p := &program{stderr: &screen{out: &out, terminal: true}, log: slog.New(slog.NewTextHandler(&said, nil))}
		m := p.newMeter("sending", "events")
		m.set(100, 1000)
		time.Sleep(10 * time.Second)
		m.set(400, 1000)
		if want := "sending [████████████░░░░░░░░░░░░░░░░░░] 400 of 1000 events, 30/s, 20s left"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("a terminal shows %q, want at last %q", out.String(), want)
		}
		p.stderr.terminal = false
		m.set(400, 1000)
		m.set(500, 1000)
		if n := strings.Count(said.String(), "msg=sending events=400 of=1000"); n != 1 || strings.Contains(said.String(), "events=500") {
			t.Errorf("a log has %q, want one line in ten seconds", said.String())
		}
	})
}
