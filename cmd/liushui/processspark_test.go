package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// compareAll holds topic, tables and account to the oracle's. Where Spark was
// killed, a batch may be unheard of; the account then has to say so.
func (l *sparkLine) compareAll(unheard bool) {
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
	want, last := compareCells(l.t, topics, databaseIn(l.data), shop(l.t), 0), newestProgress(l.t, topics[liushui.TopicResults], "spark")
	switch told := strings.Contains(strings.Join(last.Unknown, "; "), "account: "); {
	case !last.Account.Balanced() || last.Account.Read != want.Read:
		l.t.Errorf("the account is %+v, want %+v", last.Account, want)
	case told && !unheard:
		l.t.Errorf("the account is not known: %q", last.Unknown)
	case !told && last.Account != want:
		l.t.Errorf("the account is %+v, want %+v", last.Account, want)
	}
	bad := map[string]bool{}
	for _, letter := range topics[liushui.TopicDeadLetters] {
		if header(letter, "engine") != "spark" || header(letter, "reason") != "bad" {
			l.t.Errorf("dead letter %s of %s, %s", letter.Key, header(letter, "engine"), header(letter, "reason"))
		}
		bad[string(letter.Key)] = true
	}
	if int64(len(bad)) != want.Bad {
		l.t.Errorf("%d dead letters of %d bad records", len(bad), want.Bad)
	}
}

// newestProgress is the last thing that an engine said.
func newestProgress(t *testing.T, results []liushui.Record, engine string) (p liushui.Progress) {
	t.Helper()
	for _, r := range slices.Backward(results) {
		if string(r.Key) == liushui.ProgressKey(engine) {
			if err := json.Unmarshal(r.Value, &p); err != nil {
				t.Fatal(err)
			}
			return p
		}
	}
	t.Fatal("no progress record of " + engine)
	return p
}

// sparkEvents is how many events the Spark line computes; LIUSHUI_SPARK_EVENTS sets it.
func sparkEvents(t *testing.T) int64 {
	t.Helper()
	text := os.Getenv("LIUSHUI_SPARK_EVENTS")
	if text == "" {
		return 3000
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
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
			p := makePayments(t, sparkEvents(t))
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
			l.compareAll(false)
			must(t, command(t, l.process("--exit-when-done")...)) // from the checkpoint: nothing is counted again
			l.compareAll(false)
			l.stop("store")
		})
	}
}

