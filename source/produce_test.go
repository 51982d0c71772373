package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// fakeWriter keeps what it is given, and acknowledges when it is told to.
type fakeWriter struct {
	mu      sync.Mutex
	sent    []sentEvent
	acked   int
	held    bool // acknowledgements are withheld
	failing error
	pending []func(error)
	sizes   []int
	onWrite func(w *fakeWriter, events []sentEvent)
}

// sentEvent is an event as it was written, and when.
type sentEvent struct {
	ID   string
	Time int64
	key  string
	at   time.Time
	text string
}

func (w *fakeWriter) Write(ctx context.Context, records []liushui.Record, done func(error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := errors.Join(ctx.Err(), w.failing); err != nil {
		return err
	}
	var events []sentEvent
	for _, r := range records {
		e := sentEvent{key: string(r.Key), at: time.Now(), text: r.Feed + string(r.Value)}
		_ = json.Unmarshal(r.Value, &e) // raw records are kept as they are
		events = append(events, e)
	}
	if w.onWrite != nil {
		w.onWrite(w, events)
	}
	w.sent = append(w.sent, events...)
	w.pending, w.sizes = append(w.pending, done), append(w.sizes, len(records))
	return nil
}

func (w *fakeWriter) Flush(ctx context.Context) error {
	for {
		w.mu.Lock()
		n, held, failing := len(w.pending), w.held, w.failing
		w.mu.Unlock()
		switch {
		case failing != nil:
			return failing
		case !held:
			w.ack(n)
			return nil
		case n == 0:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (w *fakeWriter) Close() {}

// ack acknowledges the oldest n writes, the newest of them first.
func (w *fakeWriter) ack(n int) {
	w.mu.Lock()
	pending := w.pending[:n]
	for _, size := range w.sizes[:n] {
		w.acked += size
	}
	w.pending, w.sizes = w.pending[n:], w.sizes[n:]
	w.mu.Unlock()
	for i := range pending {
		pending[n-1-i](nil)
	}
}

func (w *fakeWriter) hold(held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = held
}

func (w *fakeWriter) events() []sentEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]sentEvent(nil), w.sent...)
}

func (w *fakeWriter) ids() (ids []string) {
	for _, e := range w.events() {
		ids = append(ids, e.ID)
	}
	return ids
}

// steady is a file with an event every `every` seconds, from 1,600,000,000 on.
func steady(t testing.TB, n, every int) (string, *Mapping) {
	t.Helper()
	var text strings.Builder
	text.WriteString("t,id\n")
	for i := range n {
		fmt.Fprintf(&text, "%d,e%d\n", 1_600_000_000+i*every, i)
	}
	m, err := ParseMapping("steady", event)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "steady.csv", text.String()), m
}

func newProducer(t testing.TB, c ProduceConfig) *Producer {
	t.Helper()
	if c.Log == nil {
		c.Log = quiet()
	}
	p, err := NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// runAside runs a producer until stop is called, which returns what Run did.
func runAside(t *testing.T, p *Producer) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- p.Run(ctx) }()
	return func() error {
		cancel()
		return <-result
	}
}

