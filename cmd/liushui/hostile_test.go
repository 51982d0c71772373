package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/dev"
	"liushui/enginetest"
)

// sale is an event of the shop as its sender writes it.
type sale struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Time     int64  `json:"time"`
	Order    string `json:"order,omitempty"`
	User     string `json:"user,omitempty"`
	Category string `json:"category,omitempty"`
	Province string `json:"province,omitempty"`
	Amount   string `json:"amount,omitempty"`
	Quantity int64  `json:"quantity,omitempty"`
}

// record is the event in Kafka, by a key that decides its partition.
func (s sale) record(t *testing.T, key, feed string) liushui.Record {
	t.Helper()
	value, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return liushui.Record{Key: []byte(key), Feed: feed, Value: value}
}

// TestDisorderedShops is one topic that many badly kept shops send to.
func TestDisorderedShops(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	l.open("broker", "store", "serve")
	l.makeTopic(liushui.TopicEvents, 4)
	l.start("process")
	restart := func() { l.stop("process"); l.start("process") }
	random := rand.New(rand.NewPCG(1, 6))
	now, want := time.Now(), liushui.Account{}
	send := func(counted, duplicate, late, bad int64, records ...liushui.Record) {
		t.Helper()
		want.Read += int64(len(records))
		want.Counted, want.Duplicate, want.Late, want.Bad = want.Counted+counted, want.Duplicate+duplicate, want.Late+late, want.Bad+bad
		l.write(liushui.TopicEvents, records...)
		l.awaitRead(want.Read)
		if got := l.account(); got != want {
			t.Errorf("the account is %+v, want %+v", got, want)
		}
	}

	// One partition of four has events; the others let the watermark go on.
	var idle []liushui.Record
	for i := range 50 {
		idle = append(idle, sale{ID: fmt.Sprint("idle", i), Type: "view", Time: now.Add(time.Duration(i-3000) * time.Second).UnixMilli(), User: "u"}.record(t, "one key", ""))
	}
	send(50, 0, 0, 0, idle...)
	eventually(t, "the watermark goes on without three partitions of four", func() bool {
		return strings.Contains(l.board(), fmt.Sprintf(`"watermark":%d`, now.UnixMilli()-2951_000-10_000))
	})

	// Every event twice, 90 % of them in one category, refunds before their
	// orders; the copies come in another order, by other partitions.
	var first, second []liushui.Record
	for i := range 1500 {
		s := sale{ID: fmt.Sprint("e", i), Type: liushui.EventTypes[random.IntN(len(liushui.EventTypes))], Time: now.Add(-time.Duration(random.IntN(2_900_000)) * time.Millisecond).UnixMilli(),
			Order: fmt.Sprint("o", i/3), User: fmt.Sprint("u", random.IntN(400)), Category: "茶", Province: []string{"上海", "江苏", "浙江", ""}[random.IntN(4)],
			Amount: fmt.Sprintf("%d.%02d", random.IntN(1000), random.IntN(100)), Quantity: random.Int64N(5)}
		if i%10 == 0 {
			s.Category = fmt.Sprint("rare", random.IntN(40))
		}
		first, second = append(first, s.record(t, s.Order, "")), append(second, s.record(t, s.User, ""))
	}
	send(1500, 0, 0, 0, first...)
	random.Shuffle(len(second), func(i, j int) { second[i], second[j] = second[j], second[i] })
	send(0, 1500, 0, 0, second...)
	restart()
	send(0, 3000, 0, 0, append(second, first...)...)

	// A shop whose clock is a day ahead, one a day behind, one that jumps within bounds.
	var clocks []liushui.Record
	for i := range 100 {
		ahead := sale{ID: fmt.Sprint("ahead", i), Type: "order", Time: now.Add(24*time.Hour + time.Duration(i)*time.Second).UnixMilli(), Amount: "1000000"}
		behind := sale{ID: fmt.Sprint("behind", i), Type: "order", Time: now.Add(-24*time.Hour + time.Duration(i)*time.Second).UnixMilli(), Amount: "1000000"}
		jump := sale{ID: fmt.Sprint("jump", i), Type: "pay", Time: now.Add([]time.Duration{-50 * time.Minute, 0, 4 * time.Minute}[i%3]).UnixMilli(), User: "j", Amount: "0.0001"}
		clocks = append(clocks, ahead.record(t, fmt.Sprint("a", i), ""), behind.record(t, fmt.Sprint("b", i), ""), jump.record(t, fmt.Sprint("c", i), ""))
	}
	send(100, 0, 100, 100, clocks...)
	restart()

	// Refunds after their window closed, and of the next day; sums beyond 64 bits.
	day := time.Date(now.Year(), now.Month(), now.Day()+2, 23, 30, 0, 0, shop(t).Zone)
	of := func(id, kind string, after time.Duration) liushui.Record {
		return sale{ID: id, Type: kind, Time: day.Add(after).UnixMilli(), Order: "x", User: "x", Category: "茶", Amount: "99.99"}.record(t, "x", liushui.FeedReplay)
	}
	send(6, 0, 0, 0, of("x1", "refund", -time.Minute), of("x2", "order", 0), of("x3", "pay", time.Second),
		of("x4", "view", 20*time.Minute), of("x5", "refund", 2*time.Second), of("x6", "refund", time.Hour))
	var large []liushui.Record
	for i := range 950 {
		large = append(large, sale{ID: fmt.Sprint("large", i), Type: "pay", Time: day.Add(48*time.Hour + time.Duration(i)*time.Millisecond).UnixMilli(), User: "l",
			Category: "茶", Province: "上海", Amount: "1000000000000", Quantity: 1e9}.record(t, "x", liushui.FeedReplay))
	}
	send(950, 0, 0, 0, large...)
	l.awaitTheWall(`"tooLarge":`)
	eventually(t, "the wall's health has an alarm", func() bool { return !strings.Contains(l.board(), `"tooLarge":0`) })

	l.ended()
	l.awaitFinal()
	l.stop("serve", "process", "store", "broker")
	compareWithTheLog(t, l.data, shop(t))
	last := day.Add(48 * time.Hour).Format(time.DateOnly)
	for _, r := range rows(t, "sales", "--data", l.data, "--from", last) {
		if r["paid"] != nil || string(r.number(t, "payments")) != "950" || string(r.number(t, "pieces")) != "950000000000" {
			t.Errorf("the day of the large sums is %v, want no sum, 950 payments of 950000000000 pieces", r)
		}
	}
}

