package store

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"liushui"
)

// Any query finds what a plain search through all shown rows finds.
func TestRowsAgainstPlainSearch(t *testing.T) {
	const job = `job: shop
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1h
statistics:
  sales: {windows: [1m, 1h], by: [province, channel], measures: {orders: count, paid: sum amount}}
`
	provinces, channels := []string{"上海", "江苏", "", "a", "A", "a "}, []string{"app", "web", ""}
	l := newTopic(t)
	r := rand.New(rand.NewPCG(5, 6))
	l.job(5, job)
	l.progress(liushui.Progress{Generation: 5, Watermark: start + 20*minute})
	l.job(6, job)
	l.progress(liushui.Progress{Generation: 6, Watermark: start + 25*minute, CompleteFrom: start + 10*minute})
	var model []liushui.Row
	for m := range int64(40) {
		for _, p := range provinces {
			for _, c := range channels {
				if r.IntN(3) == 0 {
					continue
				}
				generation := int64(5)
				if m >= 10 {
					generation = 6
				}
				row := liushui.Row{State: liushui.Provisional, Result: liushui.Result{Statistic: "sales", Window: "1m", Start: start + m*minute, End: start + (m+1)*minute, Key: []string{p, c},
					Values:  []liushui.Value{{N: r.Int64N(5)}, {N: r.Int64N(100), Null: r.IntN(20) == 0}},
					Version: r.Int64N(9), Late: r.Int64N(2), Generation: generation, Engine: "native"}}
				if row.Values[1].Null {
					row.Values[1].N = 0
				}
				if row.End <= start+25*minute && (generation == 6 || row.End <= start+20*minute) {
					row.State = []liushui.State{liushui.Final, liushui.Corrected}[row.Late]
				}
				l.result(row.Result)
				model = append(model, row)
			}
		}
	}
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		s.mustApply(t, l.records)
		r := rand.New(rand.NewPCG(7, 8))
		found := 0
		for range 400 {
			q := randomQuery(r, provinces, channels)
			got, want := s.rows(t, q), search(model, q)
			if d := gocmp.Diff(want, got); d != "" {
				t.Fatalf("%+v: %s", q, d)
			}
			found += len(want)
		}
		if found < 1000 {
			t.Errorf("all queries together found %d rows: they test nothing", found)
		}
	})
}

func randomQuery(r *rand.Rand, provinces, channels []string) liushui.Query {
	q := liushui.Query{Statistic: "sales", Window: "1m"}
	sometimes := func(set func()) {
		if r.IntN(3) == 0 {
			set()
		}
	}
	sometimes(func() { q.From = start + r.Int64N(42)*minute - r.Int64N(2) })
	sometimes(func() { q.To = start + r.Int64N(42)*minute + r.Int64N(2) })
	sometimes(func() {
		q.Where = append(q.Where, liushui.Dimension{Name: "province", Value: provinces[r.IntN(len(provinces))]})
	})
	sometimes(func() {
		q.Where = append(q.Where, liushui.Dimension{Name: "channel", Value: channels[r.IntN(len(channels))]})
	})
	sometimes(func() { q.Top, q.By = 1+r.IntN(20), []string{"orders", "paid"}[r.IntN(2)] })
	sometimes(func() { q.Limit = 1 + r.IntN(20) })
	sometimes(func() { q.Offset = r.IntN(20) })
	sometimes(func() { q.Newest = true })
	return q
}

