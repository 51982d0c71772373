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
		b := newBoard()
		b.next = -1
		apply(t, b, append(shuffled, shuffled...)) // and twice
		if diff := cmp.Diff(string(want), string(shownBoard(t, b, now))); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}
