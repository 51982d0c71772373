package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"liushui"
	"liushui/kafka"
)

// client is one of the line's Kafka.
func (l *line) client() *kafka.Client {
	l.t.Helper()
	client, err := kafka.Connect(l.t.Context(), kafka.Config{Brokers: []string{l.kafka}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		l.t.Fatal(err)
	}
	return client
}

// readTopic reads a topic through.
func (l *line) readTopic(topic string) []liushui.Record {
	l.t.Helper()
	client := l.client()
	defer client.Close()
	return readTopic(l.t, client, topic)
}

// write writes records into a topic, as a system of somebody else would.
func (l *line) write(topic string, records ...liushui.Record) {
	l.t.Helper()
	client := l.client()
	defer client.Close()
	if _, err := client.EnsureTopic(l.t.Context(), kafka.Topic{Name: topic, Partitions: 1}); err != nil {
		l.t.Fatal(err)
	}
	w, err := client.Writer(l.t.Context(), topic)
	if err != nil {
		l.t.Fatal(err)
	}
	defer w.Close()
	if err := w.Write(l.t.Context(), records, nil); err != nil {
		l.t.Fatal(err)
	}
	if err := w.Flush(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
}

// event is a payment of 10.00 as a record.
func event(id string, at time.Time) liushui.Record {
	return liushui.Record{Key: []byte("k"), Value: fmt.Appendf(nil, `{"id":%q,"type":"pay","time":%d,"order":"k","user":"u-%s","amount":10}`, id, at.UnixMilli(), id)}
}

// run is a command on the line's Kafka.
func (l *line) run(args ...string) result {
	l.t.Helper()
	return command(l.t, append(args, "--brokers", l.kafka)...)
}

type letterRow struct{ Letter, Record, Time, Reason, Detail, Engine, Replayed, Begin string }

func (l *line) listed(more ...string) (all []letterRow) {
	l.t.Helper()
	r := must(l.t, l.run(append([]string{"deadletters", "list", "--format", "json"}, more...)...))
	if err := json.Unmarshal([]byte(r.out), &all); err != nil {
		l.t.Fatalf("%v: %s", err, r.out)
	}
	return all
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	l.open("broker", "process", "store")
	now := time.Now()
	odd := liushui.Record{Key: []byte("k"), Value: []byte("{\"id\":\"x\",\"user\":\"\x1b[31m\u202e\xff\"\x00")}
	early := now.Add(5*time.Minute + 9*time.Second) // bad: ahead of its record; by and by it can be read
	l.write("category", event("a", now))
	eventually(t, "the first is counted, and has moved the watermark", func() bool { return l.paid() == "10.00" })
	l.write("category", odd, event("b", now.Add(-3*time.Hour)), event("early", early))
	eventually(t, "all but one are parked", func() bool { return strings.Contains(l.run("deadletters", "list").out, "of 3: ") })

	table := must(t, l.run("deadletters", "list")).out
	contains(t, table, "3 of 3: 2 bad, 1 late\n")
	if strings.ContainsAny(table, "\x1b\u202e\x00") {
		t.Errorf("the list shows what a terminal obeys: %q", table)
	}
	if all := l.listed(); len(all) != 3 || all[0].Letter != "2" || all[2].Letter != "0" || all[0].Engine != "native" {
		t.Errorf("the letters are %+v; want the newest first", all)
	}
	if one := l.listed("--limit", "1", "--reason", "late"); len(one) != 1 || !strings.Contains(one[0].Begin, `"id":"b"`) || one[0].Reason != "late" {
		t.Errorf("the late one is %+v", one)
	}

	bad := l.listed("--reason", "bad")[1] // the odd one, which came first
	for _, name := range []string{bad.Letter, bad.Record} {
		shown := must(t, l.run("deadletters", "show", name, "--hex")).out
		contains(t, shown, `{"id":"x","user":"\x1b[31m\u202e\xff"\x00`)
		contains(t, shown, "reason         bad\n")
		contains(t, shown, "00000000  7b 22 69 64 22 3a")
		if raw := must(t, l.run("deadletters", "show", name, "--raw")).out; raw != string(odd.Value) {
			t.Errorf("its bytes are %q", raw)
		}
	}
	if r := l.run("deadletters", "show", "77"); r.code != exitFailure || !strings.Contains(r.errOut, "there is no dead letter 77; `liushui deadletters list` shows") {
		t.Errorf("a letter that is not there exits with %d: %s", r.code, r.errOut)
	}

	contains(t, must(t, l.run("deadletters", "replay", "--yes")).out, "bad records: 0 can be read now, 2 still cannot, 0 are too late")
	time.Sleep(time.Until(early.Add(-5 * time.Minute)))
	if r := l.run("deadletters", "replay"); r.code != exitMisuse || !strings.Contains(r.errOut, "there is nobody to ask; say --yes") {
		t.Errorf("with nobody to ask it exits with %d: %s", r.code, r.errOut)
	}
	if said := l.answer("n\n", "deadletters", "replay"); !strings.Contains(said, "Send 1 records to category again? [y/N]") || !strings.Contains(said, "nothing was sent") {
		t.Errorf("after no it says %s", said)
	}
	contains(t, l.answer("y\n", "deadletters", "replay"), "1 records were sent to category again, and their letters marked")
	contains(t, must(t, l.run("deadletters", "replay", "--yes")).out, "bad records: 0 can be read now, 1 still cannot, 0 are too late (`liushui reconcile --repair` counts them), 1 were sent again before")
	if again := l.listed("--reason", "bad"); len(again) != 2 || again[0].Replayed == "" || again[1].Replayed != "" {
		t.Errorf("the bad letters are %+v; want the newer one marked", again)
	}
	eventually(t, "what was sent again is counted", func() bool { return l.paid() == "20.00" })
	l.stop("store", "process", "broker")
}

// answer runs the program with somebody at its terminal.
func (l *line) answer(text string, args ...string) string {
	l.t.Helper()
	cmd, said := processWith(l.t, strings.NewReader(text), append(args, "--brokers", l.kafka)...)
	if err := cmd.Wait(); err != nil {
		l.t.Fatalf("%s: %v: %s", args, err, said)
	}
	return said.String()
}

// TestNoDeadLetters names what is missing.
func TestNoDeadLetters(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	l.open("broker")
	if r := l.run("deadletters", "list"); r.code != exitMisuse || !strings.Contains(r.errOut, "there is no topic category_deadletter: has `liushui process` run on --topic category?") {
		t.Errorf("it exits with %d: %s", r.code, r.errOut)
	}
	l.start("process", "produce")
	eventually(t, "the topic is made", func() bool { return l.run("deadletters", "list").out == "no dead letters\n" })
	eventually(t, "there is a job, and nothing to send again", func() bool {
		return l.run("deadletters", "replay").out == "there are no bad records to send again\n"
	})
	l.stop("process", "broker")
}
