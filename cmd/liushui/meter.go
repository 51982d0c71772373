package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// meter shows how far a work is: a bar on a terminal, a line every ten seconds elsewhere.
type meter struct {
	what  string
	unit  string
	out   io.Writer
	log   *slog.Logger
	bar   *progressbar.ProgressBar // nil: lines
	asked time.Time                // of the last line
}

// plainEvery is the time between two lines where there is no terminal.
const plainEvery = 10 * time.Second

func (p *program) newMeter(what, unit string) *meter {
	return &meter{what: what, unit: unit, out: p.stderr, log: p.log, asked: time.Now()}
}

// set shows that so much of total is done; a total of 0 is none.
func (m *meter) set(done, total int64) {
	if !isTerminal(m.out) {
		if time.Since(m.asked) < plainEvery {
			return
		}
		m.asked = time.Now()
		m.log.Info(m.what, m.unit, done, "of", total)
		return
	}
	if m.bar == nil {
		if total == 0 {
			total = -1
		}
		m.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(m.out), progressbar.OptionSetDescription(m.what),
			progressbar.OptionShowCount(), progressbar.OptionSetItsString(m.unit), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish(), progressbar.OptionShowBytes(m.unit == "bytes"))
	}
	_ = m.bar.Set64(done) // what a terminal does not take is no loss
}

func (m *meter) close() {
	if m.bar != nil {
		_ = m.bar.Clear()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