// TestNothingIsSentFarAfterTheResumePoint withholds acknowledgements: sending
// stops half of corrections after the synced point and goes on with it.
func TestNothingIsSentFarAfterTheResumePoint(t *testing.T) {
	file, m := steady(t, 100, 60)
	r := openReplay(t, ReplayConfig{File: file, Mapping: m})
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWriter{held: true}
		resume := filepath.Join(t.TempDir(), "resume")
		p := newProducer(t, ProduceConfig{Source: r, Writer: w, Corrections: 20 * time.Minute, ResumeFile: resume})
		stop := runAside(t, p)
		time.Sleep(5 * time.Second)
		if n := len(w.events()); n != 11 { // 10 minutes, both ends
			t.Errorf("%d events sent without an acknowledgement, want 11", n)
		}
		if s := p.Status(); s.Waiting != "acknowledgement of what is sent" {
			t.Errorf("%+v", s)
		}
		w.ack(1)
		time.Sleep(5 * time.Second)
		if n := len(w.events()); n != 22 { // the point stands at the next event, e11
			t.Errorf("%d events sent, want 22", n)
		}
		point, _, err := readResume(resume)
		if err != nil || point.Items != 11 || point.Time != 1_600_000_660_000 {
			t.Error(point, err)
		}
		w.hold(false)
		time.Sleep(5 * time.Second)
		if n := len(w.events()); n != 100 || p.Status().Waiting != "" {
			t.Errorf("%d events sent, %+v", n, p.Status())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestTheRuleHoldsAtEveryWrite looks at the kept point whenever something is
// sent, with acknowledgements that come at random.
func TestTheRuleHoldsAtEveryWrite(t *testing.T) {
	const corrections = 30 * time.Minute
	file, m := shuffled(t, 1000)
	whole := ids(all(t, openReplay(t, ReplayConfig{File: file, Mapping: m}), 1<<20))
	for seed := range uint64(4) {
		r := openReplay(t, ReplayConfig{File: file, Mapping: m})
		synctest.Test(t, func(t *testing.T) {
			resume := filepath.Join(t.TempDir(), "resume")
			random := rand.New(rand.NewPCG(seed, 1))
			w := &fakeWriter{held: true}
			w.onWrite = func(w *fakeWriter, events []sentEvent) {
				point, found, err := readResume(resume)
				if err != nil || !found || point.Items > int64(w.acked) {
					t.Errorf("%d acknowledged, kept: %+v %v", w.acked, point, err)
				}
				for _, e := range events {
					if e.Time > point.Time+corrections.Milliseconds()/2 {
						t.Errorf("event at %d, the kept point is %d", e.Time, point.Time)
					}
				}
			}
			p := newProducer(t, ProduceConfig{Source: r, Writer: w, Corrections: corrections, ResumeFile: resume})
			stop := runAside(t, p)
			for acked := 0; acked < len(whole); {
				time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
				w.mu.Lock()
				n := random.IntN(len(w.pending) + 1)
				w.mu.Unlock()
				w.ack(n)
				w.mu.Lock()
				acked = w.acked
				w.mu.Unlock()
			}
			time.Sleep(time.Second)
			if err := stop(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(whole, w.ids()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStoppingIsQuickWhenNothingIsAcknowledged(t *testing.T) {
	file, m := steady(t, 100, 1)
	r := openReplay(t, ReplayConfig{File: file, Mapping: m})
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWriter{held: true}
		resume := filepath.Join(t.TempDir(), "resume")
		stop := runAside(t, newProducer(t, ProduceConfig{Source: r, Writer: w, ResumeFile: resume}))
		time.Sleep(time.Minute)
		begin := time.Now()
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("stopped after %s", d)
		}
		if point, found, err := readResume(resume); err != nil || !found || point.Items != 0 {
			t.Error(point, found, err)
		}
	})
}

func TestAWriterThatFailsEndsTheRun(t *testing.T) {
	file, m := steady(t, 100, 1)
	for name, fail := range map[string]func(w *fakeWriter){
		"when written": func(w *fakeWriter) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.failing = io.ErrClosedPipe
		},
		"when acknowledged": func(w *fakeWriter) {
			w.mu.Lock()
			done := w.pending[0]
			w.mu.Unlock()
			done(io.ErrClosedPipe)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := openReplay(t, ReplayConfig{File: file, Mapping: m})
			synctest.Test(t, func(t *testing.T) {
				w := &fakeWriter{held: true}
				p := newProducer(t, ProduceConfig{Source: r, Writer: w, Pace: Pace{Speed: 1}, ResumeFile: filepath.Join(t.TempDir(), "resume")})
				stop := runAside(t, p)
				time.Sleep(500 * time.Millisecond)
				fail(w)
				time.Sleep(2 * time.Second)
				if err := stop(); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		})
	}
}
