package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liushui"
)

const reconciledJob = `job: reconciled
zone: Asia/Shanghai
currency: CNY
lateness: 1s
corrections: 3s
statistics:
  sales:
    windows: [1s, 1m, 1d]
    measures: {orders: {compute: count, where: {type: order}}, paid: {compute: sum amount, where: {type: pay}}, buyers: {compute: distinct user, where: {type: pay}}}
  visitors: {windows: [1m], by: [province], measures: {events: count, users: distinct user}, mergeable: true}
`

// demoLine is a line whose log, results and tables hold a demo of ten minutes,
// with doubled and bad records; its engine is not at work.
func demoLine(t *testing.T) *line {
	t.Helper()
	l := newLine(t)
	l.data = filepath.Join(t.TempDir(), "data")
	job := file(t, filepath.Join(t.TempDir(), "job.yaml"), reconciledJob)
	must(t, command(t, upArgs(t, l.data, "--demo", "--events", "20000", "--rate", "30/s", "--speed", "max", "--job", job, "--exit-when-done")...))
	l.open("broker", "store")
	return l
}

// held is the newest result of a cell in the topic.
func (l *line) held(t *testing.T, of string, start int64) (found *liushui.Result) {
	t.Helper()
	job, err := liushui.ParseJob("reconciled", reconciledJob)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range l.readTopic(liushui.TopicResults) {
		if liushui.KindOf(r.Key) != liushui.KindResult {
			continue
		}
		result, err := liushui.DecodeResult(r.Value, func(int64) *liushui.Job { return job })
		if err != nil {
			t.Fatal(err)
		}
		if result.Statistic == "sales" && result.Window == of && (start == 0 || result.Start == start) && (found == nil || result.Newer(found)) {
			found = result
			start = result.Start
		}
	}
	if found == nil {
		t.Fatalf("the topic holds no sales of %s", of)
	}
	return found
}

