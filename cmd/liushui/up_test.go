package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/dev"
)

// up runs `liushui up` on free ports in a data directory.
func upArgs(t *testing.T, data string, more ...string) []string {
	t.Helper()
	return append([]string{"up", "--data", data, "--listen", freePort(t), "--kafka-listen", freePort(t)}, more...)
}

// row is a row of `query --format json`.
type row map[string]any

func (r row) text(name string) string { s, _ := r[name].(string); return s }

func (r row) number(t *testing.T, name string) json.Number {
	t.Helper()
	n, ok := r[name].(json.Number)
	if !ok {
		t.Fatalf("%s is %v, no number", name, r[name])
	}
	return n
}

// rows asks for rows as JSON.
func rows(t *testing.T, args ...string) []row {
	t.Helper()
	r := command(t, append([]string{"query", "--format", "json"}, args...)...)
	if r.code != exitFine {
		t.Fatalf("liushui query %s exits with %d: %s", strings.Join(args, " "), r.code, r.errOut)
	}
	var all []row
	d := json.NewDecoder(strings.NewReader(r.out))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		t.Fatalf("liushui query %s printed no JSON: %v\n%s", strings.Join(args, " "), err, r.out)
	}
	return all
}

// sum adds up a measure exactly.
func sum(t *testing.T, all []row, measure string) string {
	t.Helper()
	var total liushui.Money
	for _, r := range all {
		m, err := liushui.ParseMoney(string(r.number(t, measure)))
		if err != nil {
			t.Fatal(err)
		}
		total += m
	}
	return total.String()
}

// must fails unless a command line went well.
func must(t *testing.T, r result) result {
	t.Helper()
	if r.code != exitFine {
		t.Fatalf("exit code %d: %s%s", r.code, r.out, r.errOut)
	}
	return r
}

