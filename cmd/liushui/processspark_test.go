package main

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"liushui"
	"liushui/dev"
	"liushui/kafka"
)

// sparkLine is a line whose events the Spark of this test binary computes.
type sparkLine struct {
	*line
	spark string // address
	state string // where Spark keeps its checkpoints
}

func newSparkLine(t *testing.T, brokers, spark string) *sparkLine {
	l := &sparkLine{line: newLine(t), spark: spark, state: filepath.Join(t.TempDir(), "checkpoints")}
	if brokers != "" {
		l.kafka = brokers
	}
	return l
}

func (l *sparkLine) process(more ...string) []string {
	return append([]string{"process", "--engine", "spark", "--spark", l.spark, "--checkpoint", "file:" + l.state, "--spark-partitions", "2",
		"--brokers", l.kafka, "--data", l.data}, more...)
}

// compareAll holds topic, tables and account to the oracle's.
func (l *sparkLine) compareAll() {
	l.t.Helper()
	client, err := kafka.Connect(l.t.Context(), kafka.Config{Brokers: []string{l.kafka}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		l.t.Fatal(err)
	}
	defer client.Close()
	topics := map[string][]liushui.Record{}
	for _, name := range []string{liushui.TopicEvents, liushui.TopicResults, liushui.TopicDeadLetters} {
		topics[name] = readTopic(l.t, client, name)
	}
	compareWithOracle(l.t, topics, databaseIn(l.data), shop(l.t), 0)
	bad := map[string]bool{}
	for _, letter := range topics[liushui.TopicDeadLetters] {
		if header(letter, "engine") != "spark" || header(letter, "reason") != "bad" {
			l.t.Errorf("dead letter %s of %s, %s", letter.Key, header(letter, "engine"), header(letter, "reason"))
		}
		bad[string(letter.Key)] = true
	}
	if want := lastAccount(l.t, topics[liushui.TopicResults]).Bad; int64(len(bad)) != want {
		l.t.Errorf("%d dead letters of %d bad records", len(bad), want)
	}
}

// On a real Kafka and on the embedded broker, Spark computes what the events come
// to: tables, dead letters and account.
func TestLineOnSpark(t *testing.T) {
	for _, test := range []string{"embedded", dev.Kafka43} {
		t.Run(test, func(t *testing.T) {
			brokers := ""
			if test != "embedded" {
				brokers = dev.StartKafka(t, dev.KafkaConfig{}).Addrs()
			}
			l := newSparkLine(t, brokers, dev.Spark(t, dev.Spark42).Addr)
			if brokers == "" {
				l.open("broker")
			}
			p := makePayments(t, 3000)
			l.makeTopic(liushui.TopicEvents, 3)
			var bad []liushui.Record
			for _, sort := range poison(time.UnixMilli(1_580_486_400_000)) {
				bad = append(bad, liushui.Record{Key: []byte(sort.name), Value: []byte(sort.value)})
			}
			l.write(liushui.TopicEvents, bad...)
			l.start("store")
			must(t, command(t, append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--speed", "max"}, p.feed...)...))
			must(t, command(t, l.process("--exit-when-done")...))
			l.awaitFinal()
			l.compareAll()
			must(t, command(t, l.process("--exit-when-done")...)) // from the checkpoint: nothing is counted again
			l.compareAll()
			l.stop("store")
		})
	}
}
