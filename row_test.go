package liushui

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func rowFixture(t *testing.T, key string) (*Row, *Statistic, *time.Location) {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	s := &Statistic{Name: "sales", By: []string{"province"}, Measures: []Measure{
		{Name: "orders", Kind: Count}, {Name: "paid", Kind: SumAmount}, {Name: "buyers", Kind: Distinct, Field: "user"}}}
	start := time.Date(2020, 2, 29, 0, 0, 0, 0, zone).UnixMilli()
	return &Row{State: Corrected, Result: Result{Statistic: "sales", Window: "1d", Start: start, End: start + 86_400_000, Key: []string{key},
		Values: []Value{{N: 3}, {N: 1_787_600}, {N: 301}}, Version: 7}}, s, zone
}

func TestRowAsJSON(t *testing.T) {
	row, s, zone := rowFixture(t, `上"海`)
	const want = `{"window":"1d","start":"2020-02-29T00:00:00+08:00","end":"2020-03-01T00:00:00+08:00","state":"corrected","version":7,"province":"上\"海","orders":3,"paid":178.76,"buyers":301}`
	got := string(row.AppendJSON(nil, s, zone))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !json.Valid([]byte(got)) {
		t.Errorf("not JSON: %s", got)
	}
	row.Values[1] = Value{Null: true}
	if got := string(row.AppendJSON(nil, s, zone)); !strings.Contains(got, `"paid":null`) {
		t.Errorf("a sum that does not fit reads %s, want null", got)
	}
}

func TestRowAsCSVReadsBack(t *testing.T) {
	for _, c := range []struct{ key, want string }{
		{"上海", "上海"}, {"", ""}, {`say "a", b`, `say "a", b`}, {"two\nlines", "two\nlines"}, {" blank ", " blank "},
		{`=HYPERLINK("x")`, `'=HYPERLINK("x")`}, {"+1", "'+1"}, {"-1", "'-1"}, {"@SUM(A1)", "'@SUM(A1)"}, {"\t=1", "'\t=1"}, {"＝1", "'＝1"},
	} {
		row, s, zone := rowFixture(t, c.key)
		text := row.AppendCSV(s.AppendCSVHeader(nil), s, zone)
		records, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil {
			t.Fatalf("key %q: %v in %s", c.key, err, text)
		}
		want := [][]string{
			{"window", "start", "end", "state", "version", "province", "orders", "paid", "buyers"},
			{"1d", "2020-02-29T00:00:00+08:00", "2020-03-01T00:00:00+08:00", "corrected", "7", c.want, "3", "178.76", "301"},
		}
		if diff := cmp.Diff(want, records); diff != "" {
			t.Errorf("key %q: %s", c.key, diff)
		}
	}
}

func TestRowsAsTable(t *testing.T) {
	row, s, zone := rowFixture(t, "内蒙古")
	other, _, _ := rowFixture(t, "bad\x1b[31m")
	other.State, other.Values = Provisional, []Value{{N: 12345}, {Null: true}, {N: 300}}
	unknown, _, _ := rowFixture(t, "")
	want := strings.Join([]string{
		"start (Asia/Shanghai)  state        province   orders       paid  buyers",
		"2020-02-29             corrected    内蒙古          3     178.76    ≈301",
		"2020-02-29             provisional  bad�[31m    12345  too large     300",
		"2020-02-29             corrected    (unknown)       3     178.76    ≈301", ""}, "\n")
	got := string(AppendTable(nil, []Row{*row, *other, *unknown}, s, zone))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", diff, got)
	}
}