func TestUpReplaysAFile(t *testing.T) {
	csv, err := filepath.Abs("testdata/orders.csv")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	args := upArgs(t, "data", "--csv", csv, "--mapping", "tmall-orders", "--speed", "max", "--max-bad", "10%", "--exit-when-done")
	first := must(t, command(t, args...))

	const summary = `events   18 (order 9, pay 6, refund 3)
records  18 read = 18 counted + 0 duplicate + 0 late + 0 bad + 0 ignored
`
	if !strings.Contains(first.out, summary) || !strings.Contains(first.out, "this run 18 sent in ") {
		t.Errorf("the summary is\n%s", first.out)
	}
	rejects, err := os.ReadFile("data/rejects.csv")
	if err != nil {
		t.Fatal(err)
	}
	if want := "file,line,reason,row\n" + csv + `,8,"amount ""12x.00"" is not a number","7,12x.00,0.00,上海,2020-02-20 23:56:15,,0.00"` + "\n"; string(rejects) != want {
		t.Errorf("rejects.csv is\n%s, want\n%s", rejects, want)
	}

	days := rows(t, "sales", "--data", "data")
	got := map[string][]string{}
	for _, day := range days {
		if day["state"] != "final" {
			t.Errorf("%s is %s, want final: the input has ended", day["start"], day["state"])
		}
		var figures []string
		for _, measure := range []string{"orders", "ordered", "payments", "paid", "refunds", "refunded"} {
			figures = append(figures, string(day.number(t, measure)))
		}
		got[day.text("start")] = figures
	}
	want := map[string][]string{
		"2020-02-19T00:00:00+08:00": {"1", "188320.00", "0", "0.00", "0", "0.00"},
		"2020-02-20T00:00:00+08:00": {"7", "644.51", "4", "549.51", "0", "0.00"},
		"2020-02-21T00:00:00+08:00": {"1", "178.80", "2", "199.80", "3", "113.30"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("days of sales: %s", diff)
	}

	// Once more on the finished directory: nothing is sent, and all is as it was.
	second := must(t, command(t, args...))
	if !strings.Contains(second.out, summary) || !strings.Contains(second.out, "this run 0 sent in ") {
		t.Errorf("the second summary is\n%s", second.out)
	}
	if diff := cmp.Diff(days, rows(t, "sales", "--data", "data")); diff != "" {
		t.Errorf("the second run changed figures: %s", diff)
	}
}

func TestUpWithTheUsersOwnJob(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := must(t, command(t, upArgs(t, data, "--csv", "testdata/orders.csv", "--mapping", "tmall-orders", "--job", "testdata/small.yaml",
		"--speed", "max", "--max-bad", "10%", "--exit-when-done")...))
	if !strings.Contains(r.out, "events   (the job counts none by type)\n") {
		t.Errorf("the summary is\n%s", r.out)
	}
	got := map[string]string{}
	for _, r := range rows(t, "takings", "--data", data, "--where", "province=上海") {
		got[r.text("start")[:10]] = string(r.number(t, "ordered")) + " " + string(r.number(t, "paid"))
	}
	want := map[string]string{"2020-02-19": "188320.00 0.00", "2020-02-20": "0.01 0.01", "2020-02-21": "178.80 178.80"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUpRefusesAnotherFeedsDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	file(t, "a.csv", "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n1,85123,lamp,2,2011-12-01 08:26:00,2.55,17850.0,United Kingdom\n")
	replay := func(more ...string) []string {
		return upArgs(t, "d", append([]string{"--csv", "a.csv", "--mapping", "online-retail", "--speed", "max", "--exit-when-done"}, more...)...)
	}
	must(t, command(t, replay()...))

	r := command(t, upArgs(t, "d", "--events", "10", "--exit-when-done")...)
	if want := regexp.MustCompile(`^liushui: --data d holds another feed, a\.csv by online-retail \([0-9a-f]{8}\), not demo; name another directory, leave --data out, or remove it to start anew\n$`); r.code != exitMisuse || !want.MatchString(r.errOut) {
		t.Errorf("a demo in a file's directory: exit code %d: %s", r.code, r.errOut)
	}
	if r := command(t, replay("--as-if-now")...); r.code != exitMisuse || !strings.Contains(r.errOut, "--data d holds another feed") {
		t.Errorf("other times in the directory: exit code %d: %s", r.code, r.errOut)
	}
	must(t, command(t, replay()...))
}

func TestSecondProcessIsRefused(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first := launch(t, upArgs(t, data)...)
	first.prints("the wall is at")
	r := command(t, upArgs(t, data)...)
	if want := "liushui: " + data + ": the data directory is in use by another process; stop that one, or name another with --data\n"; r.code != exitFailure || r.errOut != want {
		t.Errorf("exit code %d: %s, want %s", r.code, r.errOut, want)
	}
	first.stop()
	again := launch(t, upArgs(t, data)...)
	again.prints("the wall is at")
	again.stop()
}

func TestUpTakesTheNextFreePorts(t *testing.T) {
	dir := t.TempDir()
	wall, kafka := freePort(t), freePort(t)
	args := func(data string) []string {
		return []string{"up", "--data", filepath.Join(dir, data), "--listen", wall, "--kafka-listen", kafka}
	}
	first := launch(t, args("a")...)
	first.prints("the wall is at http://" + wall + "\n")
	second := launch(t, args("b")...)
	second.prints("the wall is at http://")
	if strings.Contains(second.out.String(), wall+"\n") {
		t.Errorf("both say %s", second.out.String())
	}
	for _, what := range []string{"for=broker", "for=wall"} {
		if !strings.Contains(second.errOut.String(), what) {
			t.Errorf("the second does not say that it took another port %s:\n%s", what, second.errOut.String())
		}
	}
	second.stop()
	first.stop()
}

// TestUpIntoMariaDB keeps the tables in a real MariaDB, and asks there.
func TestUpIntoMariaDB(t *testing.T) {
	dsn := dev.MariaDB(t)
	data := filepath.Join(t.TempDir(), "data")
	replay := func(csv string) result {
		return command(t, upArgs(t, data, "--csv", csv, "--mapping", "tmall-orders", "--speed", "max", "--max-bad", "10%",
			"--exit-when-done", "--database", dsn)...)
	}
	r := must(t, replay("testdata/orders.csv"))
	if !strings.Contains(r.out, "events   18 (order 9, pay 6, refund 3)\n") {
		t.Errorf("the summary is\n%s", r.out)
	}
	if got := sum(t, rows(t, "sales", "--database", dsn), "paid"); got != paidInOrders {
		t.Errorf("paid is %s, want %s", got, paidInOrders)
	}
	if _, err := os.Stat(filepath.Join(data, databaseFile)); err == nil {
		t.Error("there is a SQLite database beside MariaDB's")
	}

	// Another feed's directory has another log: its results never mix with these.
	data = filepath.Join(t.TempDir(), "other")
	if r := replay("testdata/orders.csv"); r.code != exitFailure || !strings.Contains(r.errOut, "holds rows of another log") || !strings.Contains(r.errOut, "--adopt") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
}

// TestUpWithAnotherJob computes the same feed anew: its directory is the same.
func TestUpWithAnotherJob(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	replay := func(more ...string) []string {
		return upArgs(t, data, append([]string{"--csv", "testdata/orders.csv", "--mapping", "tmall-orders", "--speed", "max", "--max-bad", "10%", "--exit-when-done"}, more...)...)
	}
	must(t, command(t, replay("--job", "testdata/small.yaml")...))
	must(t, command(t, replay()...))
	if got := sum(t, rows(t, "sales", "--data", data), "paid"); got != paidInOrders {
		t.Errorf("paid is %s by the second job, want %s", got, paidInOrders)
	}
	must(t, command(t, replay("--job", "testdata/small.yaml")...))
	if got := sum(t, rows(t, "takings", "--data", data), "paid"); got != paidInOrders {
		t.Errorf("paid is %s by the first job again, want %s", got, paidInOrders)
	}
}

// TestDemoGoesOnAfterItself runs a demo ahead of the clock, and another one after
// it: the second begins where the first ended, not behind its watermark.
func TestDemoGoesOnAfterItself(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	job := file(t, filepath.Join(t.TempDir(), "job.yaml"), strings.NewReplacer("lateness: 10s", "lateness: 1s", "corrections: 1h", "corrections: 3s").Replace(smallJob))
	const events = 4000 // ten minutes of its shop
	for range 3 {
		must(t, command(t, upArgs(t, data, "--demo", "--events", strconv.Itoa(events), "--rate", "7/s", "--speed", "100000", "--job", job, "--exit-when-done")...))
	}
	account := lastAccount(t, readBack(t, data)[liushui.TopicResults])
	if account.Read != 3*events || account.Late > events/50 {
		t.Errorf("the account is %+v, want %d read and no more than a few of them late, on purpose", account, 3*events)
	}
}

// TestUpWithAnEmptyFile has nothing to do, and says so.
func TestUpWithAnEmptyFile(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	csv := file(t, filepath.Join(t.TempDir(), "empty.csv"), "订单编号,总金额,买家实际支付金额,收货地址,订单创建时间,订单付款时间,退款金额\n")
	r := must(t, command(t, upArgs(t, data, "--csv", csv, "--mapping", "tmall-orders", "--speed", "max", "--exit-when-done")...))
	if !strings.Contains(r.out, "events   none\nrecords  0 read = 0 counted") || !strings.Contains(r.errOut, "the file makes no events") {
		t.Errorf("it says\n%s%s", r.out, r.errOut)
	}
}

func TestLogsAsJSON(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := must(t, command(t, upArgs(t, data, "--events", "10", "--speed", "max", "--exit-when-done", "--log-format", "json")...))
	lines := strings.Split(strings.TrimSpace(r.errOut), "\n")
	for _, line := range lines {
		var entry struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Msg == "" || entry.Time == "" {
			t.Errorf("a log line is %s (%v)", line, err)
		}
	}
	if len(lines) < 3 {
		t.Errorf("only %d lines: %s", len(lines), r.errOut)
	}
}
