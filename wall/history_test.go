package wall

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"liushui"
)

// memory is a store in memory.
type memory struct {
	mu       sync.Mutex
	standing liushui.Standing
	cells    map[string]*liushui.Result
	position int64
	broken   error
	asked    []liushui.Query

	corrections      []liushui.Correction
	askedCorrections []liushui.Query
}

func (m *memory) take(t testing.TB, records []liushui.Record) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cells == nil {
		m.cells = map[string]*liushui.Result{}
	}
	for _, r := range records {
		m.position = r.Offset + 1
		if kind := liushui.KindOf(r.Key); kind != liushui.KindResult {
			if err := m.standing.Observe(kind, r.Value); err != nil {
				t.Fatal(err)
			}
			continue
		}
		result, err := liushui.DecodeResult(r.Value, m.standing.Job)
		if err != nil {
			t.Fatal(err)
		}
		key := string(r.Key) + " " + time.UnixMilli(result.Generation).String()
		if held := m.cells[key]; held == nil || result.Newer(held) {
			m.cells[key] = result
		}
	}
}

func (m *memory) View(ctx context.Context, read func(liushui.Snapshot) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	return read((*memorySnapshot)(m))
}

type memorySnapshot memory

func (m *memorySnapshot) Position() (string, int64) {
	if m.position == 0 {
		return "", 0
	}
	return "results", m.position
}

func (m *memorySnapshot) Retries(context.Context) (int64, error) { return 3, nil }

func (m *memorySnapshot) Standing() *liushui.Standing { return &m.standing }

func (m *memorySnapshot) Rows(_ context.Context, q liushui.Query) ([]liushui.Row, error) {
	m.asked = append(m.asked, q)
	_, job := m.standing.Current()
	s := job.Statistic(q.Statistic)
	var rows []liushui.Row
	for _, r := range m.cells {
		if r.Statistic != q.Statistic || r.Window != q.Window || r.Start < q.From || q.To != 0 && r.Start >= q.To || r.Generation != m.standing.Shown(r.Start) {
			continue
		}
		if slices.ContainsFunc(q.Where, func(d liushui.Dimension) bool { return r.Key[slices.Index(s.By, d.Name)] != d.Value }) {
			continue
		}
		rows = append(rows, liushui.Row{Result: *r, State: m.standing.State(r)})
	}
	by := slices.IndexFunc(s.Measures, func(m liushui.Measure) bool { return m.Name == q.By })
	slices.SortFunc(rows, func(a, b liushui.Row) int {
		start := cmp.Compare(a.Start, b.Start)
		if q.Newest {
			start = -start
		}
		if by >= 0 {
			start = cmp.Compare(b.Values[by].N, a.Values[by].N)
		}
		return cmp.Or(start, slices.Compare(a.Key, b.Key))
	})
	if q.Top > 0 {
		rows = rows[:min(q.Top, len(rows))]
	}
	if q.Limit > 0 {
		rows = rows[:min(q.Limit, len(rows))]
	}
	return rows, nil
}

func (m *memorySnapshot) Corrections(_ context.Context, q liushui.Query) ([]liushui.Correction, error) {
	m.askedCorrections = append(m.askedCorrections, q)
	found := slices.DeleteFunc(slices.Clone(m.corrections), func(c liushui.Correction) bool { return q.Window != "" && c.Window != q.Window })
	return found[:min(len(found), q.Limit)], nil
}

// frameOf is the newest frame's sections.
func frameOf(t testing.TB, w *Wall) map[string]json.RawMessage {
	t.Helper()
	w.tick()
	_, data, _ := strings.Cut(string(w.hub.newest.Load().snapshot.plain()), "\ndata: ")
	var sections map[string]json.RawMessage
	if err := json.Unmarshal([]byte(data), &sections); err != nil {
		t.Fatal(err)
	}
	return sections
}

