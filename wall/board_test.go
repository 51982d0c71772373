package wall

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", path, diff)
	}
}

// evening is where the golden records are set.
var evening = time.Date(2020, 2, 29, 23, 59, 20, 0, shanghai).UnixMilli()

// goldenTopic is a minute over midnight, with a late order that corrects
// the day before.
func goldenTopic(t *testing.T) []liushui.Record {
	l := newLine(t, evening)
	l.sendJob()
	l.progress()
	for second := range int64(12) {
		l.clock = evening + second*1000
		l.busy(uint64(second), l.clock-200, 2)
		l.progress()
	}
	l.clock = evening + 50_000
	l.busy(99, l.clock-900, 5)
	l.fold(liushui.Event{ID: "late", Type: "order", Time: evening + 5000, User: "u1", Order: "late", Amount: 1_787_600, HasAmount: true})
	l.progress()
	return slices.DeleteFunc(l.take(), func(r liushui.Record) bool { // some of what the wall passes by is enough
		return bytes.HasPrefix(r.Key, []byte(`["activity_by_`)) || bytes.Contains(r.Key, []byte(`","1s"`)) && bytes.HasPrefix(r.Key, []byte(`["activity"`)) ||
			bytes.HasPrefix(r.Key, []byte(`["sales_by_`)) && !bytes.HasPrefix(r.Key, []byte(`["sales_by_category`)) && !bytes.HasPrefix(r.Key, []byte(`["sales_by_province"`))
	})
}

type goldenRecord struct {
	Time  int64           `json:"time"`
	Key   json.RawMessage `json:"key"`
	Value json.RawMessage `json:"value"`
}

func readGoldenTopic(t testing.TB) []liushui.Record {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var records []liushui.Record
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r goldenRecord
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, liushui.Record{Offset: int64(len(records)), Time: r.Time, Key: r.Key, Value: r.Value})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

