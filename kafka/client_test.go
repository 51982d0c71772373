package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"liushui"
	"liushui/kafka"
)

// blackHole is an address that takes connections and never answers.
func blackHole(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dead := freeAddress(t)
	silentServer := blackHole(t)
	for name, test := range map[string]struct {
		brokers []string
		misuse  bool
		words   []string
	}{
		"nobody there":       {[]string{dead}, false, []string{"no Kafka at " + dead, "connection refused", "`liushui broker`", "--brokers"}},
		"nobody answers":     {[]string{silentServer}, false, []string{"no Kafka at " + silentServer, "no answer within 5s"}},
		"not an address":     {[]string{"127.0.0.1:http:9"}, true, []string{`"127.0.0.1:http:9"`, "--brokers"}},
		"no such port":       {[]string{"127.0.0.1:99999"}, true, []string{"127.0.0.1:99999", "--brokers"}},
		"two, nobody there":  {[]string{dead, freeAddress(t)}, false, []string{"no Kafka at " + dead + ",127.0.0.1:"}},
		"a name that is not": {[]string{"no-such-host.invalid:9092"}, false, []string{"no Kafka at no-such-host.invalid:9092"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := kafka.Connect(t.Context(), kafka.Config{Brokers: test.brokers, Log: silent})
			if err == nil {
				t.Fatal("connected")
			}
			if took := time.Since(began); took > 7*time.Second {
				t.Errorf("it took %s", took)
			}
			for _, words := range test.words {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q is missing in: %v", words, err)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
			if errors.Is(err, liushui.ErrMisuse) != test.misuse {
				t.Errorf("misuse is %v: %v", !test.misuse, err)
			}
		})
	}
}

func TestConnectTakesTheBrokerThatAnswers(t *testing.T) {
	t.Parallel()
	b := startBroker(t, kafka.BrokerConfig{})
	c, err := kafka.Connect(t.Context(), kafka.Config{Brokers: []string{freeAddress(t), b.Addr()}, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestEnsureTopic(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c, results := k.client, k.category+"_results"
		for _, step := range []struct {
			topic      kafka.Topic
			created    bool
			partitions int
			refused    string
		}{
			{kafka.Topic{Name: k.category, Partitions: 3}, true, 3, ""},
			{kafka.Topic{Name: k.category, Partitions: 3}, false, 3, ""},
			{kafka.Topic{Name: k.category, Partitions: 8}, false, 3, ""},
			{kafka.Topic{Name: k.category + "_deadletter"}, true, 2, ""},
			{kafka.Topic{Name: results, Results: true}, true, 1, ""},
			{kafka.Topic{Name: results, Results: true}, false, 1, ""},
			{kafka.Topic{Name: k.category + "_results7", Results: true, Partitions: 7}, true, 1, ""},
			{kafka.Topic{Name: k.category, Results: true}, false, 3, "topic " + k.category + " has 3 partitions, but results need a topic with exactly one"},
			{kafka.Topic{Name: "no such name!"}, false, 0, `"no such name!" cannot be a topic's name`},
			{kafka.Topic{Name: k.category + ".results"}, false, 0, "differs in . and _ only"},
		} {
			created, err := c.EnsureTopic(t.Context(), step.topic)
			if step.refused != "" {
				if !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), step.refused) {
					t.Errorf("%+v: %v, want it refused: %s", step.topic, err, step.refused)
				}
				continue
			}
			if err != nil || created != step.created {
				t.Errorf("%+v: created %v, %v", step.topic, created, err)
			}
			ends, err := c.Ends(t.Context(), step.topic.Name)
			if err != nil || len(ends) != step.partitions {
				t.Errorf("%+v: %d partitions, %v, want %d", step.topic, len(ends), err, step.partitions)
			}
		}
		settings, err := admin(t, k.addr).DescribeTopicConfigs(t.Context(), results)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, s := range settings[0].Configs {
			got[s.Key] = s.MaybeValue()
		}
		if got["message.timestamp.type"] != "LogAppendTime" || got["cleanup.policy"] != "delete" {
			t.Errorf("settings of the results' topic: %v", got)
		}
	})
}

func TestACompactedResultsTopicIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		results := k.category + "_results"
		compact := "compact"
		if _, err := admin(t, k.addr).CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, results); err != nil {
			t.Fatal(err)
		}
		_, err := k.client.EnsureTopic(t.Context(), kafka.Topic{Name: results, Results: true})
		if !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "topic "+results+" has cleanup.policy=compact") {
			t.Errorf("got %v", err)
		}
	})
}

