package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLogGoesBack puts an older copy of the broker's log in the place of the
// newest, as a power cut may leave it: events and results are lost that engine
// and store have had. Both stop by name, and after the mends that they name the
// tables are those of the log as it is.
func TestLogGoesBack(t *testing.T) {
	t.Parallel()
	p := makePayments(t, 3000)
	l := newLine(t)
	feed := append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--partitions", "1"}, p.feed...)
	l.open("broker")
	produce := launch(t, append(feed, "--rate", "1000/s")...)
	eventually(t, "some is sent", func() bool { return l.sent(0) > 1000 })
	produce.stop()
	must(t, command(t, append(l.args("process"), "--exit-when-done")...))
	l.stop("broker")
	log, older := filepath.Join(l.data, "broker"), filepath.Join(p.dir, "older")
	if err := os.CopyFS(older, os.DirFS(log)); err != nil {
		t.Fatal(err)
	}

	l.open("broker", "store")
	must(t, command(t, append(feed, "--speed", "max")...))
	engine, said := process(t, append(l.args("process"), "--checkpoint-every", "1h")...)
	eventually(t, "the tables have all that was paid", func() bool { return l.paid() == p.paid.String() })
	_ = engine.Process.Kill()
	_ = engine.Wait()
	l.stop("store", "broker")
	if err := os.RemoveAll(log); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(log, os.DirFS(older)); err != nil {
		t.Fatal(err)
	}

	l.open("broker")
	l.refused(l.args("process"), "partition 0 of topic category ends at offset ", " records are lost, as after a power cut", "`liushui process --from earliest` computes all that the log still holds")
	l.refused(l.args("store"), " of the results, but the log has 0 to ", "`store --adopt` goes on at ", "`liushui reconcile --repair`")
	must(t, command(t, append(l.args("process"), "--from", "earliest", "--exit-when-done")...))
	l.running["store"] = launch(t, append(l.args("store"), "--adopt")...)
	l.ended()
	eventually(t, "the tables have less than before", func() bool { return l.paid() != p.paid.String() })
	l.awaitFinal()
	l.stop("store", "broker")
	compareWithTheLog(t, l.data, shop(t))
	if t.Failed() {
		t.Log(said.String())
	}
}
