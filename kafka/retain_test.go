package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"liushui"
	"liushui/kafka"
)

const (
	retain = 16 << 20
	spill  = 8 << 20 // a request, by which the bound may be passed, the groups' log, and what comes and goes while we look
)

// bulk is n records of 1 KiB that no compression makes smaller, as long as those
// of one batch do not repeat.
func bulk(n int) []liushui.Record {
	noise := rand.NewChaCha8([32]byte{1})
	records := make([]liushui.Record, n)
	for i := range records {
		value := make([]byte, 1024)
		noise.Read(value)
		records[i] = liushui.Record{Key: value[:8], Value: value}
	}
	return records
}

// keeper is a broker that keeps its bound, and what it logs.
func keeper(t *testing.T, dir string) (*kafka.Broker, *log) {
	t.Helper()
	said := &log{}
	b := startBroker(t, kafka.BrokerConfig{Dir: dir, Retain: retain, Log: slog.New(slog.NewTextHandler(said, nil))})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b, said
}

// log is a buffer for two goroutines.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), words)
}

func ensure(t testing.TB, c *kafka.Client, topics ...kafka.Topic) {
	t.Helper()
	for _, topic := range topics {
		if _, err := c.EnsureTopic(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
	}
}

func diskUse(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // trimmed while we look
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// eventually waits for a condition that needs others' doing.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 15 s still not: %s", what)
		}
	}
}

// extent is the sum of starts and of ends over a topic's partitions.
func extent(t testing.TB, c *kafka.Client, topic string) (start, end int64) {
	t.Helper()
	ends, err := c.Ends(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ends {
		start += e.Start
		end += e.End
	}
	return start, end
}

// follow reads and commits for a group; finish waits until n records were read, and no more.
func follow(t *testing.T, c *kafka.Client, topic, group string) (finish func(n int)) {
	r := openReader(t, c, topic, kafka.From{})
	ctx, cancel := context.WithCancel(t.Context())
	var read atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		next := map[int32]int64{}
		for {
			fetches, err := r.Poll(ctx)
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("follow %s: %v", topic, err)
				}
				return
			}
			for _, f := range fetches {
				read.Add(int64(len(f.Records)))
				next[f.Partition] = f.Records[len(f.Records)-1].Offset + 1
			}
			if err := r.Commit(context.Background(), group, next); err != nil {
				t.Errorf("commit: %v", err)
			}
		}
	}()
	return func(n int) {
		t.Helper()
		eventually(t, "all was read", func() bool { return read.Load() >= int64(n) })
		cancel()
		<-ended
		if got := read.Load(); got != int64(n) {
			t.Errorf("%s read %d records, want %d", group, got, n)
		}
	}
}

func TestEventsAreBoundedWhileAGroupFollows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, _ := keeper(t, dir)
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 4})
	finish := follow(t, c, "category", "liushui-native")
	w := openWriter(t, c, "category")
	records := bulk(4096)
	sent, widest := 0, int64(0)
	for sent*1024 < 3*retain {
		if err := w.Write(t.Context(), records, nil); err != nil {
			t.Fatal(err)
		}
		sent += len(records)
		widest = max(widest, diskUse(t, dir))
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if widest > retain+spill {
		t.Errorf("the directory grew to %d bytes with a bound of %d", widest, retain)
	}
	eventually(t, "events are below the bound", func() bool { return b.Status().Events < retain })
	start, end := extent(t, c, "category")
	if start == 0 || end != int64(sent) {
		t.Errorf("the log holds %d to %d, want a trimmed start and the end %d", start, end, sent)
	}
	finish(sent)
}

func TestEventsThatNobodyReadHoldProducersBack(t *testing.T) {
	t.Parallel()
	b, said := keeper(t, t.TempDir())
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 2}, kafka.Topic{Name: "category_results", Results: true})
	w := openWriter(t, c, "category")
	records := bulk(3 * retain / 1024)
	written := make(chan error, 1)
	if err := w.Write(t.Context(), records[:1], nil); err != nil {
		t.Fatal(err)
	}
	go func() {
		for len(records) > 0 {
			if err := w.Write(context.Background(), records[:512], nil); err != nil {
				written <- err
				return
			}
			records = records[512:]
		}
		written <- w.Flush(context.Background())
	}()
	eventually(t, "the broker says that no engine reads", func() bool {
		return strings.Contains(b.Status().Held, "no engine has read any of it")
	})
	waiting := w.(interface{ Waiting() string })
	eventually(t, "the writer says why it waits", func() bool { return waiting.Waiting() == b.Status().Held })
	if _, end := extent(t, c, "category"); end > (retain+spill)/1024 {
		t.Errorf("%d records of 1 KiB were taken with a bound of %d", end, retain)
	}
	// Results are never held back.
	results := openWriter(t, c, "category_results")
	send(t, results, 0, 100)

	r := openReader(t, c, "category", kafka.From{})
	half := map[int32]int64{0: 100, 1: 100}
	if err := r.Commit(t.Context(), "liushui-native", half); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the broker names the group that lags", func() bool {
		return strings.Contains(b.Status().Held, "liushui-native is") && strings.Contains(b.Status().Held, "--forget native")
	})
	r.Close()

	finish := follow(t, c, "category", "liushui-native")
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	eventually(t, "producers go on", func() bool { return b.Status().Held == "" && waiting.Waiting() == "" })
	finish(3*retain/1024 + 1)
	if said.count("producers are held back") == 0 || said.count("producers go on") == 0 {
		t.Error("the log does not say that producers were held back and went on")
	}
}