func TestNobodyMakesATopicByAsking(t *testing.T) {
	t.Parallel()
	b := startBroker(t, kafka.BrokerConfig{})
	c := connect(t, b.Addr())
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics("categry"), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	client.PollFetches(ctx)
	if has, err := c.HasTopic(t.Context(), "categry"); has || err != nil {
		t.Errorf("the topic exists: %v, %v", has, err)
	}
}

// The records of a key are where every Kafka producer puts them.
func TestPartitionsAreThoseOfAnyProducer(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 6)
		w := openWriter(t, c, k.category)
		send(t, w, 0, 500)
		// murmur2 of Kafka's Java client, (hash & 0x7fffffff) % 6, for key0 to key16.
		for _, record := range receive(t, openReader(t, c, k.category, kafka.From{}), 500) {
			if want := int32(murmur2(record.Key)&0x7fffffff) % 6; record.Partition != want {
				t.Fatalf("key %s is in partition %d, want %d", record.Key, record.Partition, want)
			}
		}
	})
}

// murmur2 as org.apache.kafka.common.utils.Utils has it.
func murmur2(data []byte) uint32 {
	const m, r = 0x5bd1e995, 24
	h := uint32(0x9747b28c) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		k *= m
		k ^= k >> r
		h = h*m ^ k*m
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(data[0])) * m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}

func TestWritesThatFailSaySo(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 1)
		w := openWriter(t, c, k.category)
		failed := make(chan error, 10)
		tooLarge := []liushui.Record{{Value: []byte("small")}, {Value: make([]byte, 5<<20)}, {Value: []byte("small")}}
		if err := w.Write(t.Context(), tooLarge, func(err error) { failed <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "write to topic "+k.category+": MESSAGE_TOO_LARGE") {
			t.Errorf("done got %v", err)
		}
		if err := w.Flush(t.Context()); err == nil {
			t.Error("Flush forgot the error")
		}
		if err := w.Write(t.Context(), tooLarge[:1], nil); err == nil {
			t.Error("Write forgot the error")
		}
		if len(failed) > 0 {
			t.Error("done was called twice")
		}
	})
}

func TestDoneOfNothingIsCalled(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		c := k.line(t, 1)
		w := openWriter(t, c, k.category)
		done := make(chan error, 1)
		if err := w.Write(t.Context(), nil, func(err error) { done <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// One call may be larger than all that may be under way.
func TestAVeryLargeWrite(t *testing.T) {
	_, c := line(t, kafka.Topic{Name: "category", Partitions: 2})
	w := openWriter(t, c, "category")
	const n = 200_000
	send(t, w, 0, n)
	checkNumbers(t, receive(t, openReader(t, c, "category", kafka.From{}), n), n)
}

func TestAnAbsentBrokerMakesTheWriterSayWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startBroker(t, kafka.BrokerConfig{Dir: dir})
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 1})
	w := openWriter(t, c, "category")
	waiting := w.(interface{ Waiting() string })
	send(t, w, 0, 10)
	b.Close()
	done := make(chan error, 1)
	if err := w.Write(t.Context(), []liushui.Record{{Value: []byte("10")}}, func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the writer says that Kafka does not answer", func() bool { return strings.HasPrefix(waiting.Waiting(), "Kafka does not answer") })
	startBroker(t, kafka.BrokerConfig{Dir: dir, Listen: b.Addr()})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	checkNumbers(t, receive(t, openReader(t, c, "category", kafka.From{}), 11), 11)
	eventually(t, "the writer waits no more", func() bool { return waiting.Waiting() == "" })
	deleteTopic(t, b.Addr(), "category")
	if err := w.Write(t.Context(), []liushui.Record{{Value: []byte("11")}}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the writer says that the topic was deleted", func() bool { return waiting.Waiting() == "topic category was deleted" })
}

func TestTheBrokerRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startBroker(t, kafka.BrokerConfig{Dir: dir})
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "version"), []byte("liushui broker 99\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.MkdirAll(filepath.Join(foreign, "log", "partitions"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config kafka.BrokerConfig
		kind   error
		words  []string
	}{
		"a directory in use": {kafka.BrokerConfig{Dir: dir}, liushui.ErrDirectoryInUse, []string{dir, fmt.Sprintf("process %d", os.Getpid())}},
		"an address in use":  {kafka.BrokerConfig{Dir: t.TempDir(), Listen: b.Addr()}, liushui.ErrMisuse, []string{b.Addr() + " is in use", "--listen"}},
		"no port":            {kafka.BrokerConfig{Dir: t.TempDir(), Listen: "127.0.0.1"}, liushui.ErrMisuse, []string{`"127.0.0.1"`, "--listen"}},
		"not our address":    {kafka.BrokerConfig{Dir: t.TempDir(), Listen: "192.0.2.1:9092"}, liushui.ErrMisuse, []string{`"192.0.2.1:9092"`, "--listen"}},
		"another version":    {kafka.BrokerConfig{Dir: other}, liushui.ErrMisuse, []string{other, "liushui broker 99"}},
		"a foreign log":      {kafka.BrokerConfig{Dir: foreign}, liushui.ErrMisuse, []string{foreign, "no version file"}},
		"no directory":       {kafka.BrokerConfig{}, liushui.ErrMisuse, []string{"directory"}},
		"a file":             {kafka.BrokerConfig{Dir: file}, nil, []string{file}},
		"too small a bound":  {kafka.BrokerConfig{Dir: t.TempDir(), Retain: 1000}, liushui.ErrMisuse, []string{"--retain", "4.0 MiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.config.Listen == "" {
				test.config.Listen = "127.0.0.1:0"
			}
			test.config.Log = silent
			broker, err := kafka.StartBroker(t.Context(), test.config)
			if err == nil {
				broker.Close()
				t.Fatal("it started")
			}
			if test.kind != nil && !errors.Is(err, test.kind) {
				t.Errorf("got %v, want %v", err, test.kind)
			}
			for _, words := range test.words {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q is missing in: %v", words, err)
				}
			}
		})
	}
	// The one that runs is not disturbed.
	connect(t, b.Addr())
}

