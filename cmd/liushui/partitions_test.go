package main

import (
	"fmt"
	"slices"
	"testing"

	"liushui"
	"liushui/dev"
)

// topics reads all topics through.
func (l *line) topics() map[string][]liushui.Record {
	l.t.Helper()
	all := map[string][]liushui.Record{}
	for _, topic := range []string{liushui.TopicEvents, liushui.TopicResults, liushui.TopicDeadLetters} {
		all[topic] = l.readTopic(topic)
	}
	return all
}

// sent is how many events the topic holds in partitions from a number on.
func (l *line) sent(from int32) (n int64) {
	l.t.Helper()
	client := l.client()
	defer client.Close()
	if there, err := client.HasTopic(l.t.Context(), liushui.TopicEvents); !there || err != nil {
		return 0
	}
	ends, err := client.Ends(l.t.Context(), liushui.TopicEvents)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, end := range ends {
		if end.Partition >= from {
			n += end.End - end.Start
		}
	}
	return n
}

// TestPartitionsAreAdded gives the events' topic more partitions while all
// programs are at work: each goes on by itself, and nothing is lost, counted
// twice or late. Then the engine is killed, and goes on as well.
func TestPartitionsAreAdded(t *testing.T) {
	for _, kafka := range []string{"embedded", "apache"} {
		t.Run(kafka, func(t *testing.T) {
			t.Parallel()
			p := makePayments(t, 12_000)
			l := newLine(t)
			if kafka == "apache" {
				l.kafka = dev.StartKafka(t, dev.KafkaConfig{}).Addrs()
			} else {
				l.open("broker")
			}
			produce := launch(t, slices.Concat([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--rate", "600/s", "--partitions", "4"}, p.feed)...)
			engine, _ := process(t, append(l.args("process"), "--checkpoint-every", "1s")...)
			l.start("store", "serve")
			eventually(t, "some is sent", func() bool { return l.sent(0) > 500 })
			dev.Administer(t, l.kafka).AddPartitions(liushui.TopicEvents, 8)
			eventually(t, "new partitions hold events", func() bool { return l.sent(4) > 200 })
			_ = engine.Process.Kill()
			_ = engine.Wait()
			l.start("process")

			<-produce.done
			if produce.code != exitFine {
				t.Errorf("produce exits with %d: %s", produce.code, produce.errOut.String())
			}
			eventually(t, "the tables have all that was paid", func() bool { return l.paid() == p.paid.String() })
			l.awaitFinal()
			l.awaitTheWall(`"ended":true`)
			l.stop("process")
			eventually(t, "the store has all", func() bool { return l.run("reconcile", "--data", l.data).code == exitFine })
			l.stop("store", "serve")
			topics := l.topics()
			compareWithOracle(t, topics, databaseIn(l.data), shop(t), 0)
			if n := len(topics[liushui.TopicDeadLetters]); n > 0 {
				t.Errorf("%d dead letters, the first of them %s", n, fmt.Sprint(topics[liushui.TopicDeadLetters][0].Headers))
			}
			if got := totals(t, l.data, "sales", "payments")["payments"]; got != fmt.Sprintf("%d.00", p.rows-p.rows/50) {
				t.Errorf("the tables have %s payments of %d rows", got, p.rows)
			}
		})
	}
}
