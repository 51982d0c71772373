package wall

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"liushui"
)

// corrected is a window of sales, in which so much was paid, in ten-thousandths.
func corrected(job *liushui.Job, window string, start, changed, late, was, is int64) liushui.Correction {
	sales := job.Statistic("sales")
	r := liushui.Result{Statistic: "sales", Window: window, Start: start, End: start + 60_000, Version: 7, Late: late}
	var first []liushui.Value
	for _, m := range sales.Measures {
		v, before := liushui.Value{}, liushui.Value{}
		if m.Name == "paid" {
			v.N, before.N = is, was
		}
		r.Values, first = append(r.Values, v), append(first, before)
	}
	return liushui.Correction{Row: liushui.Row{Result: r, State: liushui.Corrected}, First: first, FirstVersion: 6, At: changed, Changed: changed}
}

// TestCorrectionsAreShown asks the store for them, and shows the last ones.
func TestCorrectionsAreShown(t *testing.T) {
	store := &memory{}
	store.take(t, readGoldenTopic(t))
	_, job := store.standing.Current()
	for i := range int64(8) {
		store.corrections = append(store.corrections, corrected(job, "1m", 1_580_486_400_000+i*60_000, 1000-i, i-1, 10_000, 25_000))
	}
	w := newWall(t, Config{History: store})
	load(t, w)
	if err := w.askStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	var health struct {
		Corrections []struct {
			Window         string
			Start, Changed int64
			Late           *int64
			Was, Is        struct{ Paid, Net string }
		}
	}
	if err := json.Unmarshal(frameOf(t, w)["health"], &health); err != nil {
		t.Fatal(err)
	}
	if n := len(health.Corrections); n != correctionsShown {
		t.Fatalf("%d corrections are shown", n)
	}
	if c := health.Corrections[0]; c.Was.Paid != "1.00" || c.Is.Paid != "2.50" || c.Window != "1m" || c.Late != nil || c.Changed != 1000 {
		t.Errorf("the first is %+v", c)
	}
	if c := health.Corrections[2]; c.Late == nil || *c.Late != 1 {
		t.Errorf("the third is %+v", c)
	}
	for _, q := range store.askedCorrections {
		if q.Statistic != "sales" || q.From == 0 || q.Limit == 0 || q.Window != "1m" && q.Window != "1d" {
			t.Errorf("it asked %+v", q)
		}
	}
}

func TestCorrectionsOverHTTP(t *testing.T) {
	store := &memory{}
	store.take(t, readGoldenTopic(t))
	_, job := store.standing.Current()
	same := corrected(job, "1m", 1_580_486_400_000, 5, 1, 3, 3)
	store.corrections = []liushui.Correction{corrected(job, "1m", 1_580_486_400_000, 1_580_490_000_000, 2, 10_000, 25_000), same, corrected(job, "1d", 1_580_486_400_000, 1_580_490_000_000, 2, 30_000, 25_000)}
	s := serve(t, Config{History: store}, false)
	response, body := get(t, s, "/api/v1/statistics/sales/corrections?limit=3")
	var rows []map[string]any
	if err := json.Unmarshal([]byte(body), &rows); err != nil || response.StatusCode != http.StatusOK || len(rows) != 2 {
		t.Fatalf("%s %v: %s", response.Status, err, body)
	}
	if rows[1]["window"] != "1d" || rows[1]["measure"] != "paid" || rows[1]["was"] != 3.0 || rows[1]["difference"] != -0.5 || rows[0]["late"] != 2.0 {
		t.Errorf("%v", rows)
	}
	response, body = get(t, s, "/api/v1/statistics/sales/corrections?limit=1&format=csv&window=1m")
	want := "window,start,end,measure,was,is,difference,late,repair,first,last\n" + "1m,"
	if !strings.HasPrefix(body, want) || strings.Count(body, "\n") != 2 || response.Header.Get("Liushui-More") != "true" || !strings.Contains(response.Header.Get("Content-Disposition"), "sales-corrections.csv") {
		t.Errorf("%v: %s", response.Header, body)
	}
	var asked []string
	for _, q := range store.askedCorrections {
		asked = append(asked, q.Window)
	}
	if diff := gocmp.Diff([]string{"", "1m"}, asked); diff != "" {
		t.Error(diff)
	}
	for path, status := range map[string]int{
		"/api/v1/statistics/sales/corrections?window=7m":       400,
		"/api/v1/statistics/sales/corrections?top=3&by=paid":   400,
		"/api/v1/statistics/nothing/corrections":               404,
		"/api/v1/statistics/sales/corrections?province=heaven": 400,
	} {
		if response, body := get(t, s, path); response.StatusCode != status {
			t.Errorf("%s got %s: %s", path, response.Status, body)
		}
	}
}
