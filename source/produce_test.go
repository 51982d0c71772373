package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
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

func TestEventsAreSentAtTheirPace(t *testing.T) {
	file, m := steady(t, 5, 60)
	for _, test := range []struct {
		name string
		pace Pace
		want time.Duration // between two events
	}{
		{"as fast as it goes", Pace{}, 0},
		{"as it was", Pace{Speed: 1}, time.Minute},
		{"120 times real", Pace{Speed: 120}, 500 * time.Millisecond},
		{"slow motion", Pace{Speed: 0.5}, 2 * time.Minute},
		{"a steady rate", Pace{Rate: 4}, 250 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := openReplay(t, ReplayConfig{File: file, Mapping: m})
			synctest.Test(t, func(t *testing.T) {
				w := &fakeWriter{}
				p := newProducer(t, ProduceConfig{Source: r, Writer: w, Pace: test.pace})
				begin := time.Now()
				if err := p.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				for i, e := range w.events() {
					if got, want := e.at.Sub(begin), time.Duration(i)*test.want; got != want || e.ID != fmt.Sprintf("e%d", i) {
						t.Errorf("event %d (%s) after %s, want %s", i, e.ID, got, want)
					}
				}
			})
		})
	}
}

func TestStatusSaysWhenTheNextEventIsDue(t *testing.T) {
	file, m := steady(t, 3, 3600)
	r := openReplay(t, ReplayConfig{File: file, Mapping: m})
	synctest.Test(t, func(t *testing.T) {
		p := newProducer(t, ProduceConfig{Source: r, Writer: &fakeWriter{}, Pace: Pace{Speed: 60}, TopicID: "topic", ResumeFile: filepath.Join(t.TempDir(), "resume")})
		begin := time.Now()
		stop := runAside(t, p)
		time.Sleep(10 * time.Second)
		want := liushui.Produce{Feed: liushui.FeedReplay, Time: time.Now().UnixMilli(), Due: begin.Add(time.Minute).UnixMilli(), Sent: 1, TopicID: "topic"}
		if diff := cmp.Diff(want, p.Status()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(2 * time.Minute)
		want = liushui.Produce{Feed: liushui.FeedReplay, Time: time.Now().UnixMilli(), Sent: 3, TopicID: "topic"}
		if diff := cmp.Diff(want, p.Status()); diff != "" {
			t.Error(diff)
		}
		if sent, total := p.Done(); sent != 3 || total != 3 {
			t.Error(sent, total)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAsIfNowIsTheMomentOfSending(t *testing.T) {
	file, m := steady(t, 3, 60)
	r := openReplay(t, ReplayConfig{File: file, Mapping: m, AsIfNow: true})
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWriter{}
		p := newProducer(t, ProduceConfig{Source: r, Writer: w, Pace: Pace{Speed: 1}, ResumeFile: filepath.Join(t.TempDir(), "resume")})
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, e := range w.events() {
			if e.Time != e.at.UnixMilli() {
				t.Errorf("event %d has time %d, sent at %d", i, e.Time, e.at.UnixMilli())
			}
		}
		if exists(p.c.ResumeFile) {
			t.Error("a run as if now keeps a resume point")
		}
	})
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

// TestACrashSendsTheSameAgainFromTheKeptPoint lets producers die at random.
func TestACrashSendsTheSameAgainFromTheKeptPoint(t *testing.T) {
	file, m := shuffled(t, 2000)
	whole := all(t, openReplay(t, ReplayConfig{File: file, Mapping: m}), 1<<20)
	var texts []string
	for i := range whole {
		texts = append(texts, liushui.FeedReplay+string(whole[i].Event.AppendJSON(nil)))
	}
	resume := filepath.Join(t.TempDir(), "resume")
	random := rand.New(rand.NewPCG(3, 4))
	reached := 0 // all before it were sent by some producer
	for crashes := 0; ; crashes++ {
		if crashes > 500 {
			t.Fatal("no end")
		}
		kept, _, err := readResume(resume)
		if err != nil {
			t.Fatal(err)
		}
		w := &fakeWriter{}
		left := 1 + random.IntN(5)
		w.onWrite = func(w *fakeWriter, _ []sentEvent) {
			if left--; left == 0 {
				w.failing = io.ErrClosedPipe // from now on nothing is taken or acknowledged
			}
		}
		r := openReplay(t, ReplayConfig{File: file, Mapping: m})
		p := newProducer(t, ProduceConfig{Source: r, Writer: w, Corrections: 20 * time.Minute, ResumeFile: resume, TopicID: "t"})
		err = p.Run(t.Context())
		from := int(kept.Items)
		sent := w.events()
		for i, e := range sent {
			if e.text != texts[from+i] {
				t.Fatalf("behind %d, event %d: %s, want %s", from, i, e.text, texts[from+i])
			}
		}
		if from > reached {
			t.Fatalf("the kept point is %d, but only %d were sent", from, reached)
		}
		reached = max(reached, from+len(sent))
		if err == nil {
			break
		}
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Fatal(err)
		}
	}
	if reached != len(whole) {
		t.Errorf("%d of %d sent", reached, len(whole))
	}
}

func TestWhatMakesARunBeginAnew(t *testing.T) {
	file, m := steady(t, 10, 1)
	resume := filepath.Join(t.TempDir(), "resume")
	run := func(topic, file string, loop bool) (sent int, log string) {
		var out bytes.Buffer
		w := &fakeWriter{}
		r := openReplay(t, ReplayConfig{File: file, Mapping: m, Loop: loop})
		p := newProducer(t, ProduceConfig{Source: r, Writer: w, ResumeFile: resume, TopicID: topic, Log: slog.New(slog.NewTextHandler(&out, nil))})
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(w.events()), out.String()
	}
	if sent, log := run("one", file, false); sent != 10 || log != "" {
		t.Error(sent, log)
	}
	if sent, log := run("one", file, false); sent != 0 || !strings.Contains(log, "sending goes on where it stopped") {
		t.Error("finished:", sent, log)
	}
	if sent, log := run("two", file, false); sent != 10 || !strings.Contains(log, "the topic is not the one that was written to before") {
		t.Error("another topic:", sent, log)
	}
	other := writeFile(t, "steady.csv", "t,id\n1600000000,x\n")
	if sent, log := run("two", other, false); sent != 1 || !strings.Contains(log, "file, mapping or options have changed") {
		t.Error("another file:", sent, log)
	}
	if err := os.WriteFile(resume, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := NewProducer(ProduceConfig{Source: openReplay(t, ReplayConfig{File: file, Mapping: m}), Writer: &fakeWriter{}, ResumeFile: resume, Log: quiet()})
	if !errors.Is(err, liushui.ErrMisuse) || err.Error() != "resume point "+resume+": not readable; delete it to send the whole file again" {
		t.Error(err)
	}
}

func TestALoopGoesOnUnderItsFirstStart(t *testing.T) {
	file, m := steady(t, 4, 3600)
	resume := filepath.Join(t.TempDir(), "resume")
	var sent []string
	for start := int64(1); start <= 3; start++ {
		r := openReplay(t, ReplayConfig{File: file, Mapping: m, Loop: true, RunStart: start})
		synctest.Test(t, func(t *testing.T) {
			w := &fakeWriter{}
			stop := runAside(t, newProducer(t, ProduceConfig{Source: r, Writer: w, Pace: Pace{Rate: 1}, ResumeFile: resume}))
			time.Sleep(4500 * time.Millisecond)
			if err := stop(); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			sent = append(sent, w.ids()...)
		})
	}
	want := []string{"e0", "e1", "e2", "e3", "e0@1.1", "e1@1.1", "e2@1.1", "e3@1.1", "e0@1.2", "e1@1.2", "e2@1.2", "e3@1.2", "e0@1.3", "e1@1.3", "e2@1.3"}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
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

func TestDemoIsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		w := &fakeWriter{}
		p := newProducer(t, ProduceConfig{Source: NewGenerator(GeneratorConfig{RunStart: begin.UnixMilli(), Rate: 50, Flat: true}), Writer: w, Pace: Pace{Speed: 1}})
		stop := runAside(t, p)
		time.Sleep(5 * time.Minute)
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		sent := w.events()
		if len(sent) < 5*60*40 || len(sent) > 5*60*60 {
			t.Errorf("%d events in five minutes at 50/s", len(sent))
		}
		now := 0
		for _, e := range sent {
			if age := e.at.UnixMilli() - e.Time; age >= 0 && age < 10 {
				now++
			}
		}
		if now < len(sent)*9/10 {
			t.Errorf("%d of %d events are of now", now, len(sent))
		}
		if s := p.Status(); s.Feed != liushui.FeedDemo {
			t.Errorf("%+v", s)
		}
	})
}

func TestParsePace(t *testing.T) {
	for _, test := range []struct {
		speed, rate string
		want        Pace
		err         string
	}{
		{"", "", Pace{Speed: 1}, ""},
		{"max", "", Pace{}, ""},
		{"3600", "", Pace{Speed: 3600}, ""},
		{"0.5x", "", Pace{Speed: 0.5}, ""},
		{"", "500/s", Pace{Rate: 500}, ""},
		{"", "500", Pace{Rate: 500}, ""},
		{"", "30000/m", Pace{Rate: 500}, ""},
		{"", "7200/h", Pace{Rate: 2}, ""},
		{"60", "5/s", Pace{}, "--speed 60 and --rate 5/s: want one of them"},
		{"fast", "", Pace{}, "--speed fast: want times real, such as 60, or max"},
		{"0", "", Pace{}, "--speed 0: want times real, such as 60, or max"},
		{"NaN", "", Pace{}, "--speed NaN: want times real, such as 60, or max"},
		{"-1", "", Pace{}, "--speed -1: want times real, such as 60, or max"},
		{"", "5/d", Pace{}, "--rate 5/d: want a number of events a second, such as 500/s"},
		{"", "many", Pace{}, "--rate many: want a number of events a second, such as 500/s"},
	} {
		got, err := ParsePace(test.speed, test.rate)
		if test.err == "" && (err != nil || got != test.want) || test.err != "" && (!errors.Is(err, liushui.ErrMisuse) || err.Error() != test.err) {
			t.Errorf("%q %q: %+v, %v", test.speed, test.rate, got, err)
		}
	}
}
