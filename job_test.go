package liushui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const smallJob = `job: small
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1h
statistics:
  sales:
    windows: [1d, 1m]
    by: [province, type]
    measures:
      orders: {compute: count, where: {type: order}}
      paid: {compute: sum amount, where: {type: [refund, pay], channel: ["", app]}}
      pieces: sum quantity
      buyers: distinct user
    mergeable: true
  visits: {windows: [5s], measures: {events: count}}
`

func TestParseJob(t *testing.T) {
	got, err := ParseJob("small.yaml", smallJob)
	if err != nil {
		t.Fatal(err)
	}
	want := &Job{Name: "small", Zone: zone(t, "Asia/Shanghai"), Currency: "CNY", Lateness: 10 * time.Second, Corrections: time.Hour, Text: smallJob,
		Statistics: []*Statistic{
			{Name: "sales", Windows: []Window{{"1m", minuteMS}, {"1d", dayMS}}, By: []string{"province", "type"}, Mergeable: true, Measures: []Measure{
				{Name: "orders", Kind: Count, Where: []Condition{{"type", []string{"order"}}}},
				{Name: "paid", Kind: SumAmount, Where: []Condition{{"channel", []string{"", "app"}}, {"type", []string{"pay", "refund"}}}},
				{Name: "pieces", Kind: SumQuantity},
				{Name: "buyers", Kind: Distinct, Field: "user"},
			}},
			{Name: "visits", Windows: []Window{{"5s", 5000}}, Measures: []Measure{{Name: "events", Kind: Count}}},
		}}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); d != "" {
		t.Error(d)
	}
	if names := got.Dimensions(); !slices.Equal(names, []string{"channel", "province", "user"}) {
		t.Errorf("dimensions %q", names)
	}
	if got.Statistic("visits") != got.Statistics[1] || got.Statistic("x") != nil {
		t.Error("Statistic finds another")
	}
	if w, ok := got.Statistics[0].Window("1d"); !ok || !w.Day() {
		t.Errorf("window %v", w)
	}
	if _, ok := got.Statistics[0].Window("1h"); ok {
		t.Error("a window that is not there was found")
	}
}

