package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

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
