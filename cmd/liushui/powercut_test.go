package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"liushui"
	"liushui/dev"
	"liushui/native"
)

// losing is a line whose topics of one partition can go back, as a power cut may
// leave them: older copies are put in their place while the broker is away.
type losing struct {
	*line
	away, back func()
	folders    []string // of the topics
	older      string
}

func newLosing(t *testing.T, kafka string, topics ...string) *losing {
	l := &losing{line: newLine(t), older: filepath.Join(t.TempDir(), "older")}
	folder := func(topic string) string {
		return filepath.Join(l.data, "broker", "log", "partitions", topic+"-0")
	}
	l.away, l.back = func() { l.stop("broker") }, func() { l.open("broker") }
	if kafka == "apache" {
		k := dev.StartKafka(t, dev.KafkaConfig{})
		l.kafka, l.away = k.Addrs(), k.Brokers[0].Kill
		l.back = func() {
			if err := k.Brokers[0].Start(); err != nil {
				t.Fatal(err)
			}
		}
		folder = func(topic string) string { return k.Brokers[0].Partition(topic, 0) }
	} else {
		l.back()
	}
	for _, topic := range topics {
		l.folders = append(l.folders, folder(topic))
	}
	return l
}

// keep is the copy that comes back with lose.
func (l *losing) keep() {
	l.t.Helper()
	l.away()
	for _, folder := range l.folders {
		l.copyFolder(folder, filepath.Join(l.older, filepath.Base(folder)))
	}
	l.back()
}

func (l *losing) lose() {
	l.t.Helper()
	l.away()
	for _, folder := range l.folders {
		l.copyFolder(filepath.Join(l.older, filepath.Base(folder)), folder)
	}
	l.back()
}

func (l *losing) copyFolder(from, to string) {
	l.t.Helper()
	if err := os.RemoveAll(to); err != nil {
		l.t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		l.t.Fatal(err)
	}
}

// sendSome sends a third of the payments, and keeps what came of them.
func (l *losing) sendSome(feed []string) {
	l.t.Helper()
	produce := launch(l.t, append(feed, "--rate", "1000/s")...)
	eventually(l.t, "some is sent", func() bool { return l.sent(0) > 1000 })
	produce.stop()
	must(l.t, command(l.t, append(l.args("process"), "--exit-when-done")...))
	l.keep()
}

// TestLogGoesBack loses events and results that engine and store have had. Both
// stop by name, and after the mends that they name the tables are those of the
// log as it is.
func TestLogGoesBack(t *testing.T) {
	for _, kafka := range []string{"embedded", "apache"} {
		t.Run(kafka, func(t *testing.T) {
			t.Parallel()
			p := makePayments(t, 3000)
			l := newLosing(t, kafka, liushui.TopicEvents, liushui.TopicResults)
			feed := append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--partitions", "1"}, p.feed...)
			l.sendSome(feed)
			l.start("store")
			must(t, command(t, append(feed, "--speed", "max")...))
			engine, said := process(t, append(l.args("process"), "--checkpoint-every", "1h")...)
			eventually(t, "the tables have all that was paid", func() bool { return l.paid() == p.paid.String() })
			_ = engine.Process.Kill()
			_ = engine.Wait()
			l.stop("store")
			l.lose()

			l.refused(l.args("process"), "partition 0 of topic category ends at offset ", " records are lost, as after a power cut", "`liushui process --from earliest` computes all that the log still holds")
			l.refused(l.args("store"), " of the results, but the log has 0 to ", "`store --adopt` goes on at ", "`liushui reconcile --repair`")
			must(t, command(t, append(l.args("process"), "--from", "earliest", "--exit-when-done")...))
			l.running["store"] = launch(t, append(l.args("store"), "--adopt")...)
			l.ended()
			eventually(t, "the tables have less than before", func() bool { return l.paid() != p.paid.String() })
			l.awaitFinal()
			eventually(t, "the store has all", func() bool { return l.run("reconcile", "--data", l.data).code == exitFine })
			l.stop("store")
			compareWithOracle(t, l.topics(), databaseIn(l.data), shop(t), 0)
			if t.Failed() {
				t.Log(said.String())
			}
		})
	}
}

// TestResultsGoBack loses results that engine and store have had, and no events:
// under programs that are at work, or before they start again. Both stop by name,
// and the mends that they name bring all of it back.
func TestResultsGoBack(t *testing.T) {
	const mend = "`liushui process --from earliest` computes them anew"
	for _, kafka := range []string{"embedded", "apache"} {
		for _, when := range []string{"at work", "stopped"} {
			t.Run(kafka+"/"+when, func(t *testing.T) {
				t.Parallel()
				p := makePayments(t, 3000)
				l := newLosing(t, kafka, liushui.TopicResults)
				feed := append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--partitions", "2"}, p.feed...)
				l.sendSome(feed)
				l.running["process"] = launch(t, append(l.args("process"), "--checkpoint-every", "50ms")...)
				l.start("store")
				must(t, command(t, append(feed, "--speed", "max")...))
				eventually(t, "the tables have all that was paid", func() bool { return l.paid() == p.paid.String() })
				eventually(t, "a checkpoint holds all", func() bool { return l.committed() == p.rows })
				if when == "at work" {
					l.lose()
					l.stopsByItself("process", "topic category_results, partition 0 has gone back to offset ", mend)
					l.stopsByItself("store", "`liushui store --adopt` goes on")
				} else {
					l.stop("process", "store")
					l.lose()
				}
				l.refused(l.args("process"), "the topic of results has gone back, as after a power cut: the checkpoint holds partition ", mend)
				l.refused(l.args("store"), " of the results, but the log has 0 to ", "`store --adopt` goes on at ")

				must(t, command(t, append(l.args("process"), "--from", "earliest", "--exit-when-done")...))
				l.running["store"] = launch(t, append(l.args("store"), "--adopt")...)
				l.ended()
				l.awaitFinal()
				eventually(t, "the store has all", func() bool { return l.run("reconcile", "--data", l.data).code == exitFine })
				l.stop("store")
				compareWithOracle(t, l.topics(), databaseIn(l.data), shop(t), 0)
			})
		}
	}
}

// committed is how many events the engine's older checkpoint holds.
func (l *line) committed() (n int64) {
	l.t.Helper()
	client := l.client()
	defer client.Close()
	offsets, err := client.Committed(l.t.Context(), native.Group, liushui.TopicEvents)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, offset := range offsets {
		n += offset
	}
	return n
}

// stopsByItself waits until a program has ended, with an error that holds the texts.
func (l *line) stopsByItself(name string, texts ...string) {
	l.t.Helper()
	p := l.running[name]
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		l.t.Fatalf("%s goes on: %s", name, p.errOut.String())
	}
	if p.code != exitFailure {
		l.t.Errorf("%s exits with %d: %s", name, p.code, p.errOut.String())
	}
	for _, text := range texts {
		contains(l.t, p.errOut.String(), text)
	}
}
