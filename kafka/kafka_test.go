package kafka_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"liushui"
	"liushui/dev"
	"liushui/kafka"
)

// silent drops what is logged; tests that look at the log make their own.
var silent = slog.New(slog.DiscardHandler)

func startBroker(t testing.TB, c kafka.BrokerConfig) *kafka.Broker {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Log == nil {
		c.Log = silent
	}
	b, err := kafka.StartBroker(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func connect(t testing.TB, address string) *kafka.Client {
	t.Helper()
	c, err := kafka.Connect(t.Context(), kafka.Config{Brokers: []string{address}, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// line is a broker with a client and one topic.
func line(t testing.TB, topic kafka.Topic) (*kafka.Broker, *kafka.Client) {
	t.Helper()
	b := startBroker(t, kafka.BrokerConfig{})
	c := connect(t, b.Addr())
	if _, err := c.EnsureTopic(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	return b, c
}

// served is a Kafka that a test is given, with a name for its topic.
type served struct {
	addr     string
	client   *kafka.Client
	category string
}

var topics atomic.Int64

// onEach runs a test on a broker of ours, on Apache Kafka and on an older one
// with ZooKeeper. Other tests use the same two at the same time.
func onEach(t *testing.T, test func(t *testing.T, k *served)) {
	t.Helper()
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, serving(t, startBroker(t, kafka.BrokerConfig{Partitions: 2}).Addr())) // as those of dev
	})
	onApache(t, test)
}

func onApache(t *testing.T, test func(t *testing.T, k *served)) {
	t.Helper()
	for _, release := range []string{dev.Kafka43, dev.Kafka39} {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			test(t, serving(t, dev.Kafka(t, release).Addrs()))
		})
	}
}

func serving(t *testing.T, addr string) *served {
	return &served{addr: addr, client: connect(t, addr), category: fmt.Sprintf("category%d", topics.Add(1))}
}

// line makes the topic.
func (k *served) line(t testing.TB, partitions int) *kafka.Client {
	t.Helper()
	ensure(t, k.client, kafka.Topic{Name: k.category, Partitions: partitions})
	return k.client
}

func openWriter(t testing.TB, c *kafka.Client, topic string) liushui.Writer {
	t.Helper()
	w, err := c.Writer(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func openReader(t testing.TB, c *kafka.Client, topic string, from kafka.From) liushui.Reader {
	t.Helper()
	r, err := c.Reader(t.Context(), topic, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// send writes n records, numbered from first on, and waits until they are acknowledged.
func send(t testing.TB, w liushui.Writer, first, n int) {
	t.Helper()
	records := make([]liushui.Record, n)
	for i := range records {
		records[i] = liushui.Record{Key: fmt.Appendf(nil, "key%d", (first+i)%17), Value: fmt.Appendf(nil, "%d", first+i)}
	}
	if err := w.Write(t.Context(), records, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// receive polls until n records have come, and no more than them.
func receive(t testing.TB, r liushui.Reader, n int) []liushui.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all []liushui.Record
	next := map[int32]int64{}
	for len(all) < n {
		fetches, err := r.Poll(ctx)
		if err != nil {
			t.Fatalf("after %d of %d records: %v", len(all), n, err)
		}
		for _, f := range fetches {
			for _, record := range f.Records {
				if record.Partition != f.Partition {
					t.Fatalf("a record of partition %d in a fetch of %d", record.Partition, f.Partition)
				}
				if want, seen := next[f.Partition]; seen && record.Offset != want {
					t.Fatalf("partition %d: offset %d follows %d", f.Partition, record.Offset, want-1)
				}
				next[f.Partition] = record.Offset + 1
			}
			all = append(all, f.Records...)
		}
	}
	if len(all) > n {
		t.Fatalf("%d records, want %d", len(all), n)
	}
	return all
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 4)
		w := openWriter(t, c, k.category)
		r := openReader(t, c, k.category, kafka.From{})
		before := time.Now().UnixMilli()
		records := []liushui.Record{
			{Key: []byte("order1"), Value: []byte("a"), Feed: liushui.FeedDemo},
			{Key: []byte("order1"), Value: []byte("b"), Feed: liushui.FeedReplay, Headers: []liushui.Header{{Key: "reason", Value: []byte("late")}}},
			{Key: []byte("order1"), Value: []byte("c"), Headers: []liushui.Header{{Key: "x", Value: []byte("1")}, {Key: "y", Value: nil}}},
			{Key: []byte("order1"), Value: []byte("d")},
		}
		acknowledged := make(chan error, 2)
		if err := w.Write(t.Context(), records, func(err error) { acknowledged <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-acknowledged; err != nil {
			t.Fatal(err)
		}
		got := receive(t, r, len(records))
		for i, want := range records {
			g := got[i]
			if string(g.Key) != string(want.Key) || string(g.Value) != string(want.Value) || g.Feed != want.Feed || len(g.Headers) != len(want.Headers) {
				t.Errorf("record %d: got %+v, want %+v", i, g, want)
			}
			for j := range want.Headers {
				if g.Headers[j].Key != want.Headers[j].Key || string(g.Headers[j].Value) != string(want.Headers[j].Value) {
					t.Errorf("record %d, header %d: got %v, want %v", i, j, g.Headers[j], want.Headers[j])
				}
			}
			if g.Offset != int64(i) {
				t.Errorf("record %d has offset %d", i, g.Offset)
			}
			if g.Time < before || g.Time > time.Now().UnixMilli() {
				t.Errorf("record %d has time %d, written at %d", i, g.Time, before)
			}
		}
		if len(acknowledged) != 0 {
			t.Error("done was called twice")
		}
	})
}