func TestBuiltinJob(t *testing.T) {
	text, ok := BuiltinJob(DefaultJob)
	if !ok {
		t.Fatal("there is none")
	}
	job, err := ParseJob(DefaultJob, text)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range job.Statistics {
		names = append(names, s.Name)
	}
	want := []string{"activity", "sales", "sales_by_category", "sales_by_province", "sales_by_channel", "sales_by_gender", "sales_by_age",
		"sales_by_province_category", "visitors", "activity_by_category", "activity_by_gender", "activity_by_age", "activity_by_item"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	measures := []string{}
	for _, m := range job.Statistic("sales_by_province_category").Measures {
		measures = append(measures, m.Name)
	}
	if d := cmp.Diff([]string{"orders", "ordered", "payments", "paid", "refunds", "refunded", "cancels", "pieces", "buyers"}, measures); d != "" {
		t.Error(d)
	}
	if _, ok := BuiltinJob("none"); ok {
		t.Error("there is a job none")
	}
}

// TestParseJobRefuses: each error says where and how to mend it.
func TestParseJobRefuses(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{"", "", "job x.yaml: job: \"\" is not a name"}, // an empty file
		{"job: small", "job: Small", `job: "Small" is not a name of small letters, digits and _`},
		{"job: small", "job: small\nlatness: 5s", "[2:1] unknown field \"latness\""},
		{"    mergeable: true", "    mergable: true", "[15:5] unknown field \"mergable\""},
		{"job: small", "job: [", "[1:6]"},
		{"job: small", "job: small\njob: small", "[2:1]"},
		{"  visits:", "  sales:", `[16:3] mapping key "sales" already defined at [7:3]`},
		{"zone: Asia/Shanghai", "zone: Asia/Shangai", `zone: "Asia/Shangai" is no IANA zone`},
		{"zone: Asia/Shanghai", "zone: Local", "zone: missing"},
		{"zone: Asia/Shanghai\n", "", "zone: missing; want an IANA zone such as Asia/Shanghai"},
		{"zone: Asia/Shanghai", "zone: ../../etc/passwd", "is no IANA zone"},
		{"currency: CNY", "currency: yuan", `currency: "yuan"; want three capital letters such as CNY`},
		{"lateness: 10s", "lateness: 10", `lateness: "10"; want a time such as 10s`},
		{"lateness: 10s\n", "", "lateness: missing; want a time such as 10s, 5m or 1h"},
		{"lateness: 10s", "lateness: -1s", "lateness: \"-1s\""},
		{"lateness: 10s", "lateness: 1us", "lateness: \"1us\""},
		{"corrections: 1h", "corrections: 169h", "at most 168h"},
		{"corrections: 1h", "corrections: 0s", "corrections: 0s is too short; want at least 1s"},
		{"windows: [5s]", "windows: [7s]", `statistic visits: window "7s"`},
		{"windows: [5s]", "windows: []", "statistic visits: windows: none"},
		{"windows: [5s]", "windows: [5s, 5s]", "windows: 5s stands there twice"},
		{"windows: [5s]", "windows: 5s", "[16:21] string was used where sequence is expected"},
		{"by: [province, type]", "by: [a, b, c, d, e, f]", "by: 6 fields; want at most 5"},
		{"by: [province, type]", "by: [province, province]", "by: province stands there twice"},
		{"by: [province, type]", "by: [amount]", "by: amount is not a dimension"},
		{"by: [province, type]", "by: [time]", "by: time is not a dimension"},
		{"by: [province, type]", "by: [window]", `by: "window" cannot be a field here`},
		{"by: [province, type]", "by: [Version]", `by: "Version" cannot be a field here`},
		{"by: [province, type]", "by: [\"a b\"]", `by: "a b" cannot be a field here`},
		{"by: [province, type]", "by: [\"x'; DROP\"]", "cannot be a field here"},
		{"by: [province, type]", "by: [orders]", "measure orders: a field of by has this name"},
		{"by: [province, type]", "by: [Orders]", "measure orders: a field of by has this name"},
		{"{events: count}", "{}", "statistic visits: measures: none"},
		{"{events: count}", "{events: counts}", `measure events: "counts"; want count, sum amount, sum quantity or distinct FIELD`},
		{"{events: count}", "{events: sum price}", `measure events: "sum price"`},
		{"{events: count}", "{events: distinct id}", "ids are distinct already; use count"},
		{"{events: count}", "{events: distinct amount}", "distinct: amount is not a dimension"},
		{"{events: count}", "{events: 5}", "measure events: \"\"; want count"},
		{"{events: count}", "{Events: count}", "measure Events: want a name of small letters"},
		{"{events: count}", "{state: count}", "measure state: want a name"},
		{"{events: count}", "{events: {compute: count, when: {type: pay}}}", "unknown key when; want compute and where"},
		{"{events: count}", "{events: {compute: count, where: type}}", "where: want fields and values"},
		{"{events: count}", "{events: {compute: count, where: {type: buy}}}", `where: type "buy" is none of view, cart`},
		{"{events: count}", "{events: {compute: count, where: {type: []}}}", "where: type: no value"},
		{"{events: count}", "{events: {compute: count, where: {age: 30}}}", "where: age: 30 is not a string; quote it"},
		{"{events: count}", "{events: {compute: count, where: {amount: \"1\"}}}", "where: amount is not a dimension"},
		{"{events: count}", "{events: count, events: count}", `mapping key "events" already defined`},
		{"  visits:", "  Visits:", "statistic Visits: want a name"},
		{"{windows: [5s], measures: {events: count}}", "{windows: [5s], measures: {events: count}, mergeable: true}", "mergeable: there is no distinct measure to merge"},
		{"  visits: {windows: [5s], measures: {events: count}}", "  visits:", "statistic visits: windows: none"},
		{"  visits: {windows: [5s], measures: {events: count}}", "  visits: {windows: [5s], measures: {events: count}}\n---\njob: second", "a second document after ---"},
	}
	for _, test := range tests {
		text := strings.Replace(smallJob, test.old, test.new, 1)
		if test.old == "" {
			text = test.new
		}
		_, err := ParseJob("x.yaml", text)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "job x.yaml: ") {
			t.Errorf("%q: got  %v\nwant %s", test.new, err, test.want)
		}
	}
	none := smallJob[:strings.Index(smallJob, "statistics:")]
	for _, rest := range []string{"", "statistics:\n", "statistics: {}\n"} {
		if _, err := ParseJob("x.yaml", none+rest); err == nil || !strings.Contains(err.Error(), "statistics: none; want at least one") {
			t.Errorf("%q: %v", rest, err)
		}
	}
}

