package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// fill folds events and remembers their ids, as an engine does.
func fill(tb testing.TB, s *state, values [][]byte) {
	tb.Helper()
	d := newDecoder(s.table.plan)
	f := newFolder(s.table.plan, s.table)
	for _, value := range values {
		e := new(event)
		if err := d.decode(value, e); err != nil {
			tb.Fatal(err)
		}
		s.ids.add(e.entry, none)
		f.fold(e, none)
		s.account.Read++
		s.account.Counted++
	}
	f.settle(none)
	for _, w := range f.take() {
		w.cell.dirty = false
	}
}

func newState(tb testing.TB) *state {
	job := shop(tb)
	p := compile(job)
	return &state{number: 1, jobHash: job.Hash(), topicID: "t", resultsID: "r", generation: 7, completeFrom: none, watermark: none, newest: 5,
		partitions: map[int32]partition{0: {from: 2, offset: 3, newest: 4, passed: 5, first: none}}, table: newTable(p), ids: &idSet{}}
}

// results are all cells as text.
func results(t *table) map[string]string {
	all := map[string]string{}
	for c := range t.all() {
		var r liushui.Result
		t.result(c, 1, engineName, &r)
		all[string(r.AppendKey(nil))] = string(r.AppendValue(nil, c.stat.Statistic))
	}
	return all
}

func onDisk(tb testing.TB) directory { return directory{osDisk{}, tb.TempDir()} }

func keep(tb testing.TB, dir directory, s *state) {
	tb.Helper()
	v := &saving{state: s}
	pages := dir.save(v, s.ids.added, 3_600_000)
	s.table.encode(pages)
	close(pages)
	if err := <-v.done; err != nil {
		tb.Fatal(err)
	}
	s.ids.added = nil
}

