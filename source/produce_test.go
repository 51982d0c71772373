package source

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"liushui"
)

// fakeWriter keeps what it is given, and acknowledges when it is told to.
type fakeWriter struct {
	mu      sync.Mutex
	values  []string // of all that was written
	acked   int
	held    bool // acknowledgements are withheld
	pending []func(error)
	sizes   []int
}

func (w *fakeWriter) Write(ctx context.Context, records []liushui.Record, done func(error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range records {
		w.values = append(w.values, string(r.Value))
	}
	w.pending, w.sizes = append(w.pending, done), append(w.sizes, len(records))
	return nil
}

func (w *fakeWriter) Flush(ctx context.Context) error {
	for {
		w.mu.Lock()
		if !w.held || len(w.pending) == 0 {
			pending := w.pending
			for _, n := range w.sizes {
				w.acked += n
			}
			w.pending, w.sizes = nil, nil
			w.mu.Unlock()
			for _, done := range pending {
				done(nil)
			}
			return nil
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (w *fakeWriter) Close() {}

// ack acknowledges the oldest n batches.
func (w *fakeWriter) ack(n int) {
	w.mu.Lock()
	pending := w.pending[:n]
	for _, size := range w.sizes[:n] {
		w.acked += size
	}
	w.pending, w.sizes = w.pending[n:], w.sizes[n:]
	w.mu.Unlock()
	for _, done := range pending {
		done(nil)
	}
}

func (w *fakeWriter) events(t testing.TB) (events []wireEvent) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.values {
		var e wireEvent
		if err := json.Unmarshal([]byte(v), &e); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		events = append(events, e)
	}
	return events
}

type wireEvent struct {
	ID   string
	Type string
	Time int64
}

func TestProducerSendsAll(t *testing.T) {
	r := openReplay(t, ReplayConfig{File: realFile(t, "tmall_orders_202002.csv"), Mapping: builtin(t, "tmall-orders")})
	w := &fakeWriter{}
	resume := filepath.Join(t.TempDir(), "resume")
	p, err := NewProducer(ProduceConfig{Source: r, Writer: w, ResumeFile: resume, TopicID: "t", Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := len(w.events(t)); n != 57_743 {
		t.Errorf("%d events", n)
	}
	if s := p.Status(); s.Sent != 57_743 || s.Waiting != "" || s.Due != 0 || s.Feed != liushui.FeedReplay {
		t.Errorf("%+v", s)
	}
	point, _, err := readResume(resume)
	if err != nil || point.Items != 57_743 {
		t.Error(point, err)
	}
}

func TestGeneratorIsABelievableDay(t *testing.T) {
	g := NewGenerator(GeneratorConfig{Seed: 1, RunStart: 1_580_486_400_000, Rate: 2, Span: 24 * time.Hour})
	items := all(t, g, 1<<30)
	t.Log(len(items), count(items))
	if n := len(items); n < 86_400*2*9/10 || n > 86_400*2*11/10 {
		t.Errorf("%d items", n)
	}
}
