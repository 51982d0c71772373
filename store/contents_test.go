package store

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// widest is a job of all that tables must hold: five key fields whose names are
// SQL words or differ in case only, all kinds of measures, sketches.
const widest = `job: widest
zone: America/New_York
currency: USD
lateness: 10s
corrections: 1h
statistics:
  select:
    windows: [1s, 30m, 12h, 1d]
    by: [order, Brand, brand, type, Group]
    mergeable: true
    measures:
      from: count
      sum: sum amount
      rows: sum quantity
      users: distinct user
  plain:
    windows: [1d]
    measures: {events: count}
`

// hostile are keys that a database could take for something else.
var hostile = []string{
	"", " ", "a", "A", "á", "a\u0301", "a ", "a  ", " a", "a\x00", "a\x00b", "\x00", "\t", "\n", "\r\n", "'", `"`, "`", `\`, `\'`, "%", "_", "?", "$1", ":a", "@a",
	"'; DROP TABLE plain; --", "NULL", "0", "00", "1e3", "上海", "上海 ", "ß", "ss", "ı", "i", "İ", "😀", "👨‍👩‍👧", "\u200b", "\u202e", "\ufeff", "\uffff", "\U0010ffff",
	strings.Repeat("长", 128), strings.Repeat("😀", 128), strings.Repeat("x", 127) + " ", "{", "[]", `{"a":1}`, "\u0085", "\u2028",
}

func TestSameContentsOnEveryDatabase(t *testing.T) {
	l := newTopic(t)
	job := l.job(7, widest)
	l.progress(liushui.Progress{Generation: 7, Watermark: 1604210400000})
	for i, key := range hostile {
		for j := range 5 {
			fields := slices.Repeat([]string{hostile[(i+7)%len(hostile)]}, 5)
			fields[j] = key
			l.result(liushui.Result{Statistic: "select", Window: job.Statistics[0].Windows[j%4].Name, Start: 1604210400000 + int64(i)*1e9, Key: fields,
				Values: values(int64(i), math.MaxInt64-int64(i), int64(j), 300), Version: int64(i + j), Late: liushui.LateUnknown, Generation: 7,
				Sketches: map[string][]byte{"users": {0, 1, 2, byte(i), 255, 0}}})
		}
	}
	l.result(liushui.Result{Statistic: "select", Window: "1d", Start: 1604210400000, Key: make([]string, 5), Generation: 7,
		Values: []liushui.Value{{Null: true}, {Null: true}, {Null: true}, {Null: true}}})
	var dumps []string
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		s.mustApply(t, l.records)
		dumps = append(dumps, s.dump(t))
		got := map[string]bool{}
		for _, w := range job.Statistics[0].Windows {
			for _, row := range s.rows(t, liushui.Query{Statistic: "select", Window: w.Name}) {
				got[fmt.Sprintf("%#v", row)] = true
			}
		}
		for _, r := range l.records[2:] {
			want, err := liushui.DecodeResult(r.Value, func(int64) *liushui.Job { return job })
			if err != nil {
				t.Fatal(err)
			}
			state := liushui.Provisional
			if want.End <= 1604210400000 {
				state = liushui.Final
			}
			if key := fmt.Sprintf("%#v", liushui.Row{Result: *want, State: state}); !got[key] {
				t.Errorf("missing %s", key)
			}
		}
		if len(got) != len(l.records)-2 {
			t.Errorf("%d rows, want %d", len(got), len(l.records)-2)
		}
		for _, key := range hostile {
			for _, field := range job.Statistics[0].By {
				for _, row := range s.rows(t, liushui.Query{Statistic: "select", Window: "1s", Where: []liushui.Dimension{{Name: field, Value: key}}}) {
					if row.Key[slices.Index(job.Statistics[0].By, field)] != key {
						t.Errorf("where %s=%q found %q", field, key, row.Key)
					}
				}
			}
		}
	})
	for _, dump := range dumps[1:] {
		if d := cmp.Diff(dumps[0], dump); d != "" {
			t.Errorf("databases differ: %s", d)
		}
	}
}