func hashOf(t *testing.T, text string) string {
	t.Helper()
	job, err := ParseJob("x", text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return job.Hash()
}

func TestHash(t *testing.T) {
	first := hashOf(t, smallJob)
	for what, change := range map[string][2]string{
		"a comment":                  {"job: small", "# why\njob: small # because"},
		"blanks":                     {"windows: [1d, 1m]", "windows: [ 1d,1m ]"},
		"order of windows":           {"windows: [1d, 1m]", "windows: [1m, 1d]"},
		"order of values":            {`["", app]`, `[app, ""]`},
		"a value twice":              {`["", app]`, `[app, "", app]`},
		"order of conditions":        {`{type: [refund, pay], channel: ["", app]}`, `{channel: ["", app], type: [refund, pay]}`},
		"order of measures":          {"      pieces: sum quantity\n      buyers: distinct user\n", "      buyers: distinct user\n      pieces: sum quantity\n"},
		"a value alone":              {"{type: order}", "{type: [order]}"},
		"a measure in its long form": {"pieces: sum quantity", "pieces: {compute: sum quantity}"},
		"the same time":              {"corrections: 1h", "corrections: 60m"},
		"order of the keys":          {"zone: Asia/Shanghai\ncurrency: CNY\n", "currency: CNY\nzone: Asia/Shanghai\n"},
	} {
		text := strings.Replace(smallJob, change[0], change[1], 1)
		if text == smallJob {
			t.Errorf("%s: nothing changed", what)
		}
		if hashOf(t, text) != first {
			t.Errorf("%s changes the hash", what)
		}
	}
	visits := "  visits: {windows: [5s], measures: {events: count}}\n"
	if hashOf(t, strings.Replace(strings.Replace(smallJob, visits, "", 1), "statistics:\n", "statistics:\n"+visits, 1)) != first {
		t.Error("the order of statistics changes the hash")
	}
	seen := map[string]string{first: "nothing"}
	for what, change := range map[string][2]string{
		"the name":            {"job: small", "job: other"},
		"the zone":            {"Asia/Shanghai", "Asia/Tokyo"},
		"the currency":        {"CNY", "EUR"},
		"the lateness":        {"lateness: 10s", "lateness: 11s"},
		"the corrections":     {"corrections: 1h", "corrections: 2h"},
		"a statistic's name":  {"visits:", "visit:"},
		"a window":            {"[5s]", "[10s]"},
		"one more window":     {"[5s]", "[5s, 10s]"},
		"the fields":          {"[province, type]", "[province]"},
		"the order of by":     {"[province, type]", "[type, province]"},
		"a measure's name":    {"orders:", "order:"},
		"what a measure does": {"pieces: sum quantity", "pieces: sum amount"},
		"what is distinct":    {"distinct user", "distinct item"},
		"a condition's value": {"{type: order}", "{type: pay}"},
		"a condition's field": {`channel: ["", app]`, `gender: ["", app]`},
		"one condition less":  {`, channel: ["", app]`, ""},
		"one measure less":    {"      pieces: sum quantity\n", ""},
		"mergeable":           {"    mergeable: true\n", ""},
		"one statistic less":  {visits, ""},
	} {
		text := strings.Replace(smallJob, change[0], change[1], 1)
		hash := hashOf(t, text)
		if other, taken := seen[hash]; taken {
			t.Errorf("%s gives the hash of %s", what, other)
		}
		seen[hash] = what
	}
}

// TestHashOfShop guards the form that hashes are made from: with another one,
// every job in use would begin a new generation at an upgrade.
func TestHashOfShop(t *testing.T) {
	const fixed = `job: fixed
zone: UTC
currency: EUR
lateness: 1s
corrections: 1m
statistics:
  sales: {windows: [1m], by: [category], measures: {paid: {compute: sum amount, where: {type: pay}}, users: distinct user}, mergeable: true}
`
	if got := hashOf(t, fixed); got != "d48f9d71308d836d" {
		t.Errorf("the hash is %s", got)
	}
}

func FuzzParseJob(f *testing.F) {
	shop, _ := BuiltinJob(DefaultJob)
	for _, seed := range []string{shop, smallJob, "", "job", "a: &a [*a]", "statistics: {a: {measures: {b: {where: {c: [d]}}}}}", "? [a]\n: b", "<<: {}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		job, err := ParseJob("fuzz", text)
		if err != nil {
			return
		}
		if job.Text != text || len(job.Statistics) == 0 {
			t.Errorf("%+v", job)
		}
		again, err := ParseJob("fuzz", text)
		if err != nil || again.Hash() != job.Hash() {
			t.Errorf("read again: %v", err)
		}
	})
}