// Supervisor, Connect server, a worker and the whole cluster are killed in the
// middle: the figures are those of the log.
func TestSparkIsKilled(t *testing.T) {
	spark := dev.StartSparkCluster(t, dev.SparkConfig{})
	l := newSparkLine(t, "", spark.Addr)
	l.open("broker", "store")
	p := makePayments(t, 6000)
	produce := launch(t, append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--rate", "200/s"}, p.feed...)...)
	produce.says("topic created")
	first, _ := process(t, l.process()...)
	time.Sleep(7 * time.Second)
	_ = first.Process.Kill()
	_ = first.Wait()
	supervisor := launch(t, l.process()...)
	supervisor.says("the query still runs")
	again := func(parts ...*dev.SparkPart) {
		t.Helper()
		for _, part := range parts {
			part.Kill()
		}
		for _, part := range parts {
			if err := part.Start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(2 * time.Second)
	again(spark.Connect)
	supervisor.says("Spark has lost the session")
	supervisor.says("Spark runs the query")
	time.Sleep(4 * time.Second)
	again(spark.Workers[0])
	time.Sleep(3 * time.Second)
	again(spark.Master, spark.Workers[0], spark.Workers[1], spark.Connect)
	<-produce.done
	l.awaitFinal()
	supervisor.stop()
	l.stop("store")
	l.compareAll(true)
}

// What a person must mend is said in one line; for a Spark that is away it waits.
func TestSparkMisuse(t *testing.T) {
	server := dev.StartSpark(t, dev.SparkConfig{Token: "right"})
	l := newSparkLine(t, "", server.Addr)
	l.open("broker")
	l.write(liushui.TopicEvents, event("one", time.Now()))
	for _, test := range []struct {
		token string
		more  []string
		want  string
	}{
		{"", nil, "wants a token"},
		{"wrong", nil, "refuses the token"},
		{"right", []string{"--trigger", "realtime"}, "--trigger realtime wants Spark 4.3 or later, where it can aggregate; this is 4.2.0"},
		{"right", []string{"--trigger", "now"}, "--trigger now: want 1ms to 1h, or realtime"},
		{"right", []string{"--checkpoint", "nosuch://here/checkpoints"}, "--checkpoint nosuch://here/checkpoints: Spark cannot keep its checkpoint there"},
		{"right", []string{"--checkpoint", "file:/proc/checkpoints"}, "--checkpoint file:/proc/checkpoints: Spark cannot keep its checkpoint there"},
	} {
		r := commandWith(t, []string{"LIUSHUI_SPARK_TOKEN=" + test.token}, l.process(append(test.more, "--exit-when-done")...)...)
		line := strings.TrimSpace(r.errOut[max(0, strings.LastIndex(r.errOut, "liushui:")):])
		if r.code != exitMisuse || !strings.Contains(line, test.want) || strings.Contains(r.errOut, "wrong") {
			t.Errorf("with token %q and %q it exits with %d: %s", test.token, test.more, r.code, line)
		}
	}
	l.spark = "sc://" + freePort(t)
	waits := launch(t, l.process()...)
	waits.says("waiting for Spark: ask Spark for its version: no answer from Spark at " + l.spark)
	r := command(t, l.process()...)
	if want := filepath.Join(l.data, "spark") + ": the data directory is in use by another process; stop that one, or name another with --data"; r.code != exitFailure || !strings.Contains(r.errOut, want) {
		t.Errorf("a second process exits with %d: %s, want %s", r.code, r.errOut, want)
	}
	waits.stop()
}

// Both engines compute one log at once: it is one job in one generation, its
// figures are joined by version, and both accounts are that of the log.
func TestBothEngines(t *testing.T) {
	l := newSparkLine(t, "", dev.Spark(t, dev.Spark42).Addr)
	l.open("broker", "store")
	p := makePayments(t, 4000)
	produce := launch(t, append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--rate", "500/s"}, p.feed...)...)
	produce.says("topic created")
	l.start("process")
	onSpark := launch(t, l.process()...)
	<-produce.done
	l.awaitFinal()
	client := l.client()
	defer client.Close()
	eventually(t, "Spark stands at the end, and its watermark too", func() bool {
		results := readTopic(t, client, liushui.TopicResults)
		if !slices.ContainsFunc(results, func(r liushui.Record) bool { return string(r.Key) == liushui.ProgressKey("spark") }) {
			return false
		}
		last := newestProgress(t, results, "spark")
		return last.Account.Read == p.rows && last.Watermark == last.Newest-shop(t).Lateness.Milliseconds()
	})
	l.stop("process")
	onSpark.stop()
	l.stop("store")
	topics := l.topics()
	said := map[string]liushui.Progress{}
	for _, engine := range []string{"native", "spark"} {
		of := maps.Clone(topics)
		of[liushui.TopicResults] = slices.DeleteFunc(slices.Clone(topics[liushui.TopicResults]), func(r liushui.Record) bool {
			return liushui.KindOf(r.Key) == liushui.KindResult && !bytes.Contains(r.Value, []byte(`"engine":"`+engine+`"`))
		})
		want := compareCells(t, of, databaseIn(l.data), shop(t), 0) // each one's own results, and the tables of both
		said[engine] = newestProgress(t, topics[liushui.TopicResults], engine)
		if said[engine].Account != want {
			t.Errorf("the account of %s is %+v, want %+v", engine, said[engine].Account, want)
		}
	}
	native, spark := said["native"], said["spark"]
	if native.Watermark != spark.Watermark || native.Newest != spark.Newest || native.Generation != spark.Generation {
		t.Errorf("native says %+v,\n spark says %+v", native, spark)
	}
}
