package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// shopText is a small job.
const shopText = `job: shop
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1h
statistics:
  sales:
    windows: [1s, 1m, 1d]
    measures:
      orders: {compute: count, where: {type: order}}
      paid: {compute: sum amount, where: {type: pay}}
  sales_by_province:
    windows: [1m, 1d]
    by: [province]
    measures:
      orders: {compute: count, where: {type: order}}
      paid: {compute: sum amount, where: {type: pay}}
`

// start is 2020-02-01 00:00 in Shanghai.
const start = 1580486400000

// Of two results of a cell the higher (repair, version) stands, and of equal
// ones the one that was there, whether they meet in memory or in the database.
func TestGuard(t *testing.T) {
	type rank struct{ repair, version, value int64 }
	tests := []struct {
		name string
		sent []rank
		want rank
	}{
		{"newer", []rank{{0, 1, 10}, {0, 2, 20}}, rank{0, 2, 20}},
		{"older", []rank{{0, 2, 20}, {0, 1, 10}}, rank{0, 2, 20}},
		{"equal", []rank{{0, 2, 20}, {0, 2, 99}}, rank{0, 2, 20}},
		{"repaired, fewer events", []rank{{0, 5, 50}, {1, 3, 30}}, rank{1, 3, 30}},
		{"repaired, same events", []rank{{0, 5, 50}, {1, 5, 51}}, rank{1, 5, 51}},
		{"after a repair, the unrepaired", []rank{{1, 3, 30}, {0, 5, 50}}, rank{1, 3, 30}},
		{"after a repair, a correction of it", []rank{{1, 3, 30}, {1, 4, 40}}, rank{1, 4, 40}},
		{"repaired twice", []rank{{1, 9, 90}, {2, 1, 10}, {1, 10, 99}}, rank{2, 1, 10}},
	}
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		l := newTopic(t)
		l.job(5, shopText)
		l.progress(liushui.Progress{Generation: 5})
		s.mustApply(t, l.records)
		for i, test := range tests {
			for j, together := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, together %v", test.name, together), func(t *testing.T) {
					day := int64(start + (2*i+j)*86400000)
					first := len(l.records)
					for _, r := range test.sent {
						l.result(liushui.Result{Statistic: "sales", Window: "1d", Start: day, Generation: 5, Repair: r.repair, Version: r.version, Values: values(r.value, r.value)})
					}
					if together {
						s.mustApply(t, l.records[first:])
					} else {
						for k := first; k < len(l.records); k++ {
							s.mustApply(t, l.records[k:k+1])
						}
					}
					rows := s.rows(t, liushui.Query{Statistic: "sales", Window: "1d", From: day, To: day + 1})
					if len(rows) != 1 {
						t.Fatalf("%d rows", len(rows))
					}
					got := rank{rows[0].Repair, rows[0].Version, rows[0].Values[0].N}
					if got != test.want || rows[0].Values[1].N != test.want.value {
						t.Errorf("got %+v, want %+v", rows[0], test.want)
					}
				})
			}
		}
	})
}

// cells makes results of few cells and many ranks, in which equal ranks have equal values.
func randomResults(l *topic, r *rand.Rand, n int) {
	generations := []int64{5, 6}
	for range n {
		result := liushui.Result{Statistic: "sales_by_province", Window: []string{"1m", "1d"}[r.IntN(2)], Start: start + r.Int64N(3)*86400000,
			Key: []string{[]string{"上海", "江苏", ""}[r.IntN(3)]}, Generation: generations[r.IntN(2)], Repair: r.Int64N(3), Version: r.Int64N(6), Late: r.Int64N(2)}
		rank := 100*result.Repair + 10*result.Version
		result.Late = rank % 7
		result.Engine = fmt.Sprintf("engine-%d", rank%3)
		result.Values = []liushui.Value{{N: rank}, {N: rank * 7, Null: rank%4 == 1}}
		l.result(result)
	}
}

