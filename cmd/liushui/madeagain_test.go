package main

import (
	"strings"
	"testing"

	"liushui"
	"liushui/dev"
)

// refused runs a command that must fail in one line, which holds the texts.
func (l *line) refused(args []string, texts ...string) {
	l.t.Helper()
	r := command(l.t, args...)
	last := strings.TrimSuffix(r.errOut, "\n")
	last = last[strings.LastIndex(last, "\n")+1:]
	if r.code != exitFailure {
		l.t.Fatalf("%s exits with %d: %s", args[0], r.code, r.errOut)
	}
	for _, text := range texts {
		contains(l.t, last, text)
	}
}

// TestEventsMadeAgain deletes the events' topic while the line is at work and
// makes it again with fewer events than it had: produce and process stop by
// name, process does so again at its next start, and the mend that it names
// gives the figures of the new topic, not those of both.
func TestEventsMadeAgain(t *testing.T) {
	t.Parallel()
	before, after := makePayments(t, 8000), makePayments(t, 1000)
	l := newLine(t)
	l.open("broker", "process", "store")
	feed := func(p *payments, speed ...string) []string {
		return append(append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--partitions", "2"}, p.feed...), speed...)
	}
	produce := launch(t, feed(before, "--rate", "1000/s")...)
	eventually(t, "some of it is judged", func() bool { return l.account().Read > 1500 })
	admin := dev.Administer(t, l.kafka)
	admin.Delete(liushui.TopicEvents)
	l.makeTopic(liushui.TopicEvents, 2)
	l.running["produce"] = produce
	l.stopsByItself("produce", "write to topic category: ", "start produce again: it sends its input from the beginning")
	l.stopsByItself("process", "topic category was deleted")

	must(t, command(t, feed(after, "--speed", "max")...))
	l.refused(l.args("process"), "topic category was deleted and made again", "`liushui process --from earliest` computes")
	must(t, command(t, append(l.args("process"), "--from", "earliest", "--exit-when-done")...))
	eventually(t, "the tables have what was paid in the new topic, and no more", func() bool { return l.paid() == after.paid.String() })
	l.awaitFinal()
	l.stop("store", "broker")
	after.compare(t, l.data)
}
