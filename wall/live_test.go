package wall

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"liushui"
)

// served is a wall behind a real listener.
type served struct {
	*Wall
	url     string
	addr    string
	stop    context.CancelFunc
	stopped chan error // of Serve
}

// serve starts a wall; where it is not ticking, the test makes its frames.
func serve(t testing.TB, c Config, ticking bool) *served {
	t.Helper()
	w := newWall(t, c)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &served{w, "http://" + ln.Addr().String(), ln.Addr().String(), stop, make(chan error, 1)}
	var parts sync.WaitGroup
	parts.Go(func() { s.stopped <- w.Serve(ctx, ln) })
	if ticking {
		parts.Go(func() { w.Run(ctx) })
	}
	t.Cleanup(func() { stop(); parts.Wait() })
	return s
}

// event is one event of a live stream.
type event struct {
	id, name string
	data     map[string]json.RawMessage
}

// readEvent reads the next event of a stream.
func readEvent(from *bufio.Reader) (e event, err error) {
	for {
		text, err := from.ReadString('\n')
		if err != nil {
			return e, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(text, "\n"), ": ")
		switch name {
		case "":
			return e, nil
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				return e, err
			}
		default:
			return e, fmt.Errorf("unknown line %q", text)
		}
	}
}

// watch opens a live stream; deflated asks for gzip.
func watch(t testing.TB, url string, deflated bool) (*bufio.Reader, *http.Response) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	if deflated {
		r.Header.Set("Accept-Encoding", "br, gzip;q=0.8")
	}
	response, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	body := io.Reader(response.Body)
	if deflated {
		if body, err = gzip.NewReader(response.Body); err != nil {
			t.Fatal(err)
		}
	}
	return bufio.NewReader(body), response
}

func next(t testing.TB, from *bufio.Reader, want string) event {
	t.Helper()
	e, err := readEvent(from)
	if err != nil {
		t.Fatal(err)
	}
	if e.name != want {
		t.Fatalf("event %s %q, want %q", e.id, e.name, want)
	}
	return e
}

func TestLiveStream(t *testing.T) {
	for _, deflated := range []bool{false, true} {
		t.Run(fmt.Sprintf("deflated=%t", deflated), func(t *testing.T) {
			w := serve(t, Config{Version: "1.2.3"}, false)
			l := newLine(t, time.Now().UnixMilli())
			l.sendJob()
			l.busy(1, l.clock-1000, 10)
			l.progress()
			w.Apply(l.take())
			w.tick()
			stream, response := watch(t, w.url, deflated)
			wantEncoding := ""
			if deflated {
				wantEncoding = "gzip"
			}
			for name, want := range map[string]string{"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no",
				"Cache-Control": "no-store, no-transform", "Content-Encoding": wantEncoding, "Vary": "Accept-Encoding"} {
				if got := response.Header.Get(name); got != want {
					t.Errorf("header %s: %q, want %q", name, got, want)
				}
			}
			first := next(t, stream, "snapshot")
			for _, name := range append([]string{"seq", "now", "epoch", "build", "curve"}, sectionNames[:]...) {
				if first.data[name] == nil {
					t.Errorf("the snapshot lacks %s", name)
				}
			}
			w.tick()
			bare := next(t, stream, "tick")
			if len(bare.data) != 2 || bare.data["now"] == nil || bare.data["seq"] == nil {
				t.Errorf("nothing changed, but the tick has %d sections: %v", len(bare.data), bare.data)
			}
			l.fold(liushui.Event{ID: "p", Type: "pay", Time: l.clock, User: "u", Amount: 1_787_600, HasAmount: true})
			l.flush()
			w.Apply(l.take())
			w.tick()
			changed := next(t, stream, "tick")
			if changed.data["today"] == nil || changed.data["curve"] == nil || changed.data["job"] != nil {
				t.Errorf("after a payment the tick has %v", changed.data)
			}
			var c struct {
				Reset  bool
				Points []struct {
					T int64
					V map[string]any
				}
			}
			if err := json.Unmarshal(changed.data["curve"], &c); err != nil {
				t.Fatal(err)
			}
			if c.Reset || len(c.Points) != 1 || c.Points[0].V["payments"] == nil {
				t.Errorf("after a payment the curve is %s, want the one point that changed", changed.data["curve"])
			}
			if want := w.hub.epoch + "-4"; changed.id != want {
				t.Errorf("id %s, want %s", changed.id, want)
			}
		})
	}
}

func TestSlowViewerGetsASnapshotAfterSkippedFrames(t *testing.T) {
	w := serve(t, Config{}, false)
	stream, _ := watch(t, w.url, false)
	first := next(t, stream, "snapshot")
	skip := func(frames int64) { // as if that many had been published while the viewer was being written to
		w.mu.Lock()
		w.artist.seq += frames
		w.mu.Unlock()
		w.tick()
	}
	skip(0)
	next(t, stream, "tick")
	skip(3)
	e := next(t, stream, "snapshot")
	var before, after int64
	json.Unmarshal(first.data["seq"], &before)
	json.Unmarshal(e.data["seq"], &after)
	if after != before+5 {
		t.Errorf("seq %d after %d, want 5 more", after, before)
	}
	if got := w.meters.skipped.Get(); got != 3 {
		t.Errorf("%d frames counted as skipped, want 3", got)
	}
	skip(0)
	next(t, stream, "tick")
}

