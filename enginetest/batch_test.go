package enginetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// testJob is the small job of reconcile's tests.
var testJob = func() string {
	text, err := os.ReadFile("../reconcile/testdata/job.yaml")
	must(err)
	return string(text)
}()

func parse(t testing.TB, text string) *liushui.Job {
	t.Helper()
	job, err := liushui.ParseJob(t.Name(), text)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func records(values ...string) []liushui.Record {
	var all []liushui.Record
	for i, value := range values {
		all = append(all, liushui.Record{Offset: int64(i), Time: 1580486400000, Value: []byte(value)})
	}
	return all
}

func TestBatch(t *testing.T) {
	job := parse(t, testJob)
	in := records(
		`{"id":"1","type":"order","time":1580486400000,"province":"上海","amount":9}`,
		`{"id":"2","type":"pay","time":1580486400999,"province":"上海","amount":9.05,"quantity":3,"user":"u"}`,
		`{"id":"3","type":"pay","time":1580486401000,"province":"上海","amount":"0.0001","user":"u"}`,
		`{"id":"3","type":"pay","time":1580486401000,"province":"上海","amount":5}`,
		`{"id":"4","type":"view","time":1580486400000,"province":"上海"}`,
		`{"id":"4","type":"pay","time":1580486400000}`,
		`{"id":"5","type":"pay","time":1580486700000}`,
		`{"id":"6","type":"pay","time":1580486700001}`,
		`hello`,
		`{"id":"7","type":"pay","time":1580486399999,"user":""}`,
	)
	table, account := Batch(job, in, Options{Late: map[Place]bool{{Partition: 0, Offset: 6}: true}})
	wantAccount := liushui.Account{Read: 10, Counted: 4, Duplicate: 2, Late: 1, Bad: 2, Ignored: 1}
	if account != wantAccount || !account.Balanced() {
		t.Errorf("account %+v, want %+v", account, wantAccount)
	}
	const sat, fri = 1580486400000, 1580400000000 // midnights in Shanghai
	result := func(window string, start, end int64, province string, version int64, values ...int64) liushui.Result {
		r := liushui.Result{Statistic: "sales", Window: window, Start: start, End: end, Key: []string{province}, Version: version}
		for _, v := range values {
			r.Values = append(r.Values, liushui.Value{N: v})
		}
		return r
	}
	want := Table{}
	for _, r := range []liushui.Result{
		result("1s", sat, sat+1000, "上海", 2, 1, 90500, 3, 1),
		result("1s", sat+1000, sat+2000, "上海", 1, 0, 1, 0, 1),
		result("1d", sat, sat+86400000, "上海", 3, 1, 90501, 3, 1),
		result("1s", sat-1000, sat, "", 1, 0, 0, 0, 0),
		result("1d", fri, sat, "", 1, 0, 0, 0, 0),
	} {
		want[cellOf(&r)] = r
	}
	if d := cmp.Diff(want, table); d != "" {
		t.Error(d)
	}
}

func TestBatchTooLarge(t *testing.T) {
	job := parse(t, testJob)
	var values []string
	for i := range 923 {
		values = append(values, fmt.Sprintf(`{"id":"%d","type":"pay","time":1580486400000,"amount":1e12}`, i))
	}
	for n, null := range map[int]bool{922: false, 923: true} {
		table, _ := Batch(job, records(values[:n]...), Options{})
		for _, r := range table {
			if r.Values[1].Null != null {
				t.Errorf("%d times 10^12: %+v", n, r.Values[1])
			}
		}
	}
}

func TestBatchLeavesOutIncompleteWindows(t *testing.T) {
	job := parse(t, testJob)
	in := records(
		`{"id":"1","type":"order","time":1580486400000}`,
		`{"id":"2","type":"order","time":1580486401000}`)
	table, account := Batch(job, in, Options{CompleteFrom: 1580486401000})
	if len(table) != 1 || account.Counted != 2 {
		t.Errorf("%d cells, %+v; want the one window that begins in time, and both events counted", len(table), account)
	}
}

func TestAheadOfTheClock(t *testing.T) {
	job := parse(t, testJob)
	for _, test := range []struct {
		feed  string
		ahead time.Duration
		most  time.Duration
		want  Verdict
	}{
		{"", 5 * time.Minute, 0, Counted},
		{"", 5*time.Minute + time.Millisecond, 0, Bad},
		{"", 5*time.Minute + time.Millisecond, time.Hour, Counted},
		{"live", time.Hour, 0, Bad},
		{"replay", 1000 * time.Hour, 0, Counted},
		{"demo", 1000 * time.Hour, 0, Counted},
	} {
		r := records(fmt.Sprintf(`{"id":"1","type":"pay","time":%d}`, 1580486400000+test.ahead.Milliseconds()))
		r[0].Feed = test.feed
		if got := Judge(job, r, Options{MaxAhead: test.most})[Place{}]; got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// sent writes a table as an engine would.
func sent(job *liushui.Job, table Table) []liushui.Record {
	all := []liushui.Record{{Key: []byte(`["job"]`), Value: fmt.Appendf(nil, `{"hash":%q,"generation":7}`, job.Hash())}}
	for _, r := range table {
		r.Generation = 7
		all = append(all, liushui.Record{Key: r.AppendKey(nil), Value: r.AppendValue(nil, job.Statistic(r.Statistic))})
	}
	return all
}

func mergeableJob(t *testing.T) *liushui.Job {
	return parse(t, strings.Replace(testJob, "by: [province]", "by: [province]\n    mergeable: true", 1))
}

func TestTableOfFoldsAndDiffIsEmpty(t *testing.T) {
	job := mergeableJob(t)
	var values []string
	for i := range 2000 {
		values = append(values, fmt.Sprintf(`{"id":"%d","type":"pay","time":%d,"user":"u%d","province":"p%d","amount":1.25}`,
			i, 1580486400000+i, i%700, i%3))
	}
	want, _ := Batch(job, records(values...), Options{})
	rand.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	half, _ := Batch(job, records(values[:1000]...), Options{})
	whole, _ := Batch(job, records(values...), Options{})
	log := append(sent(job, whole), sent(job, half)...) // the order of the log does not matter: the higher version wins
	got, err := TableOf(log, job)
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(want, got); d != nil {
		t.Error(strings.Join(d, "\n"))
	}
}

func TestDiffSees(t *testing.T) {
	job := mergeableJob(t)
	in := []string{
		`{"id":"1","type":"pay","time":1580486400000,"user":"u","province":"p"}`,
		`{"id":"2","type":"pay","time":1580486401000,"user":"v","province":"p"}`,
	}
	want, _ := Batch(job, records(in...), Options{})
	first := func(change func(*liushui.Result)) Table {
		table := Table{}
		for _, r := range want {
			if r.Window == "1d" {
				r.Values = append([]liushui.Value(nil), r.Values...)
				change(&r)
			}
			table[cellOf(&r)] = r
		}
		return table
	}
	other, _ := Batch(job, records(strings.Replace(in[0], `"u"`, `"x"`, 1), in[1]), Options{})
	tests := map[string]Table{
		"a missing cell": {},
		"a value":        first(func(r *liushui.Result) { r.Values[0].N++ }),
		"a null":         first(func(r *liushui.Result) { r.Values[0].Null = true }),
		"a version":      first(func(r *liushui.Result) { r.Version++ }),
		"an end":         first(func(r *liushui.Result) { r.End++ }),
		"another key":    first(func(r *liushui.Result) { r.Key = []string{""} }),
		"no sketch":      first(func(r *liushui.Result) { r.Sketches = nil }),
		"broken sketch":  first(func(r *liushui.Result) { r.Sketches = map[string][]byte{"buyers": {1, 2}} }),
		"other users":    other,
	}
	for name, got := range tests {
		if Diff(want, got) == nil {
			t.Errorf("%s: not seen", name)
		}
	}
	if d := Diff(want, first(func(*liushui.Result) {})); d != nil {
		t.Errorf("equal tables: %v", d)
	}
}

func TestTableOfRefuses(t *testing.T) {
	job := parse(t, testJob)
	table, _ := Batch(job, records(`{"id":"1","type":"pay","time":1580486400000}`), Options{})
	log := sent(job, table)
	broken := func(old, new string) []liushui.Record {
		last := log[len(log)-1]
		last.Value = []byte(strings.Replace(string(last.Value), old, new, 1))
		return append(append([]liushui.Record(nil), log...), last)
	}
	for name, records := range map[string][]liushui.Record{
		"values that change without the version": broken(`"orders":0`, `"orders":1`),
		"a key of another cell":                  broken(`"start":15804864`, `"start":15804865`),
		"a value that is no number":              broken(`"orders":0`, `"orders":"x"`),
	} {
		if _, err := TableOf(records, job); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	if other, err := TableOf(broken(`"generation":7`, `"generation":6,"x":"`), job); err == nil {
		t.Errorf("cut JSON: not refused, %v", other)
	}
	if got, err := TableOf(broken(`"generation":7`, `"generation":6`), job); err != nil || len(got) != 2 {
		t.Errorf("another generation: %v %v", got, err)
	}
}