// hostileNames are what a shop may call its goods.
var hostileNames = []string{
	"'; DROP TABLE \"sales_by_category$category\"; --", "`; DROP DATABASE mysql; #", `<img src=x onerror="window.owned=1">`, `</script><script>window.owned=1</script>`, `{{7*7}}${7*7}`,
	"\u202etxt.exe\u2066", "tea", "tea ", "Tea", "te\u0301a", "téa", "a\x00b", "a", "\x00", "line\nbreak", "tab\tquote\"comma,", `back\slash`, "\x1b[31mred", "NULL", "%", "_",
	"=1+cmd|' /C calc'!A0", strings.Repeat("𠮷", 128), "👨‍👩‍👧", "\ufeffbom", "\U0010ffff\uffff", `<svg onload="window.owned=1">`,
}

// TestHostileNames sends names that databases, spreadsheets, terminals and pages
// could take for something else: each is kept byte by byte and shown as text.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	databases := []string{databaseIn(l.data), dev.MariaDB(t), dev.MySQL(t)}
	l.open("broker", "process")
	var stores []*launched
	for _, dsn := range databases {
		stores = append(stores, launch(t, "store", "--brokers", l.kafka, "--data", l.data, "--database", dsn))
	}
	now := time.Now()
	var records []liushui.Record
	for i, name := range hostileNames {
		for _, kind := range []string{"order", "pay", "refund"} {
			s := sale{ID: fmt.Sprint("h", i, kind), Type: kind, Time: now.UnixMilli(), Order: name, User: name, Category: name, Province: name, Amount: fmt.Sprint(1000 - i)}
			records = append(records, s.record(t, "k", ""))
		}
	}
	l.write(liushui.TopicEvents, records...)
	l.awaitRead(int64(len(records)))
	l.ended()
	for _, dsn := range databases {
		l.sameNames(dsn)
	}
	t.Run("page", func(t *testing.T) { l.showsAsText(t, databases[0]) })
	for _, s := range stores {
		s.stop()
	}
	l.stop("process", "broker")
	compareWithTheLog(t, l.data, shop(t))

	topics := readBack(t, l.data)
	want, _ := enginetest.Batch(shop(t), topics[liushui.TopicEvents], enginetest.Options{})
	for _, dsn := range databases[1:] {
		rows := rowsIn(t, dsn, shop(t), enginetest.GenerationOf(topics[liushui.TopicResults], shop(t)), func(liushui.Row) {})
		got, err := enginetest.TableOf(rows, shop(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range enginetest.Diff(want, got) {
			t.Errorf("%s: %s", dsn, line)
		}
	}
}

// sameNames reads the names back from a database as CSV.
func (l *line) sameNames(dsn string) {
	t := l.t
	t.Helper()
	query := []string{"query", "sales_by_category", "--database", dsn, "--format", "csv"}
	eventually(t, "all windows are final in "+dsn, func() bool {
		r := command(t, query...)
		return r.code == exitFine && strings.Count(r.out, ",final,") == len(hostileNames)
	})
	all, err := csv.NewReader(strings.NewReader(must(t, command(t, query...)).out)).ReadAll()
	if err != nil {
		t.Fatalf("%s: the CSV cannot be read: %v", dsn, err)
	}
	var got, want []string
	column := slices.Index(all[0], "category")
	for _, fields := range all[1:] {
		got = append(got, fields[column])
	}
	for _, name := range hostileNames {
		if strings.HasPrefix(name, "=") {
			name = "'" + name // no formula in a spreadsheet
		}
		want = append(want, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: the names in the CSV: %s", dsn, diff)
	}
	for i, name := range hostileNames {
		found := rows(t, "sales_by_category", "--database", dsn, "--where", "category="+name)
		if len(found) != 1 || found[0].text("category") != name || string(found[0].number(t, "paid")) != fmt.Sprintf("%d.00", 1000-i) {
			t.Errorf("%s: where category=%q found %v", dsn, name, found)
		}
	}
	if table := must(t, command(t, "query", "sales_by_category", "--database", dsn)).out; strings.ContainsAny(table, "\x1b\u202e\u2066\x00\ufeff") {
		t.Errorf("%s: the table on the terminal has what a terminal obeys: %q", dsn, table)
	}
}

// showsAsText looks at the wall in a real browser.
func (l *line) showsAsText(t *testing.T, dsn string) {
	page := dev.Chromium(t)
	serve := launch(t, "serve", "--brokers", l.kafka, "--listen", l.wall, "--database", dsn)
	serve.prints("the wall is at")
	page.Resize(1920, 1080, false)
	page.Open("http://" + l.wall + "/?lang=en")
	for panel, texts := range map[string][]string{"ranking": hostileNames[:5], "orders": {"onload"}} {
		for _, text := range texts {
			page.Until(fmt.Sprintf(`document.querySelector('[data-testid=%s]')?.textContent.includes(%s)`, panel, quoted(t, text)), 10*time.Second)
		}
	}
	var owned bool
	if page.Eval("'owned' in window || document.querySelectorAll('img,body script').length > 0", &owned); owned {
		t.Error("a name ran as a script or became an element")
	}
	for _, problem := range page.Problems() {
		t.Errorf("the page complains: %s", problem)
	}
	serve.stop()
}

// quoted is a text as JavaScript writes it.
func quoted(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