func TestTwoGroupsHoldWhatOneHasNotPassed(t *testing.T) {
	t.Parallel()
	b, _ := keeper(t, t.TempDir())
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 1})
	w := openWriter(t, c, "category")
	r := openReader(t, c, "category", kafka.From{})
	commit := func(group string, at int64) {
		t.Helper()
		if err := r.Commit(t.Context(), group, map[int32]int64{0: at}); err != nil {
			t.Fatal(err)
		}
	}
	// More than is kept, and less than holds producers back: in two goes, as a
	// batch that is sent again counts twice until the broker has measured.
	for sent, n := range []int{13_000, 2_500} {
		eventually(t, "what was sent is measured", func() bool { return b.Status().Events >= int64(sent)*12<<20 })
		if err := w.Write(t.Context(), bulk(n), nil); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, end := extent(t, c, "category")
	commit("liushui-spark", 10)
	commit("liushui-native", end)
	commit("others", 0) // not ours: holds nothing
	time.Sleep(1500 * time.Millisecond)
	if start, _ := extent(t, c, "category"); start != 0 {
		t.Errorf("the log starts at %d though liushui-spark stands at 10", start)
	}
	if err := b.Forget(t.Context(), "nobody"); !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "native, spark") {
		t.Errorf("forgetting nobody: %v", err)
	}
	if err := c.Forget(t.Context(), "spark"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log is trimmed", func() bool { start, _ := extent(t, c, "category"); return start > 0 })
	if start, _ := extent(t, c, "category"); start >= end {
		t.Errorf("the log starts at %d, its end: nothing was kept", start)
	}
}

func TestResultsAndDeadLettersGoByAge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, said := keeper(t, dir)
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category_results", Results: true}, kafka.Topic{Name: "category_deadletter", Partitions: 2})
	for _, topic := range []string{"category_results", "category_deadletter"} {
		w := openWriter(t, c, topic)
		records := bulk(4096)
		for sent := 0; sent < 2*retain; sent += len(records) * 1024 {
			if err := w.Write(t.Context(), records, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, topic+" is trimmed", func() bool { start, end := extent(t, c, topic); return start > 0 && (end-start)*1024 < retain })
	}
	status := b.Status()
	if start, _ := extent(t, c, "category_deadletter"); status.DroppedDeadLetters != start {
		t.Errorf("%d dead letters are counted as dropped, the log starts at %d", status.DroppedDeadLetters, start)
	}
	if said.count("the oldest dead letters were dropped") == 0 {
		t.Error("the log says nothing of dropped dead letters")
	}
	if status.DroppedResults != 0 || said.count("results dropped") != 0 {
		t.Error("results count as dropped though no store ever read them")
	}
	if use := diskUse(t, dir); use > 2*retain+spill {
		t.Errorf("the directory holds %d bytes with two bounds of %d", use, retain)
	}
}

func TestResultsThatTheStoreMissesAreTold(t *testing.T) {
	t.Parallel()
	b, said := keeper(t, t.TempDir())
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category_results", Results: true})
	r := openReader(t, c, "category_results", kafka.From{})
	if err := r.Commit(t.Context(), "liushui-store", map[int32]int64{0: 100}); err != nil {
		t.Fatal(err)
	}
	w := openWriter(t, c, "category_results")
	if err := w.Write(t.Context(), bulk(2*retain/1024), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loss is told", func() bool { return said.count("results dropped before the store took them") > 0 })
	eventually(t, "the loss is counted", func() bool {
		start, _ := extent(t, c, "category_results")
		return b.Status().DroppedResults == start-100
	})
}

func TestMemoryStaysFlatInALongRun(t *testing.T) {
	b, _ := keeper(t, t.TempDir())
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 4})
	finish := follow(t, c, "category", "liushui-native")
	w := openWriter(t, c, "category")
	records := bulk(4096)
	heap := func() int64 {
		for range 3 { // what lies in pools lives a little longer
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	produce := func(bytes int) {
		for sent := 0; sent < bytes; sent += len(records) * 1024 {
			if err := w.Write(t.Context(), records, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, end := extent(t, c, "category")
		eventually(t, "all was read", func() bool {
			kept, err := c.Committed(t.Context(), "liushui-native", "category")
			sum := int64(0)
			for _, at := range kept {
				sum += at
			}
			return err == nil && sum == end
		})
	}
	produce(retain)
	before := heap()
	produce(4 * retain)
	if grown := heap() - before; grown > retain {
		t.Errorf("the heap grew by %d bytes while %d went through a log of %d", grown, 4*retain, retain)
	}
	finish(5 * retain / 1024)
}
