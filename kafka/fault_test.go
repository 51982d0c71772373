package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/kafka"
)

// stream writes 50 numbered records every pause until it is told to end; it
// returns how many it wrote, all of them acknowledged.
func stream(t *testing.T, w liushui.Writer, pause time.Duration) (acknowledged *atomic.Int64, end func() int) {
	acknowledged = new(atomic.Int64)
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan int, 1)
	go func() {
		n := 0
		for ctx.Err() == nil {
			batch := make([]liushui.Record, 50)
			for i := range batch {
				batch[i] = liushui.Record{Key: fmt.Appendf(nil, "key%d", (n+i)%17), Value: fmt.Appendf(nil, "%d", n+i)}
			}
			err := w.Write(context.Background(), batch, func(err error) {
				if err != nil {
					t.Errorf("a write failed: %v", err)
				}
				acknowledged.Add(int64(len(batch)))
			})
			if err != nil {
				t.Errorf("write: %v", err)
				break
			}
			n += len(batch)
			time.Sleep(pause)
		}
		written <- n
	}()
	return acknowledged, func() int {
		cancel()
		n := <-written
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := w.Flush(ctx); err != nil {
			t.Fatalf("flush: %v", err)
		}
		return n
	}
}

// checkNumbers sees that the records hold the numbers 0 to n-1, each once, and
// those of a key in order.
func checkNumbers(t *testing.T, records []liushui.Record, n int) {
	t.Helper()
	times := map[int]int{}
	last := map[string]int{}
	for _, r := range records {
		number := 0
		fmt.Sscan(string(r.Value), &number)
		times[number]++
		if before, seen := last[string(r.Key)]; seen && number < before {
			t.Fatalf("key %s: %d comes after %d", r.Key, number, before)
		}
		last[string(r.Key)] = number
	}
	lost, doubled := 0, 0
	for number := range n {
		switch times[number] {
		case 0:
			lost++
		case 1:
		default:
			doubled++
		}
	}
	if lost > 0 || doubled > 0 || len(times) != n {
		t.Errorf("of %d numbers %d are lost and %d came more than once; %d came in all", n, lost, doubled, len(times))
	}
}

// alone is a broker in a process of its own, and its topic.
func alone(t *testing.T, partitions int) (dir string, p *brokerProcess, c *kafka.Client) {
	t.Helper()
	dir = t.TempDir()
	p = launch(t, dir, "127.0.0.1:0")
	c = connect(t, p.addr)
	ensure(t, c, kafka.Topic{Name: "category", Partitions: partitions})
	return dir, p, c
}

func TestKilledBrokersLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	dir, p, c := alone(t, 3)
	w := openWriter(t, c, "category")
	r := openReader(t, c, "category", kafka.From{})
	acknowledged, end := stream(t, w, time.Millisecond)
	for range 4 {
		reached := acknowledged.Load()
		eventually(t, "writes go on", func() bool { return acknowledged.Load() > reached+500 })
		p.kill(t)
		p = launch(t, dir, p.addr)
	}
	n := end()
	checkNumbers(t, receive(t, r, n), n)

	// Offsets go on, also for one who comes later, and after a clean stop.
	before, err := c.Ends(t.Context(), "category")
	if err != nil {
		t.Fatal(err)
	}
	p.stop()
	p = launch(t, dir, p.addr)
	after, err := connect(t, p.addr).Ends(t.Context(), "category")
	if err != nil {
		t.Fatal(err)
	}
	for i := range before {
		before[i].Asked, after[i].Asked = time.Time{}, time.Time{}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("after a clean stop the log reaches elsewhere (-before +after):\n%s", diff)
	}
	checkNumbers(t, receive(t, openReader(t, c, "category", kafka.From{}), n), n)
}

func TestABrokerThatRestartsInTheMiddle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startBroker(t, kafka.BrokerConfig{Dir: dir})
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 3})
	w := openWriter(t, c, "category")
	r := openReader(t, c, "category", kafka.From{})
	acknowledged, end := stream(t, w, time.Millisecond)
	for range 3 {
		reached := acknowledged.Load()
		eventually(t, "writes go on", func() bool { return acknowledged.Load() > reached+500 })
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		b = startBroker(t, kafka.BrokerConfig{Dir: dir, Listen: b.Addr()})
	}
	n := end()
	checkNumbers(t, receive(t, r, n), n)
}

func TestTornTailIsCutOff(t *testing.T) {
	t.Parallel()
	for name, tear := range map[string]func(t *testing.T, file string){
		"cut": func(t *testing.T, file string) {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(file, info.Size()-7); err != nil {
				t.Fatal(err)
			}
		},
		"half written": func(t *testing.T, file string) {
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Write(make([]byte, 300)); err != nil {
				t.Fatal(err)
			}
		},
		"damaged": func(t *testing.T, file string) {
			f, err := os.OpenFile(file, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, _ := f.Stat()
			if _, err := f.WriteAt([]byte{0xff}, info.Size()-3); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, p, c := alone(t, 1)
			w := openWriter(t, c, "category")
			for i := range 10 {
				send(t, w, i*10, 10)
			}
			p.kill(t)
			files, err := filepath.Glob(filepath.Join(dir, "log", "partitions", "category-0", "*.dat"))
			if err != nil || len(files) != 1 {
				t.Fatalf("segments: %v, %v", files, err)
			}
			tear(t, files[0])
			kept := 90
			if name == "half written" {
				kept = 100
			}
			p = launch(t, dir, "127.0.0.1:0")
			c = connect(t, p.addr)
			if start, end := extent(t, c, "category"); start != 0 || end != int64(kept) {
				t.Fatalf("the log reaches from %d to %d, want 0 to %d", start, end, kept)
			}
			send(t, openWriter(t, c, "category"), kept, 10)
			p.kill(t)
			p = launch(t, dir, "127.0.0.1:0")
			checkNumbers(t, receive(t, openReader(t, connect(t, p.addr), "category", kafka.From{}), kept+10), kept+10)
		})
	}
}