// same compares the sections of two walls, but for those that differ by nature.
func same(t testing.TB, want, got map[string]json.RawMessage, but ...string) {
	t.Helper()
	for name := range want {
		if slices.Contains(append(but, "now", "seq", "epoch", "health"), name) {
			continue
		}
		if diff := gocmp.Diff(string(want[name]), string(got[name])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func newWall(t testing.TB, c Config) *Wall {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func load(t testing.TB, w *Wall) int64 {
	t.Helper()
	_, offset, err := w.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

func TestLoadedBoardEqualsFollowedBoard(t *testing.T) {
	records := readGoldenTopic(t)
	followed := newWall(t, Config{History: &memory{}})
	if offset := load(t, followed); offset != 0 {
		t.Fatalf("an empty store has the position %d", offset)
	}
	followed.Apply(records)
	want := frameOf(t, followed)
	if !strings.Contains(string(want["state"]), `"history":"ok"`) {
		t.Errorf("a wall that followed from the start says %s", want["state"])
	}
	for _, taken := range []int{1, 3, 40, len(records) / 2, len(records) - 2, len(records)} {
		store := &memory{}
		store.take(t, records[:taken])
		loaded := newWall(t, Config{History: store})
		offset := load(t, loaded)
		if offset != int64(taken) {
			t.Fatalf("position %d, want %d", offset, taken)
		}
		loaded.Apply(records[offset:])
		same(t, want, frameOf(t, loaded))
	}
}

func TestLogThatLostItsStart(t *testing.T) {
	records := readGoldenTopic(t)
	for _, c := range []struct {
		name   string
		store  *memory
		stored int
		follow int
		want   string
	}{
		{"no store, whole log", nil, 0, 0, "missing"},
		{"empty store, whole log", &memory{}, 0, 0, "ok"},
		{"empty store, cut log", &memory{}, 0, 30, "missing"},
		{"store, log goes on", &memory{}, 30, 30, "ok"},
		{"store, log goes on later", &memory{}, 30, 31, "missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := Config{}
			if c.store != nil {
				c.store.take(t, records[:c.stored])
				config.History = c.store
			}
			w := newWall(t, config)
			load(t, w)
			w.Apply(records[c.follow:])
			if got := string(frameOf(t, w)["state"]); !strings.Contains(got, `"history":"`+c.want+`"`) {
				t.Errorf("the state is %s, want history %s", got, c.want)
			}
		})
	}
}

func TestGapInTheMiddleOfTheLog(t *testing.T) {
	records := readGoldenTopic(t)
	w := newWall(t, Config{History: &memory{}})
	load(t, w)
	for _, c := range []struct {
		from, to int
		want     string
	}{{0, 20, "ok"}, {10, 30, "ok"}, {30, 31, "ok"}, {32, 40, "missing"}} {
		w.Apply(records[c.from:c.to])
		if got := string(frameOf(t, w)["state"]); !strings.Contains(got, `"history":"`+c.want+`"`) {
			t.Errorf("after records %d to %d the state is %s, want history %s", c.from, c.to, got, c.want)
		}
	}
}

func TestLoadNamesTheStoresError(t *testing.T) {
	away := errors.New("database is away")
	w := newWall(t, Config{History: &memory{broken: away}})
	if _, _, err := w.Load(t.Context()); !errors.Is(err, away) {
		t.Errorf("error %v, want one that wraps %v", err, away)
	}
}

func TestNewGenerationIsShownOnceItHasCaughtUp(t *testing.T) {
	old := newLine(t, evening)
	old.sendJob()
	old.busy(1, evening, 30)
	old.clock = evening + 1000
	old.progress()
	again := newLine(t, evening+60_000)
	again.offset = old.offset
	again.sendJob()
	again.fold(liushui.Event{ID: "first", Type: "pay", Time: evening - 100_000, Amount: 10_000, HasAmount: true})
	again.progress()
	first := append(old.take(), again.take()...)
	again.busy(1, evening, 40)
	again.clock += 100_000
	again.progress()
	second := again.take()

	for _, withStore := range []bool{false, true} {
		store := &memory{}
		store.take(t, first) // what it held of the new generation was not shown, so not loaded
		config := Config{}
		if withStore {
			config.History = store
		}
		w := newWall(t, config)
		if from := load(t, w); !withStore || from == 0 {
			w.Apply(first)
		}
		before := frameOf(t, w)
		if !strings.Contains(string(before["health"]), `"read":30`) || strings.Contains(string(before["curve"]), `"t":1582991860000`) {
			t.Fatalf("store %t: before it has caught up, the new generation is shown: %.300s", withStore, before["curve"])
		}
		w.Apply(second)
		if withStore {
			if err := w.askStore(t.Context()); err != nil { // not as far yet
				t.Fatal(err)
			}
			store.take(t, second)
			if err := w.askStore(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		after := frameOf(t, w)
		if got := string(after["curve"]); !strings.Contains(got, `{"t":1582991860000,"v":{"orders":0,"ordered":"0.00","payments":1`) {
			t.Errorf("store %t: the new generation's first payment is not on the curve: %.300s", withStore, got)
		}
		if got := string(after["state"]); !strings.Contains(got, `"newest":1582991960975`) {
			t.Errorf("store %t: the state is %s", withStore, got)
		}
	}
}

func TestStoreDelay(t *testing.T) {
	store := &memory{}
	w := newWall(t, Config{History: store})
	load(t, w)
	l := newLine(t, time.Now().UnixMilli()-20_000)
	l.sendJob()
	for range 20 {
		l.clock += 1000
		l.progress()
	}
	records := l.take()
	w.Apply(records)
	for _, c := range []struct {
		stored   int
		broken   error
		least    int64
		most     int64
		wantWord string
	}{
		{5, nil, 13_000, 18_000, "behind"},
		{18, nil, 1_000, 5_000, "ok"},
		{21, nil, 0, 0, "ok"},
		{21, errors.New("away"), 0, 0, "behind"},
	} {
		store.position, store.broken = int64(c.stored), c.broken
		w.askStore(t.Context()) // its error is part of the case
		if d := *w.store.delay; d < c.least || d > c.most || w.store.word != c.wantWord {
			t.Errorf("store at %d (%v): %s, %d ms; want %s, %d to %d ms", c.stored, c.broken, w.store.word, d, c.wantWord, c.least, c.most)
		}
	}
}
