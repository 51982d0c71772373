package liushui

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func plainSeeds(tb testing.TB) (*Job, [][]byte) {
	text, _ := BuiltinJob(DefaultJob)
	job, err := ParseJob("shop", text)
	if err != nil {
		tb.Fatal(err)
	}
	sales, visitors, province := job.Statistic("sales"), job.Statistic("visitors"), job.Statistic("sales_by_province")
	values := make([]Value, len(sales.Measures))
	for i := range values {
		values[i] = Value{N: int64(i) * 12345}
	}
	values[3] = Value{Null: true}
	plain := Result{Statistic: "sales", Window: "1m", Start: 1580486400000, End: 1580486460000, Values: values, Version: 5, Generation: 9, Engine: "native"}
	keyed := plain
	keyed.Statistic, keyed.Key, keyed.Late = "sales_by_province", []string{"上海"}, LateUnknown
	odd := keyed
	odd.Key = []string{"a\"b\\\n\u2028"}
	sketched := Result{Statistic: "visitors", Window: "1d", Start: 1, End: 2, Values: []Value{{N: 7}, {N: 3}}, Version: 7, Engine: "spark",
		Sketches: map[string][]byte{"users": {2, 1, 7, 12}}}
	return job, [][]byte{plain.AppendValue(nil, sales), keyed.AppendValue(nil, province), odd.AppendValue(nil, province), sketched.AppendValue(nil, visitors)}
}

// FuzzDecodeResult: where the plain reader takes a value, it reads what the JSON reader does.
func FuzzDecodeResult(f *testing.F) {
	job, seeds := plainSeeds(f)
	jobs := func(int64) *Job { return job }
	plainly := 0
	for _, seed := range seeds {
		f.Add(seed)
		if _, ok := decodePlain(seed, jobs); ok {
			plainly++
		}
	}
	if plainly != 3 {
		f.Errorf("%d of the seeds are read plainly, want all but the one with escapes", plainly)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		got, ok := decodePlain(value, jobs)
		if !ok {
			return
		}
		want, err := decodeJSON(value, jobs)
		if err != nil {
			t.Fatalf("%q is read, but is not: %v", value, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: %s", value, diff)
		}
	})
}

func BenchmarkDecodeResult(b *testing.B) {
	job, seeds := plainSeeds(b)
	jobs := func(int64) *Job { return job }
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, ok := decodePlain(seeds[1], jobs); !ok {
				b.Fatal("not plain")
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := decodeJSON(seeds[1], jobs); err != nil {
				b.Fatal(err)
			}
		}
	})
}
