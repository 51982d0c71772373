package wall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// get asks a served wall; the answer's body is read.
func get(t testing.TB, s *served, path string, edit ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edit {
		e(r)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func method(name string) func(*http.Request) { return func(r *http.Request) { r.Method = name } }

// wantProblem checks an answer that refuses.
func wantProblem(t *testing.T, response *http.Response, body string, status int, says string) {
	t.Helper()
	if response.StatusCode != status || response.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s, %s; want %d and a problem", response.Status, response.Header.Get("Content-Type"), status)
		return
	}
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil || p.Status != status || p.Title == "" || !strings.Contains(p.Detail, says) {
		t.Errorf("problem %s (%v); want one that says %q", body, err, says)
	}
}

func TestRefusals(t *testing.T) {
	s := serve(t, Config{Hosts: []string{"Wall.example.com"}}, false)
	for _, c := range []struct {
		name   string
		path   string
		edit   func(*http.Request)
		status int
		says   string
	}{
		{"POST", "/", method(http.MethodPost), 405, "POST is not allowed"},
		{"DELETE", "/api/v1/health", method(http.MethodDelete), 405, "DELETE is not allowed"},
		{"OPTIONS", "/api/v1/live", method(http.MethodOptions), 405, "OPTIONS"},
		{"another name", "/", host("evil.example.com"), 421, "evil.example.com"},
		{"another name with our port", "/api/v1/live", host("evil.example.com:8080"), 421, "does not answer to the name"},
		{"a name that begins like ours", "/", host("localhost.evil.com"), 421, "localhost.evil.com"},
		{"an address that is not ours", "/", host("192.168.1.7:8080"), 421, "192.168.1.7"},
		{"a page of another site", "/api/v1/live", header("Sec-Fetch-Site", "cross-site"), 403, "other sites"},
		{"a body", "/", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), 1 }, 400, "no body"},
		{"no such part of the API", "/api/v1/nothing", func(*http.Request) {}, 404, "/api/v1/nothing"},
		{"no such version", "/api/v2/live", func(*http.Request) {}, 404, "want /api/v1"},
		{"rows without a history", "/api/v1/statistics/sales", func(*http.Request) {}, 503, "--database"},
		{"statistics without a job", "/api/v1/statistics", func(*http.Request) {}, 503, "liushui process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			response, body := get(t, s, c.path, c.edit)
			wantProblem(t, response, body, c.status, c.says)
			if c.status == 405 && response.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", response.Header.Get("Allow"))
			}
		})
	}
	for _, name := range []string{"localhost", "LOCALHOST:80", "localhost.", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "wall.example.com", "wall.example.com:443"} {
		if response, _ := get(t, s, "/healthz", host(name)); response.StatusCode != http.StatusOK {
			t.Errorf("the host %s got %s", name, response.Status)
		}
	}
	if response, _ := get(t, s, "/api/v1/health", header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "navigate")); response.StatusCode != http.StatusOK {
		t.Errorf("a link from another site got %s", response.Status)
	}
}

func TestOtherAddressesAnswerToAnyName(t *testing.T) {
	w := newWall(t, Config{})
	r, _ := http.NewRequest(http.MethodGet, "http://wall.example.com/", nil)
	at := &net.TCPAddr{IP: net.IPv4(192, 168, 1, 7), Port: 8080}
	if !w.answersTo(r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(at)))) {
		t.Error("a wall that listens for others refuses a name of its network")
	}
}

