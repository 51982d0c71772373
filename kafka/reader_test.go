package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"liushui"
	"liushui/kafka"
)

// admin does what only people do: delete topics, add partitions, trim logs.
func admin(t testing.TB, address string) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

func trimTo(t testing.TB, address, topic string, partition int32, at int64) {
	t.Helper()
	to := kadm.Offsets{}
	to.AddOffset(topic, partition, at, -1)
	if trimmed, err := admin(t, address).DeleteRecords(t.Context(), to); err != nil || trimmed.Error() != nil {
		t.Fatal(err, trimmed.Error())
	}
}

func deleteTopic(t testing.TB, address, topic string) {
	t.Helper()
	if _, err := admin(t, address).DeleteTopics(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
}

// pollError polls until there is an error.
func pollError(t *testing.T, r liushui.Reader) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		if _, err := r.Poll(ctx); err != nil {
			return err
		}
	}
}

func TestWhereReadersBegin(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 1)
		w := openWriter(t, c, k.category)
		for i := range 10 {
			send(t, w, i*10, 10)
		}
		trimTo(t, k.addr, k.category, 0, 20)
		id, err := c.TopicID(t.Context(), k.category)
		if err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			from  kafka.From
			first int64
			err   error
			words string
		}{
			"the log's start":             {kafka.From{}, 20, nil, ""},
			"an offset":                   {kafka.From{Offsets: map[int32]int64{0: 47}}, 47, nil, ""},
			"the log's start, explicitly": {kafka.From{Offsets: map[int32]int64{0: 20}}, 20, nil, ""},
			"the end":                     {kafka.From{Offsets: map[int32]int64{0: 100}}, 100, nil, ""},
			"offsets of other partitions": {kafka.From{Offsets: map[int32]int64{7: 3}}, 20, nil, ""},
			"a tail":                      {kafka.From{Tail: 15}, 85, nil, ""},
			"a tail longer than the log":  {kafka.From{Tail: 500}, 20, nil, ""},
			"the same topic":              {kafka.From{TopicID: id, Offsets: map[int32]int64{0: 30}}, 30, nil, ""},
			"another topic":               {kafka.From{TopicID: "bygone"}, 0, liushui.ErrOtherTopic, "topic " + k.category + " was deleted and made again (its id was bygone and is " + id + ")"},
			"what was trimmed":            {kafka.From{Offsets: map[int32]int64{0: 19}}, 0, liushui.ErrGone, "topic " + k.category + ", partition 0, offset 19: the log holds 20 to 100"},
			"what is not yet there":       {kafka.From{Offsets: map[int32]int64{0: 101}}, 0, liushui.ErrGone, "topic " + k.category + ", partition 0, offset 101: the log holds 20 to 100"},
		} {
			t.Run(name, func(t *testing.T) {
				r, err := c.Reader(t.Context(), k.category, test.from)
				if test.err != nil {
					if !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.words) {
						t.Fatalf("got %v, want %v: %s", err, test.err, test.words)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if r.TopicID() != id {
					t.Errorf("topic id %s, want %s", r.TopicID(), id)
				}
				if test.first == 100 {
					ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
					defer cancel()
					if fetches, err := r.Poll(ctx); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("at the end: %v, %v", fetches, err)
					}
					return
				}
				if got := receive(t, r, int(100-test.first)); got[0].Offset != test.first {
					t.Errorf("the first offset is %d, want %d", got[0].Offset, test.first)
				}
			})
		}
		if _, err := c.Reader(t.Context(), "categry", kafka.From{}); !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "there is no topic categry at "+k.addr) {
			t.Errorf("a topic that does not exist: %v", err)
		}
	})
}

func TestAReaderThatIsOvertakenByTheTrimming(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 1)
		w := openWriter(t, c, k.category)
		r := openReader(t, c, k.category, kafka.From{})
		send(t, w, 0, 10)
		receive(t, r, 10)
		r.Hold(0, true)
		time.Sleep(500 * time.Millisecond) // a fetch that is under way finds nothing, and ends
		send(t, w, 10, 90)
		trimTo(t, k.addr, k.category, 0, 60)
		r.Hold(0, false)
		err := pollError(t, r)
		if want := "topic " + k.category + ", partition 0, offset 10: the log holds 60 to 100"; !errors.Is(err, liushui.ErrGone) || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v, want ErrGone: %s", err, want)
		}
		if again := pollError(t, r); !errors.Is(again, liushui.ErrGone) {
			t.Errorf("the next Poll: %v", again)
		}
	})
}

