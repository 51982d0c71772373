package liushui

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func small(t testing.TB) *Job {
	t.Helper()
	job, err := ParseJob("small", smallJob)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func fullResult() Result {
	return Result{Statistic: "sales", Window: "1m", Start: 1580486400000, End: 1580486460000, Key: []string{"上海", "pay"},
		Values:  []Value{{N: 3}, {N: 1787600}, {Null: true}, {N: 2}},
		Version: 5, Late: 1, Generation: 1580486399000, Repair: 2, Engine: "native", Sketches: map[string][]byte{"buyers": {2, 1, 255}}}
}

// TestResultText holds the text against system.md section 6.
func TestResultText(t *testing.T) {
	r, s := fullResult(), small(t).Statistic("sales")
	const key = `["sales","1m","1580486400000","上海","pay"]`
	if got := string(r.AppendKey(nil)); got != key {
		t.Errorf("%s, want %s", got, key)
	}
	const value = `{"statistic":"sales","window":"1m","start":1580486400000,"end":1580486460000,"key":{"province":"上海","type":"pay"},` +
		`"values":{"orders":3,"paid":178.76,"pieces":null,"buyers":2},"version":5,"late":1,"generation":1580486399000,"repair":2,"engine":"native","sketches":{"buyers":"AgH/"}}`
	if d := cmp.Diff(value, string(r.AppendValue(nil, s))); d != "" {
		t.Error(d)
	}
	r.Late, r.Sketches = LateUnknown, nil
	if got := string(r.AppendValue(nil, s)); !strings.Contains(got, `"late":null,`) || strings.Contains(got, "sketches") {
		t.Error(got)
	}
}

func TestResultRoundTrips(t *testing.T) {
	job := small(t)
	change := map[string]func(*Result){
		"full":                func(*Result) {},
		"late unknown":        func(r *Result) { r.Late = LateUnknown },
		"late 0, no sketches": func(r *Result) { r.Late, r.Sketches = 0, nil },
		"unknown key":         func(r *Result) { r.Key = []string{"", ""} },
		"hostile key":         func(r *Result) { r.Key = []string{"\",\"\\\x00\x1f\n", "'; --\u202e\u2028</script>"} },
		"all null":            func(r *Result) { r.Values = []Value{{Null: true}, {Null: true}, {Null: true}, {Null: true}} },
		"greatest and least": func(r *Result) {
			r.Values = []Value{{N: math.MaxInt64}, {N: math.MaxInt64}, {N: math.MinInt64}, {N: 0}}
		},
		"ten-thousandths":    func(r *Result) { r.Values[1].N = 1 },
		"below 0":            func(r *Result) { r.Values[1].N = -15000 },
		"another engine":     func(r *Result) { r.Engine = "spark \"x\"" },
		"version 0, start 0": func(r *Result) { r.Version, r.Start, r.End, r.Repair, r.Generation = 0, 0, 0, 0, 0 },
	}
	for name, f := range change {
		want := fullResult()
		f(&want)
		value := want.AppendValue(nil, job.Statistic("sales"))
		if !json.Valid(value) {
			t.Errorf("%s: no JSON: %s", name, value)
		}
		got, err := DecodeResult(value, func(int64) *Job { return job })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(&want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		var key []string
		if err := json.Unmarshal(want.AppendKey(nil), &key); err != nil {
			t.Errorf("%s: key: %v", name, err)
		}
		if kind := KindOf(want.AppendKey(nil)); kind != KindResult {
			t.Errorf("%s: kind %d", name, kind)
		}
	}
}

// TestDecodeResultOfOthers reads what another engine may write: any order, blanks, numbers by value, more fields.
func TestDecodeResultOfOthers(t *testing.T) {
	job := small(t)
	const value = ` { "values" : {"buyers":2.0,"paid":1.7876E2,"orders":3e0}, "key":{"type":null,"province":"\u4e0a海"},
		"version":5,"generation":7,"end":60000,"start":0,"window":"1m","statistic":"sales","engine":"spark","more":[{}] }`
	got, err := DecodeResult([]byte(value), func(int64) *Job { return job })
	if err != nil {
		t.Fatal(err)
	}
	want := &Result{Statistic: "sales", Window: "1m", End: 60000, Key: []string{"上海", ""}, Late: LateUnknown, Version: 5, Generation: 7, Engine: "spark",
		Values: []Value{{N: 3}, {N: 1787600}, {Null: true}, {N: 2}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDecodeResultRefuses(t *testing.T) {
	job := small(t)
	jobs := func(generation int64) *Job {
		if generation == 1580486399000 {
			return job
		}
		return nil
	}
	r := fullResult()
	sound := string(r.AppendValue(nil, job.Statistic("sales")))
	for _, test := range []struct {
		old, new string
		unknown  bool // the job, not the text
	}{
		{`"generation":1580486399000`, `"generation":5`, true},
		{`"statistic":"sales"`, `"statistic":"other"`, true},
		{`"orders":3`, `"orders":"x"`, false},
		{`"orders":3`, `"orders":3.5`, false},
		{`"paid":178.76`, `"paid":0.00001`, false},
		{`"start":1580486400000`, `"start":"x"`, false},
		{`"buyers":"AgH/"`, `"buyers":"not base64"`, false},
		{`{"statistic"`, `["statistic"`, false},
		{`"engine":"native"`, `"engine":"nat`, false},
		{sound, "", false},
	} {
		got, err := DecodeResult([]byte(strings.Replace(sound, test.old, test.new, 1)), jobs)
		if err == nil || errors.Is(err, ErrUnknownJob) != test.unknown {
			t.Errorf("%s: %+v %v", test.new, got, err)
		}
	}
}

func TestNewer(t *testing.T) {
	ladder := []Result{ // each takes the place of all before it
		{Generation: 1, Repair: 0, Version: 1}, {Generation: 1, Repair: 0, Version: 2}, {Generation: 1, Repair: 1, Version: 1},
		{Generation: 1, Repair: 1, Version: 9}, {Generation: 2, Repair: 0, Version: 1},
	}
	for i := range ladder {
		for j := range ladder {
			if got := ladder[i].Newer(&ladder[j]); got != (i > j) {
				t.Errorf("%+v over %+v: %t", ladder[i], ladder[j], got)
			}
		}
	}
}

func TestKindOf(t *testing.T) {
	for key, want := range map[string]RecordKind{
		`["job"]`:                           KindJob,
		`["progress","produce"]`:            KindProduce,
		`["progress","native"]`:             KindProgress,
		`["progress","spark \"a,b\""]`:      KindProgress,
		`["sales","1m","0"]`:                KindResult,
		`["sales","1m","0","上海","a,b"]`:     KindResult,
		`["progress","1m","1580486400000"]`: KindResult, // a statistic of this name
		`["job","1m","1580486400000"]`:      KindResult,
		`["progress","1m","0","produce"]`:   KindResult,
		"":                                  KindUnknown,
		"x":                                 KindUnknown,
		`["progress"]`:                      KindUnknown,
		`["progress","x`:                    KindUnknown,
		`["other"]`:                         KindUnknown,
		`[`:                                 KindUnknown,
		`[1,2,3]`:                           KindUnknown,
		`{"a":1}`:                           KindUnknown,
	} {
		if got := KindOf([]byte(key)); got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
	for _, engine := range []string{"native", "a\"b", "a,b]"} {
		if kind := KindOf([]byte(ProgressKey(engine))); kind != KindProgress {
			t.Errorf("%s: %d", ProgressKey(engine), kind)
		}
	}
}

func TestBalanced(t *testing.T) {
	a := Account{Read: 15, Counted: 1, Duplicate: 2, Late: 3, Bad: 4, Ignored: 5}
	if !a.Balanced() {
		t.Errorf("%+v adds up", a)
	}
	a.Read++
	if a.Balanced() {
		t.Errorf("%+v does not add up", a)
	}
}

func TestLag(t *testing.T) {
	lag := func(n int64) *int64 { return &n }
	p := Progress{Partitions: []PartitionProgress{{Partition: 0, Lag: lag(3)}, {Partition: 1, Lag: lag(4)}}}
	if n, known, _ := p.Lag(); n != 7 || !known {
		t.Errorf("%d %t", n, known)
	}
	p.Partitions = append(p.Partitions, PartitionProgress{Partition: 7})
	if _, known, which := p.Lag(); known || which != 7 {
		t.Errorf("%t %d", known, which)
	}
}

// TestProgressText guards the names of the fields that others read.
func TestProgressText(t *testing.T) {
	lag := int64(0)
	text, err := json.Marshal(Progress{Engine: "native", Generation: 1, Partitions: []PartitionProgress{{Partition: 1, Offset: 2, Lag: &lag, Newest: 3}, {}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"engine":"native","generation":1,"time":0,"newest":0,"watermark":0,"complete_from":0,"judged":0,"rate":0,"topic_id":"",` +
		`"partitions":[{"partition":1,"offset":2,"lag":0,"newest":3},{"partition":0,"offset":0,"lag":null,"newest":0}],` +
		`"account":{"read":0,"counted":0,"duplicate":0,"late":0,"bad":0,"ignored":0},"corrected":0,"too_large":0}`
	if d := cmp.Diff(want, string(text)); d != "" {
		t.Error(d)
	}
}