func TestGoldenTopic(t *testing.T) {
	var text []byte
	for _, r := range goldenTopic(t) {
		line, err := json.Marshal(goldenRecord{r.Time, r.Key, r.Value})
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	golden(t, "results.jsonl", text)
}

// apply gives records to a board and fails on any that it cannot read.
func apply(t testing.TB, b *board, records []liushui.Record) {
	t.Helper()
	for i := range records {
		if err := b.apply(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// shownBoard is the whole board as a viewer gets it, indented.
func shownBoard(t testing.TB, b *board, now int64) []byte {
	t.Helper()
	h := &hub{epoch: "e", build: "b"}
	a := &artist{hub: h, curve: &curve{}}
	c := b.drawCurve(&curve{})
	a.publish(now, b.draw(now, 0, storeState{word: "none"}, []orderView{}), c)
	_, data, ok := bytes.Cut(h.newest.Load().snapshot.plain(), []byte("\ndata: "))
	if !ok {
		t.Fatal("no data in a snapshot")
	}
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(data), "", " "); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

func TestBoardFromGoldenRecords(t *testing.T) {
	b := newBoard()
	records := readGoldenTopic(t)
	apply(t, b, records)
	golden(t, "board.json", shownBoard(t, b, records[len(records)-1].Time+1000))
}

func TestOrderOfResultsDoesNotMatter(t *testing.T) {
	records := readGoldenTopic(t)
	now := records[len(records)-1].Time + 1000
	straight := newBoard()
	apply(t, straight, records)
	want := shownBoard(t, straight, now)
	for seed := range uint64(20) {
		shuffled := slices.Clone(records)
		results := shuffled[1 : len(shuffled)-1] // between the job and the last progress
		rand.New(rand.NewPCG(seed, 7)).Shuffle(len(results), func(i, j int) {
			if liushui.KindOf(results[i].Key) == liushui.KindResult && liushui.KindOf(results[j].Key) == liushui.KindResult {
				results[i], results[j] = results[j], results[i]
			}
		})
		shuffled = append(shuffled, shuffled...) // and twice
		for i := range shuffled {
			shuffled[i].Offset = int64(i)
		}
		b := newBoard()
		apply(t, b, shuffled)
		if diff := cmp.Diff(string(want), string(shownBoard(t, b, now))); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

func TestJobWithoutTheWallsStatistics(t *testing.T) {
	const head = "job: own\nzone: America/New_York\ncurrency: USD\nlateness: 10s\ncorrections: 1h\nstatistics:\n"
	for name, statistics := range map[string]string{
		"none of them":          "  clicks: {windows: [1m], by: [page], measures: {n: count}}\n",
		"other groups":          "  sales: {windows: [1s, 1d], by: [brand], measures: {orders: count}}\n  activity: {windows: [1d], measures: {events: count}}\n  sales_by_category: {windows: [1d], measures: {orders: count}}\n  sales_by_province: {windows: [1d], by: [province, brand], measures: {orders: count}}\n",
		"other measures":        "  sales: {windows: [1s, 1m, 1d], measures: {paid: count, orders: sum amount}}\n  activity: {windows: [1d], by: [type], measures: {n: count}}\n",
		"without days":          "  sales: {windows: [1m], measures: {orders: count}}\n",
		"days only":             "  sales: {windows: [1d], measures: {orders: count}}\n",
		"no users in activity":  "  activity: {windows: [1d], by: [type], measures: {events: count}}\n",
		"provinces and no days": "  sales_by_province: {windows: [1m], by: [province], measures: {orders: count}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLineOf(t, evening, head+statistics)
			l.sendJob()
			for second := range int64(5) {
				l.clock += 1000
				l.busy(uint64(second), l.clock, 5)
				l.progress()
			}
			records := l.take()
			store := &memory{}
			store.take(t, records)
			w := newWall(t, Config{History: store})
			load(t, w)
			loaded := frameOf(t, w)
			b := newBoard()
			apply(t, b, records)
			var board struct {
				Job    jobView
				State  stateView
				Today  *struct{ Values map[string]any }
				Curve  struct{ Points []any }
				Funnel []stepView
			}
			if err := json.Unmarshal(shownBoard(t, b, l.clock), &board); err != nil {
				t.Fatal(err)
			}
			if board.Job.Name != "own" || board.State.Newest != l.newest {
				t.Errorf("board: %+v", board)
			}
			if want := name == "other measures" || name == "days only"; want != (board.Today != nil) {
				t.Errorf("today: %+v", board.Today)
			}
			if name == "other measures" && (board.Today.Values["paid"] != nil || board.Today.Values["orders"] != nil || len(board.Curve.Points) == 0) {
				t.Errorf("measures of another kind are shown as if they were the wall's: %+v", board.Today)
			}
			if name == "no users in activity" && len(board.Funnel) != len(funnelSteps) {
				t.Errorf("funnel: %+v", board.Funnel)
			}
			if got := string(loaded["today"]); (got == "null") != (board.Today == nil) {
				t.Errorf("loaded from a store, today is %s", got)
			}
		})
	}
}

func TestPartsAddUpToTheWhole(t *testing.T) {
	l := newLine(t, evening)
	l.sendJob()
	l.busy(1, evening, 500)
	l.progress()
	b := newBoard()
	apply(t, b, l.take())
	_, d, s := b.todayDay()
	whole := s.sales.read(d.sales)
	for name, parts := range map[string][]rankView{"categories": categories(d, s), "provinces": provinces(d, s)} {
		var sum total
		for i := range parts {
			sum.add(&parts[i].Values)
		}
		want := whole
		want[fBuyers].Null, want[fBuyers].N = true, 0
		if diff := cmp.Diff(want, sum.figures()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	list := categories(d, s)
	if len(list) != topCategories+1 || list[topCategories].Name != otherCategories {
		t.Errorf("categories: %+v", list)
	}
	if !slices.IsSortedFunc(list[:topCategories], func(a, b rankView) int { return int(b.Values[fPaid].N - a.Values[fPaid].N) }) {
		t.Errorf("not by paid: %+v", list)
	}
}

func TestTooLargeIsNull(t *testing.T) {
	l := newLine(t, evening)
	l.sendJob()
	l.busy(1, evening, 50)
	for _, c := range l.cells {
		for i, m := range c.statistic.Measures {
			if m.Name == "paid" {
				c.result.Values[i] = liushui.Value{Null: true}
			}
			if m.Name == "buyers" {
				c.result.Values[i].N = 301
			}
		}
	}
	l.progress()
	b := newBoard()
	apply(t, b, l.take())
	v := b.todayView(b.todayDay())
	if !v.Values[fPaid].Null || !v.Values[fNet].Null || v.Values[fOrdered].Null || !v.Approx {
		t.Errorf("today: %+v", v)
	}
	if text, _ := json.Marshal(v.Values); !bytes.Contains(text, []byte(`"paid":null,`)) {
		t.Errorf("values: %s", text)
	}
}

func TestIncompleteGeneration(t *testing.T) {
	l := newLine(t, evening)
	l.sendJob()
	from := evening + 3000
	for second := range int64(6) {
		l.clock += 1000
		l.busy(uint64(second), evening+second*1000, 5)
		l.progress(func(p *liushui.Progress) { p.CompleteFrom = from })
	}
	records := slices.DeleteFunc(l.take(), func(r liushui.Record) bool { // it sends complete windows only
		var v struct{ Start int64 }
		return liushui.KindOf(r.Key) == liushui.KindResult && json.Unmarshal(r.Value, &v) == nil && v.Start < from
	})
	b := newBoard()
	b.next = -1
	apply(t, b, records)
	var board struct {
		State stateView
		Today struct {
			Date   string
			State  string
			Values map[string]any
		}
		Curve struct{ Points []struct{ T int64 } }
	}
	if err := json.Unmarshal(shownBoard(t, b, l.clock), &board); err != nil {
		t.Fatal(err)
	}
	if board.State.CompleteFrom != from || len(board.Curve.Points) != 3 || board.Curve.Points[0].T != from {
		t.Errorf("%+v", board)
	}
	if board.Today.Date != "2020-02-29" || board.Today.Values["paid"] != nil {
		t.Errorf("a day that is not complete has figures: %+v", board.Today)
	}
}

func FuzzApply(f *testing.F) {
	for _, r := range readGoldenTopic(f)[:60] {
		f.Add(r.Key, r.Value)
	}
	f.Add([]byte(`["sales","1s","x"]`), []byte(`{}`))
	f.Add([]byte(`["`), []byte(`null`))
	job := newLine(f, evening)
	job.sendJob()
	begun := newBoard()
	apply(f, begun, job.take())
	f.Fuzz(func(t *testing.T, key, value []byte) {
		b := newBoard()
		b.standing = begun.standing.Clone()
		b.observed(liushui.KindJob)
		_ = b.apply(&liushui.Record{Offset: 1, Key: key, Value: value}) // may refuse, must not panic
		b.draw(evening, 0, storeState{}, nil)
		b.drawCurve(&curve{})
	})
}

// BenchmarkApply is the cost of a record of the results topic: of one that has a
// place on the wall, and of one that has none.
func BenchmarkApply(b *testing.B) {
	records := readGoldenTopic(b)
	for name, want := range map[string]bool{"shown": true, "passed by": false} {
		b.Run(name, func(b *testing.B) {
			held := newBoard()
			apply(b, held, records)
			some := slices.DeleteFunc(slices.Clone(records), func(r liushui.Record) bool {
				return liushui.KindOf(r.Key) != liushui.KindResult || held.wants(r.Key) != want
			})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := held.apply(&some[i%len(some)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFrame is the cost of a frame of a full board in which everything
// changed: drawn, as JSON, and deflated.
func BenchmarkFrame(b *testing.B) {
	l := newLine(b, evening)
	l.sendJob()
	for second := range int64(curveKeep) {
		l.clock = evening + second*1000
		l.busy(uint64(second), l.clock, 5)
		l.progress()
	}
	held := newBoard()
	apply(b, held, l.take())
	a := &artist{hub: &hub{}, curve: &curve{}}
	b.Run("changed", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			l.busy(uint64(i), l.clock, 5)
			l.clock += 500
			l.progress()
			apply(b, held, l.take())
			b.StartTimer()
			a.publish(l.clock, held.draw(l.clock, 0, storeState{}, nil), held.drawCurve(a.curve))
			a.hub.newest.Load().tick.deflated()
		}
		b.ReportMetric(float64(len(a.hub.newest.Load().tick.plain())), "tick-bytes")
		b.ReportMetric(float64(len(a.hub.newest.Load().tick.deflated())), "tick-gzip-bytes")
	})
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			a.publish(l.clock, held.draw(l.clock, 0, storeState{}, nil), held.drawCurve(a.curve))
			a.hub.newest.Load().snapshot.deflated()
		}
		b.ReportMetric(float64(len(a.hub.newest.Load().snapshot.plain())), "snapshot-bytes")
		b.ReportMetric(float64(len(a.hub.newest.Load().snapshot.deflated())), "snapshot-gzip-bytes")
	})
}

// A feed without money is ranked by its payments, not by name.
func TestRankingWithoutMoney(t *testing.T) {
	few, many, none := figures{}, figures{}, figures{}
	few[fPayments].N, many[fPayments].N = 3, 40
	none[fPaid].Null = true
	list := []figures{none, few, many}
	slices.SortFunc(list, func(x, y figures) int { return x.heavier(&y) })
	if list[0] != many || list[1] != few {
		t.Errorf("ranked %v", list)
	}
}
