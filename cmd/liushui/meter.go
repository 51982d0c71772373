package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// screen is stderr. On a terminal a bar may stand below the lines that are written.
type screen struct {
	out      io.Writer
	terminal bool

	mu  sync.Mutex
	bar string
}

func newScreen(out io.Writer) *screen {
	f, ok := out.(*os.File)
	return &screen{out: out, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

const clearLine = "\r\x1b[K"

// Write writes lines above the bar.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar == "" {
		return s.out.Write(text)
	}
	if _, err := fmt.Fprintf(s.out, "%s%s%s", clearLine, text, s.bar); err != nil {
		return 0, err
	}
	return len(text), nil
}

// show puts another bar in the place of the one before; an empty one is none.
func (s *screen) show(bar string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bar = bar
	fmt.Fprint(s.out, clearLine, bar)
}

// meter shows how far a work is: a bar on a terminal, a line every ten seconds elsewhere.
type meter struct {
	*program
	what, unit string
	began      time.Time
	first      int64 // done before this process
	begun      bool
	lined      time.Time // when the last line was written
}

// lineEvery is the time between two lines where there is no terminal.
const lineEvery = 10 * time.Second

func (p *program) newMeter(what, unit string) *meter {
	return &meter{program: p, what: what, unit: unit, began: time.Now(), lined: time.Now()}
}

// set shows that so much of total is done. Work without an end has the total 0,
// and no lines: they would go on for ever.
func (m *meter) set(done, total int64) {
	if !m.begun {
		m.first, m.begun = done, true
	}
	switch {
	case m.stderr.terminal:
		m.stderr.show(m.bar(done, total))
	case total > 0 && time.Since(m.lined) >= lineEvery:
		m.lined = time.Now()
		m.log.Info(m.what, m.unit, done, "of", total)
	}
}

func (m *meter) close() {
	if m.stderr.terminal {
		m.stderr.show("")
	}
}

// barWidth is the bar's length in characters.
const barWidth = 30

func (m *meter) bar(done, total int64) string {
	rate := float64(done-m.first) / max(time.Since(m.began).Seconds(), 0.001)
	if total == 0 {
		return fmt.Sprintf("%s: %d %s, %.0f/s", m.what, done, m.unit, rate)
	}
	full := int(barWidth * done / max(total, 1))
	left := ""
	if rate > 0 && done < total {
		left = ", " + short((time.Duration(float64(total-done)/rate) * time.Second).Round(time.Second)) + " left"
	}
	return fmt.Sprintf("%s [%s%s] %d of %d %s, %.0f/s%s", m.what, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), done, total, m.unit, rate, left)
}