func TestABrokerOnAllAddressesIsReachedOnThisMachine(t *testing.T) {
	t.Parallel()
	b := startBroker(t, kafka.BrokerConfig{Listen: ":0"})
	if !strings.HasPrefix(b.Addr(), "127.0.0.1:") {
		t.Errorf("the address is %s", b.Addr())
	}
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 2})
	send(t, openWriter(t, c, "category"), 0, 10)
	checkNumbers(t, receive(t, openReader(t, c, "category", kafka.From{}), 10), 10)
}

func TestADirectoryIsFreeAfterCloseAndAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := startBroker(t, kafka.BrokerConfig{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	p := launch(t, dir, "127.0.0.1:0")
	_, err := kafka.StartBroker(t.Context(), kafka.BrokerConfig{Dir: dir, Listen: "127.0.0.1:0", Log: silent})
	if want := fmt.Sprintf("process %d", p.cmd.Process.Pid); !errors.Is(err, liushui.ErrDirectoryInUse) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want it to name %s", err, want)
	}
	p.kill(t)
	startBroker(t, kafka.BrokerConfig{Dir: dir})
}

// Records carry the broker's time, whatever their producer says.
func TestTimesAreTheBrokers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startBroker(t, kafka.BrokerConfig{Dir: dir})
	c := connect(t, b.Addr())
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 1})
	producer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("category"), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	before := time.Now().UnixMilli()
	for _, claimed := range []time.Time{time.UnixMilli(0), time.Now().Add(time.Hour), time.Date(2020, 2, 1, 0, 0, 0, 0, time.UTC)} {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Value: []byte("x"), Timestamp: claimed}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	b.Close() // what is on disk must be whole: a wrong checksum would cut it off
	after := time.Now().UnixMilli()
	startBroker(t, kafka.BrokerConfig{Dir: dir, Listen: b.Addr()})
	for _, record := range receive(t, openReader(t, c, "category", kafka.From{}), 3) {
		if record.Time < before || record.Time > after {
			t.Errorf("time %d, written between %d and %d", record.Time, before, after)
		}
	}
}

func TestJavaClientsAreNotToldOfWhatTheyFailOn(t *testing.T) {
	t.Parallel()
	b := startBroker(t, kafka.BrokerConfig{})
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range versions.ApiKeys {
		if key.ApiKey == int16(kmsg.DescribeTopicPartitions) {
			t.Error("the broker offers DescribeTopicPartitions")
		}
	}
}