// search is what Query promises, the plain way.
func search(all []liushui.Row, q liushui.Query) []liushui.Row {
	var found []liushui.Row
	for _, row := range all {
		in := row.Start >= q.From && (q.To == 0 || row.Start < q.To)
		for _, w := range q.Where {
			in = in && row.Key[slices.Index([]string{"province", "channel"}, w.Name)] == w.Value
		}
		if in {
			found = append(found, row)
		}
	}
	slices.SortFunc(found, func(a, b liushui.Row) int {
		order := 0
		if q.Top > 0 {
			x, y := a.Values[slices.Index([]string{"orders", "paid"}, q.By)], b.Values[slices.Index([]string{"orders", "paid"}, q.By)]
			if x.Null != y.Null {
				if x.Null {
					return -1
				}
				return 1
			}
			order = -cmp.Compare(x.N, y.N)
		}
		starts := cmp.Compare(a.Start, b.Start)
		if q.Newest {
			starts = -starts
		}
		return cmp.Or(order, starts, slices.Compare(a.Key, b.Key))
	})
	found = found[min(q.Offset, len(found)):]
	if q.Top > 0 {
		found = found[:min(q.Top, len(found))]
	}
	if q.Limit > 0 {
		found = found[:min(q.Limit, len(found))]
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

func TestRowsRefuseWhatTheJobDoesNotHave(t *testing.T) {
	s := begun(t, Config{DSN: kinds["sqlite"](t)})
	if rows := s.rows(t, liushui.Query{Statistic: "sales", Window: "1d"}); rows != nil {
		t.Errorf("without a job: %v", rows)
	}
	l := newTopic(t)
	l.job(5, shopText)
	s.mustApply(t, l.records)
	for _, test := range []struct {
		query liushui.Query
		want  string
	}{
		{liushui.Query{Statistic: "seles", Window: "1d"}, `no statistic "seles"`},
		{liushui.Query{Statistic: "sales", Window: "1h"}, `sales has no window "1h"`},
		{liushui.Query{Statistic: "sales", Window: "1d", Top: 1}, `sales has no measure "" to order by`},
		{liushui.Query{Statistic: "sales", Window: "1d", Top: 1, By: `paid" --`}, `no measure "paid\" --"`},
		{liushui.Query{Statistic: "sales", Window: "1d", Where: []liushui.Dimension{{Name: "province", Value: "x"}}}, `sales is not grouped by "province"`},
	} {
		s.view(t, func(v liushui.Snapshot) {
			if _, err := v.Rows(t.Context(), test.query); !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v: %v, want misuse: %s", test.query, err, test.want)
			}
		})
	}
}

// A reader beside the writer never sees half of a transaction: rows, position
// and standing are of one moment.
func TestReaderBesideTheWriter(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		reader := s
		l := newTopic(t)
		l.job(5, shopText)
		l.progress(liushui.Progress{Generation: 5, Watermark: 1})
		s.mustApply(t, l.records)
		const rounds, cells = 150, 40
		done := make(chan error, 1)
		go func() {
			for n := int64(1); n <= rounds; n++ {
				first := len(l.records)
				for m := range int64(cells) {
					l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + m*minute, Generation: 5, Version: n, Values: values(n, n*7)})
				}
				l.progress(liushui.Progress{Generation: 5, Watermark: n + 1})
				if err := s.Apply(t.Context(), l.records[first:]); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		if kind := dsn[:6]; kind == "sqlite" {
			reader = open(t, Config{DSN: dsn, ReadOnly: true}) // as another process would
		}
		views, seen := 0, map[int64]bool{}
		for running := true; running; views++ {
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
				running = false
			default:
			}
			reader.view(t, func(v liushui.Snapshot) {
				rows, err := v.Rows(t.Context(), liushui.Query{Statistic: "sales", Window: "1m"})
				if err != nil {
					t.Fatal(err)
				}
				_, offset := v.Position()
				n := (offset - 2) / (cells + 1)
				if n > 0 && len(rows) != cells || v.Standing().Watermark(5) != n+1 {
					t.Fatalf("at offset %d: %d rows, watermark %d", offset, len(rows), v.Standing().Watermark(5))
				}
				for _, row := range rows {
					if row.Version != n || row.Values[1].N != n*7 {
						t.Fatalf("at offset %d, which is round %d: %+v", offset, n, row)
					}
				}
				seen[n] = true
			})
		}
		if len(seen) < 5 {
			t.Errorf("%d views saw %d rounds: reader and writer took turns", views, len(seen))
		}
	})
}

