package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// corrected is a correction in short: window, start in minutes after the day's,
// key, first and present values, when it changed first and last.
func (s *Store) corrected(t *testing.T, q liushui.Query) (all []string) {
	t.Helper()
	s.view(t, func(v liushui.Snapshot) {
		found, err := v.Corrections(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range found {
			all = append(all, fmt.Sprintf("%s %d%s: %s@%d, %s@%d late %d repair %d, at %d and %d", c.Window, (c.Start-start)/60_000, c.Key,
				short(c.First), c.FirstVersion, short(c.Values), c.Version, c.Late, c.Repair, c.At, c.Changed))
		}
	})
	return all
}

func short(values []liushui.Value) string {
	text := ""
	for _, v := range values {
		if v.Null {
			text += "null "
		} else {
			text += fmt.Sprint(v.N, " ")
		}
	}
	return text[:len(text)-1]
}

// TestCorrections keeps what a row was when it was final, whether that and what
// changed it come together, one by one, or twice.
func TestCorrections(t *testing.T) {
	sent := func(l *topic) {
		minute := func(at, version, late, repair, orders int64, clock int64) {
			l.result(liushui.Result{Statistic: "sales_by_province", Window: "1m", Start: start + at*60_000, Generation: 5, Version: version, Late: late, Repair: repair,
				Key: []string{"上海"}, Values: []liushui.Value{{N: orders}, {N: 10 * orders}}})
			l.records[len(l.records)-1].Time = clock
		}
		minute(0, 1, 0, 0, 1, 100) // in time, and never changed
		minute(1, 1, 0, 0, 1, 200)
		minute(1, 2, 0, 0, 2, 300) // final
		minute(1, 3, 1, 0, 3, 400) // corrected
		minute(1, 4, 2, 0, 4, 500) // and once more
		minute(2, 1, 1, 0, 1, 600) // nothing had been in time
		minute(3, 5, 0, 0, 5, 700)
		minute(3, 4, 0, 1, 4, 800)  // repaired
		minute(4, 2, 1, 0, 2, 900)  // of this one the first form was never seen
		minute(0, 1, 0, 0, 1, 1000) // sent again
	}
	want := []string{
		"1m 3[上海]: 5 50@5, 4 40@4 late 0 repair 1, at 800 and 800",
		"1m 2[上海]: 0 0@0, 1 10@1 late 1 repair 0, at 600 and 600",
		"1m 1[上海]: 2 20@2, 4 40@4 late 2 repair 0, at 400 and 500",
	}
	onEach(t, func(t *testing.T, dsn string) {
		for at, size := range []int{1, 2, 3, 100} {
			s := open(t, Config{DSN: dsn, Adopt: true})
			if err := s.Begin(t.Context(), fmt.Sprint("topic ", at), 0, 1<<40); err != nil {
				t.Fatal(err)
			}
			l := newTopic(t)
			l.job(5, shopText)
			l.progress(liushui.Progress{Generation: 5, Watermark: start + 3_600_000})
			sent(l)
			sent(l) // an engine that crashed sends what it sent before
			for rest := l.records; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				s.mustApply(t, rest[:min(size, len(rest))])
			}
			if diff := cmp.Diff(want, s.corrected(t, liushui.Query{Statistic: "sales_by_province"})); diff != "" {
				t.Errorf("%d at a time: %s", size, diff)
			}
			for name, q := range map[string]liushui.Query{
				"limit":  {Statistic: "sales_by_province", Limit: 1},
				"range":  {Statistic: "sales_by_province", Window: "1m", From: start + 180_000, To: start + 240_000},
				"where":  {Statistic: "sales_by_province", Window: "1m", From: start + 180_000, Where: []liushui.Dimension{{Name: "province", Value: "上海"}}},
				"window": {Statistic: "sales_by_province", Window: "1m", Limit: 1},
			} {
				if diff := cmp.Diff(want[:1], s.corrected(t, q)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
			for _, q := range []liushui.Query{{Statistic: "sales"}, {Statistic: "sales_by_province", Window: "1d"}, {Statistic: "sales_by_province", Where: []liushui.Dimension{{Name: "province", Value: "江苏"}}}} {
				if got := s.corrected(t, q); got != nil {
					t.Errorf("%+v has %q", q, got)
				}
			}
		}
	})
}

// TestCorrectionsGoWithTheirRows drops them by age and by generation.
func TestCorrectionsGoWithTheirRows(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn, Keep: map[string]time.Duration{"1m": time.Hour}})
		l := newTopic(t)
		result := func(generation, at, version, late int64) {
			l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + at*60_000, Generation: generation, Version: version, Late: late, Values: values(version, version)})
		}
		l.job(5, shopText)
		l.progress(liushui.Progress{Generation: 5, Watermark: start + 600_000})
		for at := range int64(5) {
			result(5, at, 1, 0)
			result(5, at, 2, 1)
		}
		s.mustApply(t, l.records)
		if got := s.corrected(t, liushui.Query{Statistic: "sales"}); len(got) != 5 {
			t.Fatalf("%q", got)
		}
		first := len(l.records)
		l.progress(liushui.Progress{Generation: 5, Watermark: start + 3_600_000 + 180_000})
		result(5, 100, 1, 0)
		s.mustApply(t, l.records[first:])
		if got := s.corrected(t, liushui.Query{Statistic: "sales"}); len(got) != 2 {
			t.Errorf("an hour and three minutes later: %q, want two", got)
		}
		if n := count(t, s, "sales$$$first"); n != 2 {
			t.Errorf("%d first rows are held", n)
		}
		first = len(l.records)
		l.job(6, shopText+"  # another\n")
		result(6, 3, 3, 0)
		l.progress(liushui.Progress{Generation: 6, Watermark: start + 7_200_000})
		s.mustApply(t, l.records[first:])
		if got, n := s.corrected(t, liushui.Query{Statistic: "sales"}), count(t, s, "sales$$$first"); got != nil || n != 0 {
			t.Errorf("in the next generation: %q, and %d rows are held", got, n)
		}
	})
}

