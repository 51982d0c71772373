package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"liushui"
	"liushui/dev"
	"liushui/kafka"
)

func (k *served) makeTopic(t *testing.T, partitions int32, settings map[string]string) {
	t.Helper()
	all := map[string]*string{}
	for key, value := range settings {
		all[key] = &value
	}
	if _, err := admin(t, k.addr).CreateTopic(t.Context(), partitions, -1, all, k.category); err != nil {
		t.Fatal(err)
	}
	// One that answers that it has made a topic may learn of it a little later.
	eventually(t, "the broker knows "+k.category, func() bool {
		known, err := k.client.HasTopic(t.Context(), k.category)
		return err == nil && known
	})
}

func (k *served) producer(t *testing.T, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	producer, err := kgo.NewClient(append(options, kgo.SeedBrokers(k.addr), kgo.DefaultProduceTopic(k.category))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	return producer
}

// Java's compressors make what our decoder reads: a broker packs anew what
// comes for a topic with a compression of its own.
func TestWhatJavaPacksIsRead(t *testing.T) {
	onApache(t, func(t *testing.T, k *served) {
		for _, codec := range []string{"uncompressed", "gzip", "snappy", "lz4", "zstd"} {
			t.Run(codec, func(t *testing.T) {
				k := &served{k.addr, k.client, k.category + "-" + codec}
				k.makeTopic(t, 1, map[string]string{"compression.type": codec, "message.timestamp.type": "LogAppendTime"})
				w := openWriter(t, k.client, k.category)
				var records []liushui.Record
				for i := range 3000 {
					records = append(records, liushui.Record{Key: fmt.Appendf(nil, "%d", i), Value: bytes.Repeat(fmt.Appendf(nil, "%d 流水", i), i%50)})
				}
				before := time.Now().UnixMilli()
				if err := w.Write(t.Context(), append(records, bulk(500)...), nil); err != nil {
					t.Fatal(err)
				}
				if err := w.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				got := receive(t, openReader(t, k.client, k.category, kafka.From{}), 3500)
				for i, want := range append(records, bulk(500)...) {
					if !bytes.Equal(got[i].Key, want.Key) || !bytes.Equal(got[i].Value, want.Value) {
						t.Fatalf("record %d is %q=%.40q, want %q=%.40q", i, got[i].Key, got[i].Value, want.Key, want.Value)
					}
					if got[i].Time < before || got[i].Time > time.Now().UnixMilli() {
						t.Fatalf("record %d has time %d, written at %d", i, got[i].Time, before)
					}
				}
			})
		}
	})
}

// Others' transactions leave marks in the log, which are no records.
func TestMarksOfTransactionsArePassed(t *testing.T) {
	onApache(t, func(t *testing.T, k *served) {
		c := k.line(t, 1)
		producer := k.producer(t, kgo.TransactionalID(k.category))
		r := openReader(t, c, k.category, kafka.From{})
		for i := range 3 {
			if err := producer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := producer.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := producer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
				t.Fatal(err)
			}
		}
		offset := int64(-1)
		for n := 0; n < 3; {
			for _, record := range receiveSome(t, r) {
				if record.Offset <= offset || string(record.Value) != fmt.Sprint(n) {
					t.Fatalf("offset %d holds %s after offset %d", record.Offset, record.Value, offset)
				}
				offset = record.Offset
				n++
			}
		}
		// The last mark too: the reader stands at the end, not before it.
		send(t, openWriter(t, c, k.category), 3, 1)
		if got := receiveSome(t, r); string(got[0].Value) != "3" || got[0].Offset != 6 {
			t.Errorf("got %s at offset %d, want 3 at 6", got[0].Value, got[0].Offset)
		}
	})
}

// Kafka's own retention takes records away, and who comes late is told what is left.
func TestWhatRetentionTookIsGone(t *testing.T) {
	onApache(t, func(t *testing.T, k *served) {
		k.makeTopic(t, 1, map[string]string{"retention.ms": "1000", "message.timestamp.type": "LogAppendTime"})
		w := openWriter(t, k.client, k.category)
		r := openReader(t, k.client, k.category, kafka.From{})
		send(t, w, 0, 10)
		receive(t, r, 10)
		r.Hold(0, true)
		time.Sleep(300 * time.Millisecond) // a fetch that is under way finds nothing, and ends
		send(t, w, 10, 40)
		eventually(t, "the log is trimmed", func() bool { start, _ := extent(t, k.client, k.category); return start == 50 })
		r.Hold(0, false)
		want := "topic " + k.category + ", partition 0, offset 10: the log holds 50 to 50"
		if err := pollError(t, r); !errors.Is(err, liushui.ErrGone) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrGone: %s", err, want)
		}
		if _, err := k.client.Reader(t.Context(), k.category, kafka.From{Offsets: map[int32]int64{0: 20}}); !errors.Is(err, liushui.ErrGone) {
			t.Errorf("a new reader: %v", err)
		}
		send(t, w, 50, 5)
		if got := receive(t, openReader(t, k.client, k.category, kafka.From{}), 5); got[0].Offset != 50 {
			t.Errorf("the first offset is %d, want 50", got[0].Offset)
		}
	})
}

// Two brokers of a cluster go and come back, one after the other, while a writer
// writes and a reader reads: one is stopped, one is killed.
func TestAClusterLosesItsBrokersInTurn(t *testing.T) {
	k := dev.StartKafka(t, dev.KafkaConfig{Brokers: 3})
	c, err := kafka.Connect(t.Context(), kafka.Config{Brokers: strings.Split(k.Addrs(), ","), Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 6}, kafka.Topic{Name: "category_results", Results: true})
	w := openWriter(t, c, "category")
	r := openReader(t, c, "category", kafka.From{})
	acknowledged, end := stream(t, w, 10*time.Millisecond)
	goOn := func(what string) {
		reached := acknowledged.Load()
		eventually(t, "writes go on "+what, func() bool { return acknowledged.Load() > reached+500 })
	}
	for i, b := range k.Brokers[:2] {
		goOn("with all brokers")
		if i == 0 {
			if err := b.Stop(); err != nil {
				t.Fatal(err)
			}
		} else {
			b.Kill()
		}
		goOn(fmt.Sprintf("without broker %d", i+1))
		if err := r.Commit(t.Context(), "liushui-native", map[int32]int64{0: int64(i)}); err != nil {
			t.Error(err)
		}
		if err := b.Start(); err != nil {
			t.Fatal(err)
		}
		awaitReplicas(t, k.Addrs(), "category")
	}
	n := end()
	checkNumbers(t, receive(t, r, n), n)
	if got, err := c.Committed(t.Context(), "liushui-native", "category"); err != nil || got[0] != 1 {
		t.Errorf("committed %v, %v", got, err)
	}
	eventually(t, "the ends are known", func() bool {
		sum := int64(0)
		for _, e := range r.Ends() {
			sum += e.End
		}
		return sum == int64(n)
	})
}

// awaitReplicas waits until every partition is on all brokers again: before
// that, one that goes away may leave too few to write.
func awaitReplicas(t *testing.T, addrs, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(addrs, ",")...), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	eventually(t, "all replicas are in sync", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		topics, err := kadm.NewClient(client).ListTopics(ctx, topic, "__consumer_offsets")
		if err != nil {
			return false
		}
		for _, topic := range topics {
			for _, p := range topic.Partitions {
				if len(p.ISR) < 3 {
					return false
				}
			}
		}
		return true
	})
}
