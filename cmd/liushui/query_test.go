package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/store"
)

const queriedJob = `job: queried
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1h
statistics:
  takings:
    windows: [1h, 1d]
    by: [province]
    measures: {orders: count, paid: sum amount, buyers: distinct user}
  hourly: {windows: [1m, 1h], measures: {orders: count}}
`

// filledStore makes a data directory whose database holds a few results.
func filledStore(t *testing.T, path string) {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	day := func(d int) int64 { return time.Date(2020, 2, d, 0, 0, 0, 0, zone).UnixMilli() }
	job, err := liushui.ParseJob("queried", queriedJob)
	if err != nil {
		t.Fatal(err)
	}
	const generation = 1_580_000_000_000
	var records []liushui.Record
	add := func(key string, value any) {
		text, ok := value.([]byte)
		if !ok {
			if text, err = json.Marshal(value); err != nil {
				t.Fatal(err)
			}
		}
		records = append(records, liushui.Record{Offset: int64(len(records)), Time: day(4) + int64(len(records))*1000, Key: []byte(key), Value: text})
	}
	add(liushui.KeyJob, liushui.JobRecord{Job: job.Name, Hash: job.Hash(), Generation: generation, Engine: "native", Text: queriedJob})
	result := func(statistic, window string, start, end int64, key []string, late int64, values ...liushui.Value) {
		r := liushui.Result{Statistic: statistic, Window: window, Start: start, End: end, Key: key, Values: values,
			Version: 1 + values[0].N, Late: late, Generation: generation, Engine: "native"}
		add(string(r.AppendKey(nil)), r.AppendValue(nil, job.Statistic(statistic)))
	}
	n := func(n int64) liushui.Value { return liushui.Value{N: n} }
	for d, provinces := range map[int][]string{1: {"上海", "内蒙古", ""}, 2: {"上海", "Inner, Mongolia"}} {
		for i, province := range provinces {
			result("takings", "1d", day(d), day(d+1), []string{province}, int64(i%2), n(int64(10*d+i)), n(int64(1787600*(i+1)+d)), n(int64(299+i)))
		}
	}
	result("takings", "1d", day(3), day(4), []string{"上海"}, 0, n(7), liushui.Value{Null: true}, n(0))
	for h := range int64(4) {
		start := day(2) + h*3_600_000
		result("hourly", "1h", start, start+3_600_000, nil, 0, n(100+h))
	}
	add(liushui.ProgressKey("native"), liushui.Progress{Engine: "native", Generation: generation, Watermark: day(3) + 1})
	for hour, key := range []string{"上海", "", "=1+1"} { // corrected after they were final
		start := day(1) + int64(hour)*3_600_000
		result("takings", "1h", start, start+3_600_000, []string{key}, 0, n(10), n(1_000_000), n(290))
		if hour > 0 {
			result("takings", "1h", start, start+3_600_000, []string{key}, 1, n(11), n(1_005_000), n(310))
		}
		result("takings", "1h", start, start+3_600_000, []string{key}, 2, n(12), n(int64(1_000_000-hour*20_000)), liushui.Value{Null: hour == 2, N: int64(290 + hour)})
	}

	s, err := store.Open(t.Context(), store.Config{DSN: databaseIn(path)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Begin(t.Context(), "topic", 0, int64(len(records))); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func TestQueryFormats(t *testing.T) {
	dir := t.TempDir()
	filledStore(t, dir)
	for name, args := range map[string]string{
		"days.txt":         "takings",
		"days.csv":         "takings --format csv",
		"days.json":        "takings --format json",
		"where.txt":        "takings --where province=上海",
		"unknown.txt":      "takings --where province=",
		"range.txt":        "takings --from 2020-02-02 --to 2020-02-03",
		"hours.txt":        "hourly",
		"hours2.txt":       "hourly --from 2020-02-02T01:00 --to 2020-02-02T03:00:00+08:00",
		"top.txt":          "takings --top 2 --by paid",
		"limit.txt":        "takings --limit 1",
		"none.txt":         "hourly --window 1m",
		"none.csv":         "hourly --window 1m --format csv",
		"none.json":        "hourly --window 1m --format json",
		"spelt.txt":        "takings --window 1d --from 2020-02-02T00:00:00+08:00 --limit 2 --format table",
		"corrections.txt":  "takings --corrections",
		"corrections.csv":  "takings --corrections --format csv",
		"corrections.json": "takings --corrections --format json --window 1h",
		"correction.txt":   "takings --corrections --limit 1",
		"corrections2.txt": "takings --corrections --where province=上海 --from 2020-02-01 --to 2020-02-02",
		"uncorrected.txt":  "hourly --corrections",
		"uncorrected.json": "hourly --corrections --format json",
		"uncorrected.csv":  "takings --corrections --window 1d --format csv",
		"combined.txt":     "takings --where province=上海 --from 2020-02-01 --top 1 --by orders",
	} {
		r := command(t, append([]string{"query", "--data", dir}, strings.Fields(args)...)...)
		if r.code != exitFine || r.errOut != "" {
			t.Errorf("query %s exits with %d: %s", args, r.code, r.errOut)
		}
		golden(t, "query/"+name, r.out)
		if strings.HasSuffix(name, ".json") && !json.Valid([]byte(r.out)) {
			t.Errorf("query %s prints no JSON: %s", args, r.out)
		}
	}
}

// TestQueryNamesWhatThereIs is every question that the job cannot answer.
func TestQueryNamesWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	filledStore(t, dir)
	for args, want := range map[string]string{
		"":                             "which statistic? The job queried has takings, hourly",
		"sales":                        `there is no statistic "sales"; the job queried has takings, hourly`,
		"takings --window 1m":          "--window 1m: takings has 1h, 1d",
		"takings --where city=上海":      "--where city=上海: takings is grouped by province",
		"hourly --where province=上海":   "--where province=上海: hourly is not grouped by any field",
		"takings --top 3":              "--top 3 needs --by and a measure: orders, paid, buyers",
		"takings --top 3 --by refunds": "--by refunds: takings has the measures orders, paid, buyers",
		"takings --by paid":            "--by paid needs --top and a number of rows",
		"takings --top -1 --by paid":   "--top -1: want a number of rows above 0",
		"takings --corrections --top 3 --by paid":   "--top orders rows, not --corrections; --limit bounds them",
		"takings --limit -1":                        "--limit -1: want a number of rows above 0",
		"takings --from yesterday":                  "--from yesterday: want a time such as 2020-02-01, 2020-02-01T10:00 (in Asia/Shanghai) or 2020-02-01T10:00:00+08:00",
		"takings --to 2020-02-30":                   "--to 2020-02-30: want a time such as 2020-02-01, 2020-02-01T10:00 (in Asia/Shanghai) or 2020-02-01T10:00:00+08:00",
		"takings --from 2020 --to 2021":             "--from 2020: want a time such as 2020-02-01, 2020-02-01T10:00 (in Asia/Shanghai) or 2020-02-01T10:00:00+08:00",
		"takings --from 2020-02-02 --to 2020-02-01": "--to 2020-02-01 is not after --from 2020-02-02",
	} {
		r := command(t, append([]string{"query", "--data", dir}, strings.Fields(args)...)...)
		if diff := cmp.Diff(result{code: exitMisuse, errOut: "liushui: " + want + "\n"}, r, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("query %s: %s", args, diff)
		}
	}
}

// TestQueryFindsTheNewestData reads ./liushui-data without being told.
func TestQueryFindsTheNewestData(t *testing.T) {
	t.Chdir(t.TempDir())
	for i, name := range []string{"b", "a"} {
		path := filepath.Join(dataRoot, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		filledStore(t, path)
		r := must(t, command(t, "query", "hourly"))
		golden(t, "query/hours.txt", r.out)
		at := time.Now().Add(time.Duration(i) * time.Hour) // of two databases, the one written last
		if err := os.Chtimes(filepath.Join(path, databaseFile), at, at); err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(r.errOut, "reading the newest data directory"); said != (i > 0) {
			t.Errorf("with %d directories it says %q", i+1, r.errOut)
		}
	}
	if r := must(t, command(t, "query", "hourly")); !strings.Contains(r.errOut, "data="+filepath.Join(dataRoot, "a")) {
		t.Errorf("it says %q, want the directory written last", r.errOut)
	}
}

// TestQueryBeforeTheFirstResult is a store that the store command has just made.
func TestQueryBeforeTheFirstResult(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Config{DSN: databaseIn(dir)})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	r := command(t, "query", "sales", "--data", dir)
	if want := "liushui: the store holds no results yet; is `liushui process` or `liushui up` running?\n"; r.code != exitFailure || r.errOut != want {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
}