func count(t *testing.T, s *Store, table string) (n int) {
	t.Helper()
	if err := s.read.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+s.db.quote(table)).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCorrectionsOfOldStores reads a database that was made before first rows
// were kept, and then lets the store go on with it.
func TestCorrectionsOfOldStores(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		l := newTopic(t)
		l.job(5, shopText)
		l.progress(liushui.Progress{Generation: 5, Watermark: start + 600_000})
		row := liushui.Result{Statistic: "sales", Window: "1m", Start: start, Generation: 5, Version: 2, Late: 1, Values: values(2, 2)}
		l.result(row)
		s.mustApply(t, l.records)
		for _, table := range []string{"sales$$$first", "sales_by_province$province$$first"} {
			if _, err := s.write.Exec("DROP TABLE " + s.db.quote(table)); err != nil {
				t.Fatal(err)
			}
		}
		again := open(t, Config{DSN: dsn, ReadOnly: true})
		if got := again.corrected(t, liushui.Query{Statistic: "sales"}); got != nil {
			t.Errorf("%q", got)
		}
		again = open(t, Config{DSN: dsn})
		if err := again.Begin(t.Context(), "topic-1", 0, 1<<40); err != nil {
			t.Fatal(err)
		}
		first := len(l.records)
		row.Version, row.Late = 3, 2 // what it was when it was final is not known
		l.result(row)
		other := row
		other.Start, other.Version, other.Late = start+60_000, 1, 0
		l.result(other)
		other.Version, other.Late = 2, 1
		l.result(other)
		again.mustApply(t, l.records[first:])
		if got := again.corrected(t, liushui.Query{Statistic: "sales"}); len(got) != 1 {
			t.Errorf("%q, want the newer one", got)
		}
	})
}