// TestReconcile finds nothing wrong, then a false result and a false row, puts
// them right, and finds nothing wrong again.
func TestReconcile(t *testing.T) {
	t.Parallel()
	l := demoLine(t)
	reconcile := func(more ...string) result { return l.run(append([]string{"reconcile", "--data", l.data}, more...)...) }
	l.write(liushui.TopicEvents, event("too-late", time.Now().Add(-5*time.Minute)))
	again := file(t, filepath.Join(t.TempDir(), "job.yaml"), reconciledJob)
	must(t, l.run("process", "--data", l.data, "--job", again, "--exit-when-done"))
	r := must(t, reconcile())
	contains(t, r.out, "no differences in ")
	contains(t, r.out, "which are not counted; --with-late counts them: ")

	contains(t, must(t, reconcile("--keep", "1s=1m,1m=2m")).out, " cells are no longer held there, and not compared\nno differences in ")

	// Somebody writes a result of his own.
	false1 := l.held(t, "1s", 0)
	right := liushui.Money(false1.Values[1].N)
	false1.Version, false1.Values[1].N = false1.Version+5, 123456789
	job, _ := liushui.ParseJob("reconciled", reconciledJob)
	l.write(liushui.TopicResults, liushui.Record{Key: false1.AppendKey(nil), Value: false1.AppendValue(nil, job.Statistics[0])})
	// Somebody changes a row, and deletes another.
	database, err := sql.Open("sqlite", filepath.Join(l.data, databaseFile)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	for _, change := range []string{
		fmt.Sprintf(`UPDATE "sales$" SET "paid$" = "paid$" + 10000 WHERE "window" = '1m' AND "start" = %d`, l.held(t, "1m", 0).Start),
		`DELETE FROM "visitors$province" WHERE rowid = (SELECT MAX(rowid) FROM "visitors$province" WHERE "start" = (SELECT MAX("start") - 120000 FROM "visitors$province"))`,
	} {
		done, err := database.Exec(change)
		if err != nil {
			t.Fatalf("%s: %v", change, err)
		}
		if n, err := done.RowsAffected(); n != 1 || err != nil {
			t.Fatalf("%s: %d rows, %v", change, n, err)
		}
	}
	time.Sleep(time.Second) // the store takes the false result
	r = reconcile()
	if r.code != exitFailure {
		t.Errorf("it exits with %d: %s", r.code, r.errOut)
	}
	contains(t, r.out, "topic: sales 1s ")
	contains(t, r.out, "tables: sales 1s ")
	contains(t, r.out, "paid 12345.6789, want "+right.String())
	contains(t, r.out, "tables: sales 1m ")
	if strings.Contains(r.out, "topic: sales 1m ") {
		t.Errorf("the topic's row of a minute is right, but:\n%s", r.out)
	}
	contains(t, r.out, "tables: visitors 1m ")
	contains(t, r.out, ": missing, want events ")
	contains(t, r.out, "\n3 of ")
	if r := reconcile("--statistic", "visitors"); r.code != exitFailure || !strings.Contains(r.out, "\n1 of ") {
		t.Errorf("of one statistic it exits with %d: %s", r.code, r.out)
	}
	contains(t, must(t, reconcile("--statistic", "sales", "--window", "1d")).out, "no differences in 1 cells")

	contains(t, must(t, reconcile("--repair")).out, "3 cells were sent to category_results as they should be\n")
	contains(t, must(t, reconcile()).out, "no differences in ")

	// Late ones, too: another comparison leaves them as they are.
	r = reconcile("--with-late")
	if r.code != exitFailure {
		t.Errorf("with late ones it exits with %d: %s", r.code, r.out)
	}
	contains(t, r.out, "which are counted here: ")
	r = reconcile("--with-late", "--repair") // but for the day, which is not over
	contains(t, r.out, " cells were sent to category_results as they should be\n")
	contains(t, r.out, " are of windows that may still change")
	r = must(t, reconcile())
	contains(t, r.out, " cells count late events since an earlier repair\n")
	contains(t, r.out, "no differences in ")

	// What may still change is not repaired.
	day := l.held(t, "1d", 0)
	day.Version++
	l.write(liushui.TopicResults, liushui.Record{Key: day.AppendKey(nil), Value: day.AppendValue(nil, job.Statistics[0])})
	r = reconcile("--repair")
	contains(t, r.out, "\n0 cells were sent to category_results as they should be\n1 are of windows that may still change, which are not repaired: `liushui process --from earliest` computes them anew\n")
	if r.code != exitFailure {
		t.Errorf("with a difference that is left it exits with %d", r.code)
	}
}

// TestRepairedTablesEqualTheOracle falsifies a result, repairs it, and compares
// with the batch computation.
func TestRepairedTablesEqualTheOracle(t *testing.T) {
	t.Parallel()
	l := demoLine(t)
	job, err := liushui.ParseJob("reconciled", reconciledJob)
	if err != nil {
		t.Fatal(err)
	}
	wrong := l.held(t, "1m", 0)
	wrong.Version, wrong.Values[0].N = wrong.Version+5, 77
	l.write(liushui.TopicResults, liushui.Record{Key: wrong.AppendKey(nil), Value: wrong.AppendValue(nil, job.Statistics[0])})
	if r := l.run("reconcile"); r.code != exitFailure || !strings.Contains(r.out, "orders 77, want ") {
		t.Errorf("it exits with %d: %s%s", r.code, r.out, r.errOut)
	}
	contains(t, must(t, l.run("reconcile", "--repair")).out, "1 cells were sent to category_results")
	contains(t, must(t, l.run("reconcile", "--data", l.data)).out, "no differences in ") // it waits for the store
	l.stop("store", "broker")
	compareWithTheLog(t, l.data, job)
}

// TestReconcileWhileTheEngineRuns compares what can no longer change, and names the rest.
func TestReconcileWhileTheEngineRuns(t *testing.T) {
	t.Parallel()
	data, address := filepath.Join(t.TempDir(), "data"), freePort(t)
	job := file(t, filepath.Join(t.TempDir(), "job.yaml"), reconciledJob)
	up := launch(t, "up", "--demo", "--rate", "2000/s", "--speed", "5", "--job", job, "--data", data, "--listen", freePort(t), "--kafka-listen", address)
	up.prints("the wall is at")
	reconcile := func() result { return command(t, "reconcile", "--brokers", address, "--data", data) }
	eventually(t, "there is something to compare", func() bool { return reconcile().code == exitFine })
	for range 3 {
		r := must(t, reconcile())
		contains(t, r.out, "no differences in ")
		contains(t, r.out, "may still change, and are not compared while the engine runs")
	}
	up.stop()
}

// TestReconcileNames is what it cannot compare.
func TestReconcileNames(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	l.open("broker")
	for _, c := range []struct{ args, want string }{
		{"", "there is no topic category_results: has `liushui process` run?"},
	} {
		if r := l.run(append([]string{"reconcile"}, strings.Fields(c.args)...)...); r.code != exitMisuse || !strings.Contains(r.errOut, c.want) {
			t.Errorf("reconcile %s exits with %d: %s", c.args, r.code, r.errOut)
		}
	}
	l.start("process", "store", "produce")
	eventually(t, "the tables have all payments", func() bool { return l.paid() == paidInOrders })
	l.stop("process")
	contains(t, must(t, l.run("reconcile", "--data", l.data)).out, "no differences in ")
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"--statistic nothing", "--statistic nothing: the job shop has activity, sales,", exitMisuse},
		{"--window 7m", "--window 7m: no such windows are computed", exitMisuse},
		{"--from soon", "--from soon: want a time such as 2020-02-01", exitMisuse},
		{"--from 2020-02-02 --to 2020-02-01", "--to 2020-02-01 is not after --from 2020-02-02", exitMisuse},
		{"--from 2030-01-01", "no window was compared: the log has events from 2020-02-", exitFailure},
		{"--database sqlite:none.db", "there is no database sqlite:none.db", exitMisuse},
	} {
		if r := l.run(append([]string{"reconcile"}, strings.Fields(c.args)...)...); r.code != c.code || !strings.Contains(r.errOut, c.want) {
			t.Errorf("reconcile %s exits with %d: %s%s", c.args, r.code, r.out, r.errOut)
		}
	}
	l.stop("store")
	l.start("process")
	time.Sleep(2 * time.Second)
	l.stop("process")
	if r := l.run("reconcile", "--data", l.data); r.code != exitFailure || !strings.Contains(r.errOut, "the database has not taken the newest ") {
		t.Errorf("with a store that stands still it exits with %d: %s%s", r.code, r.out, r.errOut)
	}
	l.stop("broker")
}

// TestReconcileWhatTheLogLost compares a log whose start was trimmed, before and
// after a change of the job.
func TestReconcileWhatTheLogLost(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	l.data = filepath.Join(t.TempDir(), "data")
	other := strings.Replace(reconciledJob, "windows: [1s, 1m, 1d]", "windows: [1m, 1h, 1d]", 1)
	for _, run := range []struct{ job, events string }{{reconciledJob, "60000"}, {other, "10000"}} {
		job := file(t, filepath.Join(t.TempDir(), "job.yaml"), run.job)
		must(t, command(t, upArgs(t, l.data, "--demo", "--events", run.events, "--rate", "50/s", "--speed", "max", "--job", job,
			"--checkpoint-every", "100ms", "--retain", "4MiB", "--exit-when-done")...))
		broker := launch(t, append(l.args("broker"), "--retain", "4MiB")...)
		broker.prints("the broker is at")
		r := must(t, l.run("reconcile", "--data", l.data))
		contains(t, r.out, "outside the log: windows that begin before ")
		contains(t, r.out, "no differences in ")
		broker.stop()
	}
}