func TestCheckpointHoldsEverything(t *testing.T) {
	dir, s := onDisk(t), newState(t)
	fill(t, s, benchEvents(5000))
	keep(t, dir, s)
	back, err := restore(dir, s.table.plan, func(path string, err error) { t.Fatalf("%s: %v", path, err) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(results(s.table), results(back.table)); diff != "" {
		t.Error(diff)
	}
	if back.ids.size() != s.ids.size() || back.account != s.account || back.partitions[0] != s.partitions[0] {
		t.Errorf("restored %d ids, %+v, %+v", back.ids.size(), back.account, back.partitions)
	}
	for i := range 5000 {
		if back.ids.add(newEntry(fmt.Appendf(nil, "e%012d", i), 1_760_000_000_000), none) {
			t.Fatalf("id %d is forgotten", i)
		}
	}
}

// Whatever byte of the newest checkpoint or of its ids is damaged, the one
// before it is taken, never a wrong state.
func TestDamagedCheckpoint(t *testing.T) {
	dir, first := onDisk(t), newState(t)
	fill(t, first, benchEvents(50))
	keep(t, dir, first)
	want := results(first.table)
	second := newState(t)
	fill(t, second, benchEvents(300))
	second.number, second.ids = 2, &idSet{}
	apart := onDisk(t)
	keep(t, apart, second)
	whole, err := apart.read(apart.checkpoint(2))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		damaged := bytes.Clone(whole)
		switch random.IntN(3) {
		case 0:
			damaged = damaged[:random.IntN(len(damaged))]
		default:
			damaged[random.IntN(len(damaged))] ^= 1 << random.IntN(8)
		}
		if err := os.WriteFile(dir.checkpoint(2), damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		warned := 0
		back, err := restore(dir, first.table.plan, func(string, error) { warned++ })
		if err != nil {
			t.Fatal(err)
		}
		if warned != 1 || back.state.number != 1 {
			t.Fatalf("a damaged checkpoint was taken: number %d, %d warnings", back.state.number, warned)
		}
		if diff := cmp.Diff(want, results(back.table)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestDamagedIDs(t *testing.T) {
	dir, s := onDisk(t), newState(t)
	fill(t, s, benchEvents(50))
	keep(t, dir, s)
	path := dir.segment(1)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[17] ^= 4
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if back, err := restore(dir, s.table.plan, func(string, error) {}); err == nil {
		t.Errorf("damaged ids were taken: %+v", back)
	}
}

// A job whose statistics and measures stand in another order is the same job, and
// takes its checkpoint.
func TestCheckpointOfAReorderedJob(t *testing.T) {
	parse := func(statistics string) *liushui.Job {
		job, err := liushui.ParseJob("j", "job: j\nzone: UTC\ncurrency: EUR\nlateness: 1s\ncorrections: 1m\nstatistics: {"+statistics+"}")
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	job := parse("a: {windows: [1m], measures: {n: count, pays: {compute: count, where: {type: pay}}}}, b: {windows: [1m, 1h], by: [province], measures: {paid: sum amount, users: distinct user}}")
	reordered := parse("b: {windows: [1h, 1m], by: [province], measures: {users: distinct user, paid: sum amount}}, a: {windows: [1m], measures: {pays: {compute: count, where: {type: pay}}, n: count}}")
	if job.Hash() != reordered.Hash() {
		t.Fatal("the jobs are not the same")
	}
	dir, s := onDisk(t), newState(t)
	s.jobHash, s.table = job.Hash(), newTable(compile(job))
	fill(t, s, benchEvents(500))
	keep(t, dir, s)
	back, err := restore(dir, compile(reordered), func(path string, err error) { t.Fatalf("%s: %v", path, err) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(values(t, results(s.table)), values(t, results(back.table))); diff != "" {
		t.Error(diff)
	}
}

// values are results by key and measure.
func values(t *testing.T, results map[string]string) map[string]any {
	all := map[string]any{}
	for key, text := range results {
		var r struct{ Values map[string]json.Number }
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		all[key] = r.Values
	}
	return all
}

func TestCheckpointOfAnotherJob(t *testing.T) {
	dir, s := onDisk(t), newState(t)
	keep(t, dir, s)
	other, err := liushui.ParseJob("other", "job: other\nzone: UTC\ncurrency: EUR\nlateness: 1s\ncorrections: 1m\nstatistics: {a: {windows: [1m], measures: {n: count}}}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := restore(dir, compile(other), func(string, error) {}); err != errOtherJob {
		t.Errorf("error %v, want %v", err, errOtherJob)
	}
}

// A journal cut anywhere gives its whole entries, and goes on behind them.
func TestTornJournal(t *testing.T) {
	dir := onDisk(t)
	j, err := dir.createJournal(1)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int64
	for i := range int64(20) {
		if err := j.append(journalEntry{watermark: i - 3, after: i, ends: map[int32]int64{0: i, 3: 2 * i}}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir.journal(1))
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(dir.journal(1))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		if err := os.WriteFile(dir.journal(1), whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		entries, size, err := dir.readJournal(1)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for want < len(sizes) && sizes[want] <= int64(cut) {
			want++
		}
		if len(entries) != want || want > 0 && size != sizes[want-1] {
			t.Fatalf("cut at %d: %d entries of %d bytes, want %d", cut, len(entries), size, want)
		}
	}
	entries, _, err := dir.readJournal(1)
	if err != nil || len(entries) == 0 || entries[4].watermark != 1 || entries[4].ends[3] != 8 {
		t.Errorf("entries %v, error %v", entries, err)
	}
}

// FuzzDecodeState: no bytes make the checkpoint's reader panic.
func FuzzDecodeState(f *testing.F) {
	s := newState(f)
	fill(f, s, benchEvents(20))
	pages := make(chan []byte, 1) // all fits into one
	s.table.encode(pages)
	cells, p := <-pages, s.table.plan
	if err := newTable(p).decode(&reader{b: cells}); err != nil {
		f.Fatal(err)
	}
	f.Add(cells)
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = newTable(p).decode(&reader{b: body})
		_, _ = restoreSketch(body)
		_, _ = parseEntry(body)
	})
}