// However results are ordered, doubled and cut into batches, the table is that
// of the highest rank of each cell.
func TestAnyOrderComesToTheSameTable(t *testing.T) {
	const rounds = 6
	dumps := map[int]string{}
	onEach(t, func(t *testing.T, dsn string) {
		for round := range rounds {
			r := rand.New(rand.NewPCG(1, uint64(round/3))) // every three rounds have the same results
			l := newTopic(t)
			l.job(5, shopText)
			l.progress(liushui.Progress{Generation: 5, Watermark: start})
			l.job(6, shopText+"  # another\n")
			l.progress(liushui.Progress{Generation: 6, Watermark: start - 1})
			head := len(l.records)
			randomResults(l, r, 400)
			order := rand.New(rand.NewPCG(2, uint64(round)))
			l.records = append(l.records, l.records[head:]...)
			tail := l.records[head:]
			order.Shuffle(len(tail), func(i, j int) { tail[i], tail[j] = tail[j], tail[i] })
			for i := range l.records {
				l.records[i].Offset = int64(i)
			}
			s := open(t, Config{DSN: dsn, Adopt: true})
			if err := s.Begin(t.Context(), fmt.Sprint("topic ", round), 0, 1e6); err != nil {
				t.Fatal(err)
			}
			for rest := l.records; len(rest) > 0; {
				n := min(len(rest), 1+order.IntN(200))
				s.mustApply(t, rest[:n])
				rest = rest[n:]
			}
			dump := s.dump(t, "$$first") // what a row was before depends on the order
			if held, ok := dumps[round/3]; !ok {
				dumps[round/3] = dump
				l.compare(s)
			} else if d := cmp.Diff(held, dump); d != "" {
				t.Fatalf("round %d differs: %s", round, d)
			}
		}
	})
}

// compare holds the store's tables against a plain fold of the records.
func (l *topic) compare(s *Store) {
	l.t.Helper()
	s.view(l.t, func(v liushui.Snapshot) { l.compareAt(v.(*snapshot)) })
}

func (l *topic) compareAt(v *snapshot) {
	l.t.Helper()
	want := map[string]*liushui.Result{}
	for i := range l.records {
		if liushui.KindOf(l.records[i].Key) != liushui.KindResult {
			continue
		}
		r, err := liushui.DecodeResult(l.records[i].Value, func(g int64) *liushui.Job { return l.jobs[g] })
		if err != nil {
			l.t.Fatal(err)
		}
		key := fmt.Sprint(r.Generation, string(l.records[i].Key))
		if held := want[key]; held == nil || r.Newer(held) {
			want[key] = r
		}
	}
	got := 0
	for generation, job := range l.jobs {
		for _, statistic := range job.Statistics {
			for _, w := range statistic.Windows {
				rows := v.every(l.t, generation, job, statistic.Name, w.Name)
				got += len(rows)
				for _, row := range rows {
					key := fmt.Sprint(generation, string(row.AppendKey(nil)))
					if d := cmp.Diff(want[key], &row.Result); d != "" {
						l.t.Errorf("%s differs: %s", key, d)
					}
				}
			}
		}
	}
	if got != len(want) {
		l.t.Errorf("%d rows, want %d", got, len(want))
	}
}

// every returns all rows of a generation, shown or not.
func (v *snapshot) every(t testing.TB, generation int64, job *liushui.Job, statistic, window string) []liushui.Row {
	t.Helper()
	q := liushui.Query{Statistic: statistic, Window: window}
	p, err := planQuery(v.db, &liushui.Standing{}, job, &q)
	if err != nil {
		t.Fatal(err)
	}
	p.parts = []part{{generation, 0, forever}}
	text, args := p.sql()
	rows, err := v.tx.QueryContext(t.Context(), text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []liushui.Row
	for scan := p.scanner(); rows.Next(); {
		row, err := scan(rows)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	return all
}