// wantGuarded checks the headers that every answer has.
func wantGuarded(t *testing.T, path string, response *http.Response) {
	t.Helper()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
		"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": policy} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q", path, name, got)
		}
	}
	if cache := response.Header.Get("Cache-Control"); cache == "" {
		t.Errorf("%s: no Cache-Control", path)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	open, s := serve(t, Config{}, false), serve(t, Config{Access: people()}, false)
	for _, path := range []string{"/", "/login", "/?token=x", "/nothing", "/api/v1/health", "/api/v1/nothing", "/healthz", "/readyz", "/metrics", "/favicon.svg"} {
		response, _ := get(t, open, path)
		wantGuarded(t, path, response)
		response, _ = get(t, s, path)
		wantGuarded(t, path, response)
	}
	_, page := get(t, s, "/login")
	if inline := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son\w+=`).FindString(page); inline != "" {
		t.Errorf("the page of the login holds %s, which the policy forbids", inline)
	}
	if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("policy: %s", policy)
	}
}

func TestPage(t *testing.T) {
	s := serve(t, Config{}, false)
	index, body := get(t, s, "/")
	if index.StatusCode != http.StatusOK || index.Header.Get("Cache-Control") != "no-store" || !strings.Contains(body, "<!doctype html>") {
		t.Fatalf("/ is %s, %s: %.80s", index.Status, index.Header, body)
	}
	if response, _ := get(t, s, "/assets/../../wall.go"); response.Header.Get("Location") != "/wall.go" {
		t.Errorf("a path out of the page got %s", response.Status)
	}
	if response, body := get(t, s, "/charts"); response.StatusCode != http.StatusNotFound || !strings.Contains(body, "no such page") {
		t.Errorf("/charts is %s: %s", response.Status, body)
	}
	for path, a := range s.assets {
		response, body := get(t, s, path, header("Accept-Encoding", "identity"))
		if response.StatusCode != http.StatusOK || body != string(a.body) || response.Header.Get("Content-Type") != a.kind {
			t.Errorf("%s: %s, %s, %d bytes of %d", path, response.Status, response.Header.Get("Content-Type"), len(body), len(a.body))
		}
		if hashed := strings.HasPrefix(path, "/assets/"); hashed != strings.Contains(response.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: Cache-Control %q", path, response.Header.Get("Cache-Control"))
		}
		again, _ := get(t, s, path, header("Accept-Encoding", "identity"), header("If-None-Match", response.Header.Get("Etag")))
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s asked again with its Etag: %s", path, again.Status)
		}
		small, _ := get(t, s, path, header("Accept-Encoding", "gzip"))
		if wanted := a.deflated != nil; wanted != (small.Header.Get("Content-Encoding") == "gzip") {
			t.Errorf("%s: Content-Encoding %q", path, small.Header.Get("Content-Encoding"))
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	s := serve(t, Config{Version: "1.2.3"}, false)
	if response, _ := get(t, s, "/healthz"); response.StatusCode != http.StatusOK {
		t.Errorf("healthz: %s", response.Status)
	}
	if response, _ := get(t, s, "/readyz"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readyz before Load: %s", response.Status)
	}
	load(t, s.Wall)
	if response, _ := get(t, s, "/readyz"); response.StatusCode != http.StatusOK {
		t.Errorf("readyz after Load: %s", response.Status)
	}
	l := newLine(t, time.Now().UnixMilli())
	l.sendJob()
	l.busy(1, l.clock-1000, 10)
	l.progress()
	s.Apply(l.take())
	response, body := get(t, s, "/api/v1/health")
	var h struct {
		Version string
		State   struct{ Name string }
		Health  struct {
			Engines []struct {
				Name     string
				Balanced bool
				Account  struct{ Read int64 }
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &h); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", response.Status, err, body)
	}
	if h.Version != "1.2.3" || h.State.Name != "live" || len(h.Health.Engines) != 1 || h.Health.Engines[0].Account.Read != 10 || !h.Health.Engines[0].Balanced {
		t.Errorf("health: %s", body)
	}
	_, text := get(t, s, "/metrics")
	for _, line := range []string{`liushui_freshness{state="live"} 1`, `liushui_freshness{state="stalled"} 0`, `liushui_lag_records 0`,
		`liushui_engine_records_total{engine="native",verdict="counted"} 10`, `liushui_kafka_retries_total{part="native"} 0`, "liushui_wall_viewers 0", "process_resident_memory_bytes"} {
		if !strings.Contains(text, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
}

// What the sample of alert rules asks for is there.
func TestAlertsAskForMetricsThatAreThere(t *testing.T) {
	rules, err := os.ReadFile("../docs/examples/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\bliushui_[a-z_]+`).FindAllString(string(rules), -1)
	if len(names) < 8 {
		t.Fatalf("the rules name only %q", names)
	}
	s := serve(t, Config{}, false)
	load(t, s.Wall)
	l := newLine(t, time.Now().UnixMilli())
	l.sendJob()
	l.busy(1, l.clock-1000, 10)
	l.progress(func(p *liushui.Progress) { p.Checkpoint = &liushui.Checkpoint{Time: l.clock, Bytes: 5} })
	s.Apply(l.take())
	delay := int64(5)
	s.mu.Lock()
	s.store.delay = &delay
	s.mu.Unlock()
	_, text := get(t, s, "/metrics")
	for _, name := range names {
		if !strings.Contains(text, name+"{") && !strings.Contains(text, name+" ") {
			t.Errorf("there is no %s in\n%s", name, text)
		}
	}
}

