package wall

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"liushui"
)

// stateOf is the state section of the newest frame.
func stateOf(t *testing.T, w *Wall) (s stateView) {
	t.Helper()
	page := &client{}
	page.take(t, w.hub.newest.Load().snapshot.plain())
	if err := json.Unmarshal(page.sections["state"], &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// running is a wall that ticks in a bubble, beside a line that reports each second.
func running(t *testing.T, c Config) (w *Wall, l *line, second func(n int, records ...func())) {
	w = newWall(t, c)
	load(t, w)
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := w.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
	t.Cleanup(func() { stop(); run.Wait() })
	l = newLine(t, time.Now().UnixMilli())
	// second lets n seconds and half a one pass.
	second = func(n int, records ...func()) {
		t.Helper()
		for range n {
			time.Sleep(time.Second)
			synctest.Wait()
			l.clock = time.Now().UnixMilli()
			for _, send := range records {
				send()
			}
			w.Apply(l.take())
		}
		time.Sleep(tickEvery)
		synctest.Wait()
	}
	return w, l, second
}

func TestFreshnessAsTimeGoesBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, second := running(t, Config{})
		want := func(name Freshness) {
			t.Helper()
			if s := stateOf(t, w); s.Name != name {
				t.Errorf("at %s the state is %s, want %s: %+v", time.Now().Format(time.TimeOnly), s.Name, name, s)
			}
		}
		judged := int64(0)
		event := func() { l.busy(uint64(l.clock), l.clock-100, 1); judged = l.clock }
		progress := func() { l.progress(func(p *liushui.Progress) { p.Judged = judged }) }
		want(Waiting)
		l.sendJob()
		second(2, progress)
		want(Waiting)
		second(3, event, progress)
		want(Live)
		second(13, progress) // no events, nothing waits
		want(Live)
		second(1, progress)
		want(Quiet)
		second(100, progress)
		want(Quiet)
		second(1, event, progress)
		want(Live)
		second(3) // the engine falls silent
		want(Live)
		second(1)
		want(Delayed)
		second(9)
		want(Delayed)
		second(1)
		want(Stalled)
		second(1, progress)
		want(Quiet)
	})
}

func TestReplayAnnouncesItsNextEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, second := running(t, Config{})
		l.feed = liushui.FeedReplay
		due, judged, waiting := int64(0), int64(0), ""
		produce := func() { l.produce(liushui.Produce{Due: due, Waiting: waiting}) }
		progress := func() { l.progress(func(p *liushui.Progress) { p.Judged = judged }) }
		l.sendJob()
		second(1, func() { l.busy(1, evening, 5); judged = l.clock }, produce, progress)
		due = l.clock + 60_000
		second(59, produce, progress)
		if s := stateOf(t, w); s.Name != Quiet || s.Due != due || s.Overdue {
			t.Errorf("before it is due: %+v", s)
		}
		waiting = "the broker holds 1 GiB"
		second(14, produce, progress)
		if s := stateOf(t, w); s.Name != Quiet || s.Waiting != waiting {
			t.Errorf("held back: %+v", s)
		}
		second(3, produce, progress)
		if s := stateOf(t, w); s.Name != Stalled || !s.Overdue {
			t.Errorf("15 s after it was due: %+v", s)
		}
		due, waiting = l.clock+600_000, ""
		second(1, produce, progress)
		if s := stateOf(t, w); s.Name != Quiet || s.Overdue {
			t.Errorf("announced again: %+v", s)
		}
		second(6, progress) // produce is gone
		if s := stateOf(t, w); s.Name != Stalled || !s.Overdue {
			t.Errorf("without a record of produce: %+v", s)
		}
		second(1, func() { l.produce(liushui.Produce{Ended: map[string]int64{"0": l.partition}}) }, progress)
		second(60, progress)
		if s := stateOf(t, w); s.Name != Quiet || !s.Ended || s.Due != 0 {
			t.Errorf("ended: %+v", s)
		}
		page := &client{}
		page.take(t, w.hub.newest.Load().snapshot.plain())
		var today struct{ State liushui.State }
		if err := json.Unmarshal(page.sections["today"], &today); err != nil || today.State != liushui.Final {
			t.Errorf("the day of a finished input is %s (%v), want final", today.State, err)
		}
	})
}

func TestExpectEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, second := running(t, Config{ExpectEvery: time.Minute})
		judged := int64(0)
		progress := func() { l.progress(func(p *liushui.Progress) { p.Judged = judged }) }
		l.sendJob()
		second(1, func() { l.busy(1, l.clock, 5); judged = l.clock }, progress)
		second(58, progress)
		if s := stateOf(t, w); s.Name != Quiet {
			t.Errorf("within the promise: %+v", s)
		}
		second(2, progress)
		if s := stateOf(t, w); s.Name != Stalled || !s.Overdue {
			t.Errorf("after it: %+v", s)
		}
	})
}

func TestFramesComeTwiceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, second := running(t, Config{})
		before := w.hub.newest.Load().seq
		second(10)
		if n := w.hub.newest.Load().seq - before; n != 21 {
			t.Errorf("%d frames in 10.5 s, want 21", n)
		}
	})
}

// away is a store that does not answer for as long as one lets it.
type away struct{ asked, left int }

func (a *away) View(ctx context.Context, read func(liushui.Snapshot) error) error {
	if a.asked++; a.asked == 1 {
		return read(&memorySnapshot{})
	}
	<-ctx.Done()
	a.left++
	return ctx.Err()
}

func TestStoreThatHangsHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &away{}
		w, l, second := running(t, Config{History: store})
		l.sendJob()
		before := w.hub.newest.Load().seq
		second(20, func() { l.progress() })
		if n := w.hub.newest.Load().seq - before; n != 41 {
			t.Errorf("%d frames in 20.5 s, want 41", n)
		}
		if w.store.word != "behind" || *w.store.delay < 10_000 {
			t.Errorf("the store is %s, %d ms", w.store.word, *w.store.delay)
		}
		if store.asked < 3 {
			t.Errorf("asked %d times", store.asked)
		}
	})
}