// What was trimmed stays trimmed, and offsets never begin anew: neither after
// a clean stop nor after a kill.
func TestTrimmedLogsKeepTheirOffsets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, dir, "127.0.0.1:0", fmt.Sprintf("LIUSHUI_TEST_RETAIN=%d", retain))
	c := connect(t, p.addr)
	ensure(t, c, kafka.Topic{Name: "category_results", Results: true})
	w := openWriter(t, c, "category_results")
	for range 3 {
		if err := w.Write(t.Context(), bulk(retain/1024), nil); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the log is trimmed as far as it goes", func() bool {
		return diskUse(t, filepath.Join(dir, "log", "partitions", "category_results-0")) <= retain-retain/8+64<<10 // indexes
	})
	start, end := extent(t, c, "category_results")
	r := openReader(t, c, "category_results", kafka.From{})
	if err := r.Commit(t.Context(), "liushui-store", map[int32]int64{0: end}); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"kill", "stop", "kill"} {
		if how == "kill" {
			p.kill(t)
		} else {
			p.stop()
		}
		p = launch(t, dir, p.addr)
		if s, e := extent(t, c, "category_results"); s != start || e != end {
			t.Errorf("after a %s the log reaches from %d to %d, before from %d to %d", how, s, e, start, end)
		}
		kept, err := c.Committed(t.Context(), "liushui-store", "category_results")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[int32]int64{0: end}, kept); diff != "" {
			t.Errorf("after a %s the commit is another (-want +got):\n%s", how, diff)
		}
	}
}

// A log that somebody trims as far as it goes does not begin at 0 again.
func TestALogTrimmedToItsEndKeepsItsOffsets(t *testing.T) {
	t.Parallel()
	dir, p, c := alone(t, 1)
	w := openWriter(t, c, "category")
	for i := range 10 {
		send(t, w, i*10, 10)
	}
	for _, to := range []int64{50, -1, 100} {
		trimTo(t, p.addr, "category", 0, to)
	}
	if start, end := extent(t, c, "category"); start != 99 || end != 100 {
		t.Errorf("the log reaches from %d to %d, want 99 to 100", start, end)
	}
	for _, how := range []func(){p.stop, func() { p.kill(t) }} {
		how()
		*p = *launch(t, dir, p.addr)
		if start, end := extent(t, c, "category"); start < 90 || start > 99 || end != 100 {
			t.Errorf("after a restart the log reaches from %d to %d, want the last batch at least, to 100", start, end)
		}
	}
}

func TestForgottenGroupsStayForgotten(t *testing.T) {
	t.Parallel()
	dir, p, c := alone(t, 2)
	r := openReader(t, c, "category", kafka.From{})
	for _, group := range []string{"liushui-native", "liushui-spark"} {
		if err := r.Commit(t.Context(), group, map[int32]int64{0: 0, 1: 0}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Forget(t.Context(), "liushui-spark"); err != nil {
		t.Fatal(err)
	}
	p.kill(t)
	launch(t, dir, p.addr)
	for group, want := range map[string]map[int32]int64{"liushui-native": {0: 0, 1: 0}, "liushui-spark": {}} {
		got, err := c.Committed(t.Context(), group, "category")
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s committed %v, want %v", group, got, want)
		}
	}
}

// TestForgetByDirectory forgets a group of a broker that runs, and of one that does not.
func TestForgetByDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startBroker(t, kafka.BrokerConfig{Dir: dir})
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 2})
	r := openReader(t, c, "category", kafka.From{})
	for _, group := range []string{"liushui-native", "liushui-spark", "liushui-gone"} {
		if err := r.Commit(t.Context(), group, map[int32]int64{0: 0}); err != nil {
			t.Fatal(err)
		}
	}
	own := kafka.BrokerConfig{Dir: dir, Log: silent}
	forget := func(group, want string) {
		t.Helper()
		if address, err := kafka.Forget(t.Context(), own, group); err != nil || address != want {
			t.Errorf("forget %s at %q: %v; want at %q", group, address, err, want)
		}
	}
	forget("spark", b.Addr())
	if _, err := kafka.Forget(t.Context(), own, "spark"); !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "there are: gone, native") {
		t.Errorf("forgetting it again: %v", err)
	}
	r.Close()
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	forget("liushui-gone", "")
	forget("native", "")
	if _, err := kafka.Forget(t.Context(), own, "native"); !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("forgetting it again: %v", err)
	}
	if _, err := kafka.Forget(t.Context(), kafka.BrokerConfig{Dir: t.TempDir(), Log: silent}, "native"); !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "no broker's directory") {
		t.Errorf("forgetting in an empty directory: %v", err)
	}
}

func TestTopicsSurviveAKill(t *testing.T) {
	t.Parallel()
	dir, p, c := alone(t, 3)
	id, err := c.TopicID(t.Context(), "category")
	if err != nil {
		t.Fatal(err)
	}
	p.kill(t)
	p = launch(t, dir, "127.0.0.1:0")
	again, err := connect(t, p.addr).TopicID(t.Context(), "category")
	if err != nil || again != id {
		t.Errorf("the topic's id was %s and is %s (%v)", id, again, err)
	}
}

// freeAddress is an address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