// stored is a served wall whose store holds the golden records.
func stored(t testing.TB) (*served, *memory) {
	t.Helper()
	store := &memory{}
	store.take(t, readGoldenTopic(t))
	s := serve(t, Config{History: store}, false)
	load(t, s.Wall)
	return s, store
}

func TestStatistics(t *testing.T) {
	s, _ := stored(t)
	response, body := get(t, s, "/api/v1/statistics")
	var list struct {
		Job, Zone, Currency string
		Statistics          []struct {
			Name     string
			Windows  []string
			By       []string
			Measures []map[string]any
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %.300s", response.Status, err, body)
	}
	if list.Job != "shop" || list.Zone != "Asia/Shanghai" || list.Currency != "CNY" || len(list.Statistics) != 13 {
		t.Errorf("statistics: %.300s", body)
	}
	sales := list.Statistics[1]
	want := map[string]any{"name": "paid", "compute": "sum amount", "where": map[string]any{"type": []any{"pay"}}, "money": true, "approximate": false,
		"meaning": "sum of the amounts of events whose type is pay"}
	if diff := cmp.Diff(want, sales.Measures[3]); diff != "" || strings.Join(sales.Windows, " ") != "1s 1m 1h 1d" || sales.By == nil {
		t.Errorf("sales: %+v %s", sales, diff)
	}
}

func TestRows(t *testing.T) {
	s, _ := stored(t)
	response, body := get(t, s, "/api/v1/statistics/sales?window=1d")
	if response.Header.Get("Content-Type") != "application/json" || response.Header.Get("Liushui-More") != "false" {
		t.Errorf("%s %s", response.Status, response.Header)
	}
	golden(t, "sales-1d.json", []byte(body))
	var rows []map[string]any
	if err := json.Unmarshal([]byte(body), &rows); err != nil || len(rows) != 2 {
		t.Fatalf("%v: %s", err, body)
	}
	_, csv := get(t, s, "/api/v1/statistics/sales_by_province?window=1d&from=2020-03-01&format=csv")
	golden(t, "provinces.csv", []byte(csv))
}

// field asks for rows and returns a field of each.
func field(t *testing.T, s *served, path, name string) (values []string, more string) {
	t.Helper()
	response, body := get(t, s, path)
	var rows []map[string]any
	if err := json.Unmarshal([]byte(body), &rows); err != nil {
		t.Fatalf("%s: %s: %s", path, response.Status, body)
	}
	for _, r := range rows {
		values = append(values, fmt.Sprint(r[name]))
	}
	return values, response.Header.Get("Liushui-More")
}

func TestRowsOfAQuestion(t *testing.T) {
	s, _ := stored(t)
	const minute1, minute2 = "2020-02-29T23:59:00+08:00", "2020-03-01T00:00:00+08:00"
	for _, c := range []struct {
		question string
		name     string
		want     string
		more     string
	}{
		{"sales?window=1m", "start", minute1 + " " + minute2, "false"},
		{"sales", "window", "1d 1d", "false"},
		{"sales?window=1m&limit=1", "start", minute2, "true"}, // the newest
		{"sales?window=1m&limit=1&from=2020-02-29", "start", minute1, "true"},
		{"sales?window=1m&from=2020-03-01", "start", minute2, "false"},
		{"sales?window=1m&to=2020-03-01T00:00", "start", minute1, "false"},
		{"sales?window=1m&from=2020-02-29T16:00:00Z", "start", minute2, "false"},
		{"sales?window=1m&from=2020-02-29%2023:59&to=2020-02-29T23:59:30", "start", minute1, "false"},
		{"sales?window=1m&from=" + fmt.Sprint(evening+40_000), "start", minute2, "false"},
		{"sales?window=1m&from=2021-01-01", "start", "", "false"},
		{"sales_by_province?window=1d&province=" + "%E4%B8%8A%E6%B5%B7", "province", "上海 上海", "false"},
		{"sales_by_province?window=1d&province=nowhere", "province", "", "false"},
		{"sales_by_province?window=1d&from=2020-02-29&to=2020-03-01&top=2&by=cancels", "cancels", "1 1", "false"},
	} {
		values, more := field(t, s, "/api/v1/statistics/"+c.question, c.name)
		if got := strings.Join(values, " "); got != c.want || more != c.more {
			t.Errorf("%s: %s = %q, more %s; want %q, %s", c.question, c.name, got, more, c.want, c.more)
		}
	}
}

func TestRowsRefused(t *testing.T) {
	s, store := stored(t)
	for _, c := range []struct {
		question string
		status   int
		says     string
	}{
		{"nothing", 404, `no statistic "nothing"; want activity, sales,`},
		{"sales?window=5m", 400, `no window "5m"; want one of 1s, 1m, 1h, 1d`},
		{"sales?from=yesterday", 400, `from "yesterday" is no time`},
		{"sales?to=12", 400, `to "12" is no time`},
		{"sales?from=2020-03-01&to=2020-02-01", 400, "to is not after from"},
		{"sales?limit=0", 400, `limit "0"; want a whole number from 1 to 100000`},
		{"sales?limit=1000000", 400, "limit"},
		{"sales?limit=x", 400, "limit"},
		{"sales?limit=1&limit=2", 400, "limit stands there 2 times"},
		{"sales?province=x", 400, `unknown parameter "province"; want window, from`},
		{"sales_by_province?top=3", 400, "top and by go together"},
		{"sales_by_province?by=paid", 400, "top and by go together"},
		{"sales_by_province?top=3&by=x", 400, `no measure "x"`},
		{"sales?format=xml", 400, `format "xml"; want json or csv`},
	} {
		t.Run(c.question, func(t *testing.T) {
			response, body := get(t, s, "/api/v1/statistics/"+c.question)
			wantProblem(t, response, body, c.status, c.says)
		})
	}
	store.mu.Lock()
	store.broken = errors.New("password of root is secret")
	store.mu.Unlock()
	response, body := get(t, s, "/api/v1/statistics/sales")
	wantProblem(t, response, body, 503, "the store does not answer")
	if strings.Contains(body, "secret") {
		t.Error("the answer tells what only the log may")
	}
}

func TestHeadHasNoBody(t *testing.T) {
	s, _ := stored(t)
	for _, path := range []string{"/", "/api/v1/live", "/api/v1/statistics", "/api/v1/statistics/sales", "/api/v1/health", "/metrics"} {
		if response, body := get(t, s, path, method(http.MethodHead)); response.StatusCode != http.StatusOK || body != "" {
			t.Errorf("HEAD %s: %s, %d bytes", path, response.Status, len(body))
		}
	}
}

func TestHostileNamesStayData(t *testing.T) {
	s := serve(t, Config{}, false)
	l := newLine(t, time.Now().UnixMilli())
	l.sendJob()
	const hostile = "<img src=x onerror=alert(1)>\u2028</script>"
	l.fold(liushui.Event{ID: "x", Type: "pay", Time: l.clock, Category: hostile, Province: hostile, Amount: 1, HasAmount: true})
	l.progress()
	s.Apply(l.take())
	s.tick()
	stream, _ := watch(t, s.url, true)
	e := next(t, stream, "snapshot")
	var categories []struct{ Name string }
	if err := json.Unmarshal(e.data["categories"], &categories); err != nil || len(categories) != 1 || categories[0].Name != hostile {
		t.Errorf("%v: %s", err, e.data["categories"])
	}
}