func TestSlowReaderSeesTheNewest(t *testing.T) {
	w := serve(t, Config{}, false)
	stream, _ := watch(t, w.url, false)
	next(t, stream, "snapshot")
	var last int64
	for range 300 { // far more than the kernel keeps for a viewer
		w.sample.mu.Lock()
		last++
		w.sample.shown = []orderView{{Key: last, Order: strings.Repeat("x", 64<<10)}}
		w.sample.mu.Unlock()
		w.tick()
		time.Sleep(2 * time.Millisecond)
	}
	events := 0
	for seen := int64(0); seen < last; events++ {
		e, err := readEvent(stream)
		if err != nil {
			t.Fatal(err)
		}
		var orders []orderView
		if err := json.Unmarshal(e.data["orders"], &orders); err != nil {
			t.Fatal(err)
		}
		seen = orders[0].Key
	}
	if skipped := w.meters.skipped.Get(); skipped == 0 || uint64(events)+skipped != 300 {
		t.Errorf("%d events and %d skipped frames, want 300 and some of both", events, skipped)
	}
}

func TestStalledViewerIsCutAndOthersGoOn(t *testing.T) {
	w := serve(t, Config{}, false)
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(conn, "GET /api/v1/live HTTP/1.1\r\nHost: %s\r\n\r\n", w.addr)
	healthy, _ := watch(t, w.url, false)
	next(t, healthy, "snapshot")
	begin := time.Now()
	for i := 0; w.meters.cut.Get() == 0; i++ {
		if time.Since(begin) > writeLimit+5*time.Second {
			t.Fatal("a viewer that reads nothing is still there")
		}
		w.sample.mu.Lock() // a large frame, to fill the kernel's buffers soon
		w.sample.shown = []orderView{{Key: int64(i), Order: strings.Repeat("x", 64<<10)}}
		w.sample.mu.Unlock()
		w.tick()
		if _, err := readEvent(healthy); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(begin); took < writeLimit {
		t.Errorf("cut after %v, before its %v were over", took, writeLimit)
	}
}

func TestManyViewersShareFrames(t *testing.T) {
	const count = 500
	w := serve(t, Config{}, true)
	l := newLine(t, time.Now().UnixMilli())
	l.sendJob()
	l.busy(1, l.clock-1000, 50)
	l.progress()
	w.Apply(l.take())
	var all sync.WaitGroup
	errs := make(chan error, count)
	for i := range count {
		stream, _ := watch(t, w.url, i%2 == 0)
		all.Go(func() {
			last := ""
			for range 5 {
				e, err := readEvent(stream)
				if err != nil {
					errs <- err
					return
				}
				if e.id == last {
					errs <- fmt.Errorf("frame %s came twice", e.id)
				}
				last = e.id
			}
		})
	}
	if n := w.viewer.open.Load(); n != count {
		t.Errorf("%d viewers counted, want %d", n, count)
	}
	all.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	w := serve(t, Config{}, true)
	stream, _ := watch(t, w.url, false)
	next(t, stream, "snapshot")
	begin := time.Now()
	w.stop()
	for {
		if _, err := readEvent(stream); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("the stream ended with %v, want a clean end", err)
			}
			break
		}
	}
	if err := <-w.stopped; err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the end took %v", took)
	}
}

func TestTooManyViewersAreRefused(t *testing.T) {
	w := serve(t, Config{MaxViewers: 1}, false)
	stream, _ := watch(t, w.url, false)
	next(t, stream, "snapshot")
	_, response := watch(t, w.url, false)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("the second viewer of one allowed got %s", response.Status)
	}
}

// BenchmarkFanOut is the cost of a frame for each of 500 viewers, their own
// reading of it included.
func BenchmarkFanOut(b *testing.B) {
	const count = 500
	w := serve(b, Config{}, false)
	l := newLine(b, time.Now().UnixMilli())
	l.sendJob()
	var seen sync.WaitGroup
	seen.Add(count)
	for range count {
		stream, _ := watch(b, w.url, false)
		next(b, stream, "snapshot")
		go func() {
			for {
				if _, err := stream.ReadBytes('{'); err != nil {
					return // closed at the end
				}
				for blank := 0; blank < 2; {
					c, err := stream.ReadByte()
					if err != nil {
						return
					}
					if blank++; c != '\n' {
						blank = 0
					}
				}
				seen.Done()
			}
		}()
	}
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		l.busy(uint64(i), l.clock, 5)
		l.progress()
		w.Apply(l.take())
		b.StartTimer()
		w.tick()
		seen.Wait()
		seen.Add(count)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/viewer")
}