func TestRecordsThatCannotBeUsedAreCountedAndLeftOut(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		var said log
		s := begun(t, Config{DSN: dsn, Log: said.logger()})
		l := newTopic(t)
		l.job(5, shopText)
		good := func(n int64) liushui.Result {
			return liushui.Result{Statistic: "sales_by_province", Window: "1d", Start: start, End: start + day, Key: []string{"x"}, Generation: 5, Version: n, Values: values(n, n)}
		}
		l.result(good(1))
		bad, unknown := int64(0), int64(0)
		spoil := func(change func(*liushui.Result)) {
			bad++
			r := good(100)
			change(&r)
			l.result(r)
		}
		spoil(func(r *liushui.Result) { r.Window = "1h" })
		spoil(func(r *liushui.Result) { r.Start = -1 })
		spoil(func(r *liushui.Result) { r.End = r.Start })
		spoil(func(r *liushui.Result) { r.Start, r.End = 1<<60, 1<<61 })
		spoil(func(r *liushui.Result) { r.Version = -1 })
		spoil(func(r *liushui.Result) { r.Repair = -1 })
		spoil(func(r *liushui.Result) { r.Late = -2 })
		spoil(func(r *liushui.Result) { r.Key = []string{strings.Repeat("长", 129)} })
		spoil(func(r *liushui.Result) { r.Engine = strings.Repeat("e", 65) })
		for _, raw := range [][2]string{
			{`["sales","1d","0"]`, ""}, {`["sales","1d","0"]`, "{"}, {"", ""}, {"x", "{}"},
			{liushui.KeyJob, "{}"}, {liushui.KeyJob, `{"generation":9,"text":"job: x"}`}, {liushui.KeyJob, "\xff"},
			{liushui.KeyProduce, "[]"}, {liushui.ProgressKey("e"), `{"engine":"` + strings.Repeat("e", 65) + `"}`},
		} {
			bad++
			l.add(raw[0], []byte(raw[1]))
		}
		for _, change := range []func(string) string{
			func(v string) string { return strings.Replace(v, `"generation":5`, `"generation":4`, 1) },
			func(v string) string {
				return strings.Replace(v, `"statistic":"sales_by_province"`, `"statistic":"x"`, 1)
			},
		} {
			unknown++
			l.add(`["x","1d","0"]`, []byte(change(string(l.records[1].Value))))
		}
		for _, value := range []string{"null", "{}", `{"generation":5}`} {
			unknown++
			l.add(`["sales","1d","0"]`, []byte(value))
		}
		l.result(good(2))
		s.mustApply(t, l.records)
		if h := s.Health(); h.Bad != bad || h.Unknown != unknown || h.Rows != 1 {
			t.Errorf("health %+v, want %d bad, %d unknown, 1 row", h, bad, unknown)
		}
		rows := s.rows(t, liushui.Query{Statistic: "sales_by_province", Window: "1d"})
		if len(rows) != 1 || rows[0].Version != 2 {
			t.Errorf("rows %+v", rows)
		}
		if strings.Count(said.String(), "left out") != 1 || !strings.Contains(said.String(), "offset=2") {
			t.Errorf("the log says %s", said.String())
		}
		if _, next, _ := s.Position(t.Context()); next != int64(len(l.records)) {
			t.Errorf("position %d of %d", next, len(l.records))
		}
	})
}

// Records that were taken before, alone or together with new ones, change nothing.
func TestRecordsTakenTwice(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		l := newTopic(t)
		l.job(5, shopText)
		l.progress(liushui.Progress{Generation: 5, Watermark: start + minute})
		for m := range int64(5) {
			l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + m*minute, Generation: 5, Version: 1, Values: values(m, m)})
		}
		l.progress(liushui.Progress{Generation: 5, Watermark: start + 2*minute})
		s.mustApply(t, l.records)
		dump := s.dump(t)
		l.progress(liushui.Progress{Generation: 5, Watermark: start + 3*minute})
		s.mustApply(t, l.records[:3])
		s.mustApply(t, nil)
		if d := gocmp.Diff(dump, s.dump(t)); d != "" {
			t.Errorf("old records changed: %s", d)
		}
		s.mustApply(t, l.records[1:])
		if w := s.standing(t).Watermark(5); w != start+3*minute {
			t.Errorf("watermark %d", w)
		}
		if got, want := s.Health().Rows, int64(5); got != want {
			t.Errorf("%d rows written, want %d", got, want)
		}
	})
}

// Two stores on one database and topic write what one would.
func TestTwoWriters(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		l := newTopic(t)
		l.job(5, shopText)
		l.progress(liushui.Progress{Generation: 5, Watermark: start})
		r := rand.New(rand.NewPCG(9, 9))
		for range 1000 {
			m := r.Int64N(50)
			l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + m*minute, Generation: 5, Version: r.Int64N(40), Values: values(m, m)})
		}
		stores := []*Store{begun(t, Config{DSN: dsn}), open(t, Config{DSN: dsn})}
		done := make(chan error, 2)
		for i, s := range stores {
			go func() {
				for rest := l.records; len(rest) > 0; {
					n := min(len(rest), 17+3*i)
					if err := s.Apply(t.Context(), rest[:n]); err != nil {
						done <- fmt.Errorf("store %d: %w", i, err)
						return
					}
					rest = rest[n:]
				}
				done <- nil
			}()
		}
		for range stores {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		l.compare(stores[0])
	})
}