// A reader that has read nothing has missed nothing: it begins where the log does.
func TestAReaderOfTheStartFollowsTheTrimming(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 1)
		w := openWriter(t, c, k.category)
		send(t, w, 0, 100)
		r := openReader(t, c, k.category, kafka.From{})
		r.Hold(0, true)
		trimTo(t, k.addr, k.category, 0, 60)
		time.Sleep(200 * time.Millisecond) // what was fetched before is not given out while held
		r.Hold(0, false)
		first := receiveSome(t, r)[0].Offset
		if first != 0 && first != 60 {
			t.Errorf("the first offset is %d, want 60, or 0 where it was fetched before", first)
		}
	})
}

func receiveSome(t *testing.T, r liushui.Reader) []liushui.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	fetches, err := r.Poll(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return fetches[0].Records
}

func TestATopicMadeAgainIsAnother(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		for _, made := range []bool{true, false} {
			t.Run(fmt.Sprintf("made again=%v", made), func(t *testing.T) {
				k := &served{k.addr, k.client, fmt.Sprintf("%s-%v", k.category, made)}
				c := k.line(t, 2)
				w := openWriter(t, c, k.category)
				r := openReader(t, c, k.category, kafka.From{})
				send(t, w, 0, 10)
				receive(t, r, 10)
				deleteTopic(t, k.addr, k.category)
				if made {
					ensure(t, c, kafka.Topic{Name: k.category, Partitions: 2})
					send(t, openWriter(t, c, k.category), 100, 50) // offsets beyond those that the reader stands at
				}
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
				defer cancel()
				fetches, err := r.Poll(ctx)
				if !errors.Is(err, liushui.ErrOtherTopic) {
					t.Fatalf("got %v and records %v, want %v", err, fetches, liushui.ErrOtherTopic)
				}
				if !made {
					return
				}
				for err = nil; err == nil; time.Sleep(50 * time.Millisecond) { // Kafka before 4.0 takes what is for the old one
					if err = w.Write(ctx, []liushui.Record{{Value: []byte("x")}}, nil); err == nil {
						err = w.Flush(ctx)
					}
				}
				if !errors.Is(err, liushui.ErrOtherTopic) {
					t.Errorf("writing on: %v", err)
				}
			})
		}
	})
}

func TestPartitionsThatAppearAreReadFromTheirStart(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 2)
		w := openWriter(t, c, k.category)
		r := openReader(t, c, k.category, kafka.From{})
		send(t, w, 0, 100)
		receive(t, r, 100)
		if _, err := admin(t, k.addr).UpdatePartitions(t.Context(), 4, k.category); err != nil {
			t.Fatal(err)
		}
		w2 := openWriter(t, c, k.category) // knows all four at once
		send(t, w2, 100, 200)
		seen := map[int32]bool{}
		for _, record := range receive(t, r, 200) {
			seen[record.Partition] = true
		}
		if !seen[2] && !seen[3] {
			t.Errorf("records came from partitions %v only", seen)
		}
		eventually(t, "the ends of four partitions are known", func() bool { return len(r.Ends()) == 4 })
	})
}

func TestHeldPartitionsRest(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 2)
		w := openWriter(t, c, k.category)
		r := openReader(t, c, k.category, kafka.From{})
		r.Hold(0, true)
		time.Sleep(500 * time.Millisecond) // a fetch that is under way finds nothing, and ends
		send(t, w, 0, 100)
		_, ends := extent(t, c, k.category)
		if ends != 100 {
			t.Fatalf("%d records were written", ends)
		}
		all, err := c.Ends(t.Context(), k.category)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range receive(t, r, int(all[1].End)) {
			if record.Partition != 1 {
				t.Fatal("a held partition was read")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if fetches, err := r.Poll(ctx); err == nil {
			t.Fatalf("a held partition was read: %v", fetches)
		}
		r.Hold(0, false)
		began := time.Now()
		got := receive(t, r, int(all[0].End))
		if got[0].Offset != 0 {
			t.Errorf("partition 0 goes on at offset %d", got[0].Offset)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a partition that is let go took %s", took)
		}
	})
}

