package source

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

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
