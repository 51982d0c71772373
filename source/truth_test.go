package source

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// shared is where the real files lie beside a checkout; see CONTRIBUTING.md.
const shared = "../../shared/data/"

func realFile(t testing.TB, name string) string {
	t.Helper()
	if _, err := os.Stat(shared + name); err != nil {
		t.Skip("the real files are not there: ", shared+name)
	}
	return shared + name
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func builtin(t testing.TB, name string) *Mapping {
	t.Helper()
	m, err := LoadMapping(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func openReplay(t testing.TB, c ReplayConfig) *Replay {
	t.Helper()
	if c.Log == nil {
		c.Log = quiet()
	}
	r, err := OpenReplay(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// all returns the items that a source still has, at most limit.
func all(t testing.TB, s Source, limit int) (items []Item) {
	t.Helper()
	for len(items) < limit {
		buffer := make([]Item, min(1000, limit-len(items)))
		n, err := s.Next(buffer)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, buffer[:n]...)
	}
	return items
}

// tally is what a file's events add up to.
type tally struct {
	Events map[string]int64
	Sums   map[string]string // exact, of amounts
}

func count(items []Item) tally {
	sums := map[string]liushui.Money{}
	t := tally{map[string]int64{}, map[string]string{}}
	for i := range items {
		e := &items[i].Event
		t.Events[e.Type]++
		if e.HasAmount {
			sums[e.Type] += e.Amount
		}
	}
	for kind, sum := range sums {
		t.Sums[kind] = sum.String()
	}
	return t
}

func TestRealFilesGiveTheirTrueSums(t *testing.T) {
	tests := []struct {
		file, mapping string
		want          tally
		bad           int64
	}{
		{"tmall_orders_202002.csv", "tmall-orders", tally{
			map[string]int64{"order": 28_010, "pay": 24_087, "refund": 5_646},
			map[string]string{"order": "2995760.61", "pay": "2474823.07", "refund": "572335.92"}}, 0},
		{"taobao_userbehavior_96k.csv", "taobao-behavior", tally{
			map[string]int64{"view": 85_773, "cart": 5_292, "favorite": 2_959, "pay": 2_144}, map[string]string{}}, 1},
		{"taobao_user_log_1111_10k.csv", "taobao-user-log", tally{
			map[string]int64{"view": 8_644, "cart": 6, "pay": 1_249, "favorite": 101}, map[string]string{}}, 0},
		{"online_retail_201112.csv", "online-retail", tally{
			map[string]int64{"pay": 25_111, "refund": 360},
			map[string]string{"pay": "638792.68", "refund": "205124.67"}}, 0},
	}
	for _, test := range tests {
		t.Run(test.mapping, func(t *testing.T) {
			r := openReplay(t, ReplayConfig{File: realFile(t, test.file), Mapping: builtin(t, test.mapping)})
			items := all(t, r, 1<<30)
			if diff := cmp.Diff(test.want, count(items)); diff != "" {
				t.Error(diff)
			}
			if _, bad, _ := r.Rows(); bad != test.bad {
				t.Errorf("%d bad rows, want %d", bad, test.bad)
			}
			ids := map[string]bool{}
			for i := range items {
				if ids[items[i].Event.ID] {
					t.Fatalf("id %s twice", items[i].Event.ID)
				}
				ids[items[i].Event.ID] = true
				if i > 0 && items[i].At < items[i-1].At {
					t.Fatalf("event %d goes back in time", i)
				}
			}
		})
	}
}

func TestRawHeadersGiveTheSameEvents(t *testing.T) {
	m := builtin(t, "tmall-orders")
	clean := all(t, openReplay(t, ReplayConfig{File: realFile(t, "tmall_orders_202002.csv"), Mapping: m}), 1<<30)
	raw := all(t, openReplay(t, ReplayConfig{File: realFile(t, "tmall_orders_202002_raw_headers.csv"), Mapping: m}), 1<<30)
	if len(clean) != len(raw) {
		t.Fatal(len(clean), len(raw))
	}
	for i := range clean {
		if a, b := string(clean[i].Event.AppendJSON(nil)), string(raw[i].Event.AppendJSON(nil)); a != b {
			t.Fatalf("event %d: %s, with raw headers %s", i, a, b)
		}
	}
}

func TestCutLineIsRejectedByFileLineAndReason(t *testing.T) {
	file := realFile(t, "taobao_userbehavior_96k.csv")
	out := filepath.Join(t.TempDir(), "rejects.csv")
	openReplay(t, ReplayConfig{File: file, Mapping: builtin(t, "taobao-behavior"), RejectsFile: out})
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want := "file,line,reason,row\n" + file + ",96169,time 15000 is before the year 2000,\"301780,543546,4181361,pv,15\"\n"
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestProvincesOfTheRealFiles(t *testing.T) {
	sums := map[string]liushui.Money{}
	for _, item := range all(t, openReplay(t, ReplayConfig{File: realFile(t, "tmall_orders_202002.csv"), Mapping: builtin(t, "tmall-orders")}), 1<<30) {
		if item.Event.Type == "order" {
			sums[item.Event.Province] += item.Event.Amount
		}
	}
	if len(sums) != 31 || sums["上海"].String() != "544907.63" || sums["内蒙古"] == 0 || sums["四川"].String() != "188948.12" {
		t.Errorf("%d provinces: %v", len(sums), sums)
	}
	regions := map[string]int{}
	for _, item := range all(t, openReplay(t, ReplayConfig{File: realFile(t, "taobao_user_log_1111_10k.csv"), Mapping: builtin(t, "taobao-user-log")}), 1<<30) {
		regions[item.Event.Province]++
	}
	if len(regions) != 34 || regions["贵州"] != 330 || regions["安徽"] != 259 || regions[""] != 0 {
		t.Errorf("%d regions: %v", len(regions), regions)
	}
}

func TestCategoriesOfTheLookup(t *testing.T) {
	views, carts := map[string]int{}, map[string]int{}
	for _, item := range all(t, openReplay(t, ReplayConfig{File: realFile(t, "taobao_userbehavior_96k.csv"), Mapping: builtin(t, "taobao-behavior")}), 1<<30) {
		switch item.Event.Type {
		case "view":
			views[item.Event.Category]++
		case "cart":
			carts[item.Event.Category]++
		}
	}
	if views["Home & Kitchens"] != 9_105 || views[""] != 541 || carts["Cell Phones"] != 782 || len(views) != 10 {
		t.Error(views, carts)
	}
}

func TestMaxBad(t *testing.T) {
	file := realFile(t, "taobao_userbehavior_96k.csv")
	_, err := OpenReplay(t.Context(), ReplayConfig{File: file, Mapping: builtin(t, "taobao-behavior"), MaxBad: -1, Log: quiet()})
	if !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "1 of 96169 rows are bad") {
		t.Error(err)
	}
}