func TestEndsAreLearnedAndNotInvented(t *testing.T) {
	t.Parallel()
	b, c := line(t, kafka.Topic{Name: "category", Partitions: 2})
	w := openWriter(t, c, "category")
	said := &log{}
	loud, err := kafka.Connect(t.Context(), kafka.Config{Brokers: []string{b.Addr()}, Log: slog.New(slog.NewTextHandler(said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer loud.Close()
	r := openReader(t, loud, "category", kafka.From{})
	openReader(t, loud, "category", kafka.From{}) // notices too, and says nothing more
	sum := func() (end int64, oldest time.Time) {
		oldest = time.Now()
		for _, e := range r.Ends() {
			end += e.End
			if e.Asked.Before(oldest) {
				oldest = e.Asked
			}
		}
		return end, oldest
	}
	before := time.Now()
	send(t, w, 0, 100)
	eventually(t, "the new ends are known", func() bool { end, asked := sum(); return end == 100 && asked.After(before) })

	address := b.Addr()
	b.Close()
	time.Sleep(100 * time.Millisecond)
	away := time.Now()
	time.Sleep(1500 * time.Millisecond)
	if _, asked := sum(); asked.After(away) {
		t.Error("an end counts as learned though no broker was there to ask")
	}
	eventually(t, "the log says that Kafka is away", func() bool { return said.count("Kafka does not answer; waiting for it") == 1 })
	startBroker(t, kafka.BrokerConfig{Listen: address}) // an empty one: the topic is not there
	eventually(t, "the log says that Kafka is back", func() bool { return said.count("Kafka answers again") == 1 })
	if err := pollError(t, r); !errors.Is(err, liushui.ErrOtherTopic) {
		t.Errorf("a broker without the topic: %v", err)
	}
}

func TestCommitsAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 3)
		r := openReader(t, c, k.category, kafka.From{})
		if got, err := c.Committed(t.Context(), "liushui-native", k.category); err != nil || len(got) != 0 {
			t.Fatalf("before any commit: %v, %v", got, err)
		}
		for _, step := range []map[int32]int64{{0: 5}, {0: 9, 2: 1}} {
			if err := r.Commit(t.Context(), "liushui-native", step); err != nil {
				t.Fatal(err)
			}
		}
		got, err := c.Committed(t.Context(), "liushui-native", k.category)
		if err != nil || len(got) != 2 || got[0] != 9 || got[2] != 1 {
			t.Errorf("committed %v, %v", got, err)
		}
	})
}

func TestAnEndedContextEndsEverything(t *testing.T) {
	t.Parallel()
	b, c := line(t, kafka.Topic{Name: "category", Partitions: 1})
	w := openWriter(t, c, "category")
	r := openReader(t, c, "category", kafka.From{})
	send(t, w, 0, 1)
	receive(t, r, 1)
	b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan string, 6)
	wait := func(what string, f func() error) {
		go func() {
			if err := f(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", what, err)
			}
			ended <- what
		}()
	}
	wait("Poll", func() error { _, err := r.Poll(ctx); return err })
	wait("Write", func() error {
		for {
			if err := w.Write(ctx, bulk(4096), nil); err != nil {
				return err
			}
		}
	})
	wait("Commit", func() error { return r.Commit(ctx, "liushui-native", map[int32]int64{0: 1}) })
	wait("Ends", func() error { _, err := c.Ends(ctx, "category"); return err })
	wait("EnsureTopic", func() error { _, err := c.EnsureTopic(ctx, kafka.Topic{Name: "other"}); return err })
	wait("Connect", func() error {
		_, err := kafka.Connect(ctx, kafka.Config{Brokers: []string{blackHole(t)}, Log: silent})
		return err
	})
	time.Sleep(300 * time.Millisecond)
	began := time.Now()
	cancel()
	for range cap(ended) {
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Fatal("not all calls ended")
		}
	}
	r.Close()
	w.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s until all had ended", took)
	}
}
