package spark

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"liushui"
	"liushui/dev"
	"liushui/enginetest"
)

const generation = 1580486399000

// play streams records, so many a batch, through a job's queries, and holds the
// outcome to the oracle's: every cell, and every dead letter.
func play(t *testing.T, job *liushui.Job, records []liushui.Record, batch int) {
	t.Helper()
	playBatches(t, dev.Spark42, job, slices.Collect(slices.Chunk(records, batch)), enginetest.Options{})
}

func playBatches(t *testing.T, release string, job *liushui.Job, batches [][]liushui.Record, o enginetest.Options) sparkProgress {
	t.Helper()
	l, records := newLive(t, release), slices.Concat(batches...)
	p, err := compile(job, options{Generation: generation})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "records")
	for _, batch := range batches {
		l.write(dir, batch)
	}
	last := l.inMemory("results", "update", p.resultRows(l.records(dir, true)))
	l.inMemory("letters", "append", p.letterRows(l.records(dir, true)))
	checkResults(t, job, records, o, rows[row](l, "SELECT CAST(key AS STRING) AS key, value FROM results"))
	checkLetters(t, job, records, rows[letter](l, "SELECT key, base64(value) AS value, transform(headers, h -> struct(h.key AS key, CAST(h.value AS STRING) AS value)) AS headers FROM letters"))
	return last
}

type row struct{ Key, Value string }

func checkResults(t *testing.T, job *liushui.Job, records []liushui.Record, o enginetest.Options, all []row) {
	t.Helper()
	begun, err := json.Marshal(liushui.JobRecord{Job: job.Name, Hash: job.Hash(), Generation: generation})
	if err != nil {
		t.Fatal(err)
	}
	results := []liushui.Record{{Key: []byte(liushui.KeyJob), Value: begun}}
	for _, r := range all {
		results = append(results, liushui.Record{Key: []byte(r.Key), Value: []byte(r.Value)})
		checkForm(t, job, r)
	}
	got, err := enginetest.TableOf(results, job)
	if err != nil {
		t.Fatal(err)
	}
	want, account := enginetest.Batch(job, records, o)
	differences := enginetest.Diff(want, got)
	t.Logf("%d cells of %+v, written %d times", len(want), account, len(all))
	if len(differences) > 0 {
		t.Errorf("%d differences:\n%s", len(differences), strings.Join(differences[:min(20, len(differences))], "\n"))
	}
}

// checkForm holds a result to the very form that the native engine gives it.
func checkForm(t *testing.T, job *liushui.Job, r row) {
	t.Helper()
	result, err := liushui.DecodeResult([]byte(r.Value), func(int64) *liushui.Job { return job })
	if err != nil {
		t.Fatalf("%v: %s", err, r.Value)
	}
	if want := result.AppendValue(nil, job.Statistic(result.Statistic)); string(want) != r.Value {
		t.Fatalf("value %s\n want %s", r.Value, want)
	}
	if want := result.AppendKey(nil); string(want) != r.Key {
		t.Fatalf("key %s\nwant %s", r.Key, want)
	}
	if result.Engine != engineName || result.Generation != generation || result.Late != liushui.LateUnknown || result.Repair != 0 {
		t.Fatalf("%s", r.Value)
	}
}

type letter struct {
	Key     string
	Value   []byte
	Headers []struct{ Key, Value string }
}

func checkLetters(t *testing.T, job *liushui.Job, records []liushui.Record, all []letter) {
	t.Helper()
	letters := map[string]letter{}
	for _, l := range all {
		letters[l.Key] = l
	}
	bad := 0
	verdicts := enginetest.Judge(job, records, enginetest.Options{})
	for _, r := range records {
		l, parked := letters[fmt.Sprintf(`["category",%d,%d]`, r.Partition, r.Offset)]
		if parked != (verdicts[enginetest.PlaceOf(r)] == enginetest.Bad) {
			t.Fatalf("parked: %v, but the oracle says %s of %.200q", parked, verdicts[enginetest.PlaceOf(r)], r.Value)
		}
		if !parked {
			continue
		}
		bad++
		headers := map[string]string{}
		for _, h := range l.Headers {
			headers[h.Key] = h.Value
		}
		if !bytes.Equal(l.Value, r.Value) || headers["reason"] != "bad" || headers["detail"] == "" || headers["engine"] != engineName ||
			headers["generation"] != fmt.Sprint(generation) || headers["time"] != fmt.Sprint(r.Time) || headers["feed"] != r.Feed {
			t.Fatalf("letter %+v of %.200q at %d", l, r.Value, r.Time)
		}
	}
	if bad != len(all) {
		t.Errorf("%d letters, want %d", len(all), bad)
	}
}

// TestDisorder streams records in disorder, with duplicates, records of one id
// that differ, bad ones and some ahead of the clock.
func TestDisorder(t *testing.T) {
	for _, release := range []string{dev.Spark42, dev.Spark41} {
		t.Run(release, func(t *testing.T) { testDisorder(t, release) })
	}
}

func testDisorder(t *testing.T, release string) {
	job := parse(t, enginetest.RandomJob)
	offsets := map[int32]int64{}
	var records []liushui.Record
	newest := int64(0)
	for _, s := range enginetest.Random(5, 1500, 1) {
		if s.Old { // Spark drops it where it is late, and parks nothing
			continue
		}
		s.Record.Partition, s.Record.Offset = s.Partition, offsets[s.Partition]
		offsets[s.Partition]++
		records = append(records, s.Record)
	}
	last := playBatches(t, release, job, slices.Collect(slices.Chunk(records, 200)), enginetest.Options{})
	for _, r := range records {
		if one, _ := enginetest.Batch(job, []liushui.Record{r}, enginetest.Options{}); len(one) > 0 {
			var e struct{ Time int64 }
			if err := json.Unmarshal(r.Value, &e); err != nil {
				t.Fatal(err)
			}
			newest = max(newest, e.Time)
		}
	}
	// Each cell's state has gone when the watermark passed its own end.
	watermark, open := newest-(job.Lateness+job.Corrections).Milliseconds(), 0
	table, _ := enginetest.Batch(job, records, enginetest.Options{})
	for _, r := range table {
		if r.End > watermark {
			open++
		}
	}
	if got := last.EventTime.Watermark.UnixMilli(); got != watermark {
		t.Errorf("watermark %d, want %d", got, watermark)
	}
	if got := last.state("stateStoreSave"); got != open || open == len(table) {
		t.Errorf("%d cells are held of %d; want %d", got, len(table), open)
	}
}

// TestShop streams a day's end of the built-in job in a zone with a day of 25 hours.
func TestShop(t *testing.T) {
	job := shop(t)
	var err error
	if job.Zone, err = time.LoadLocation("America/Los_Angeles"); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 9))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	var records []liushui.Record
	put := func(value []byte) {
		records = append(records, liushui.Record{Offset: int64(len(records)), Time: 1793520000000, Feed: liushui.FeedReplay, Value: value})
	}
	const n, begin = 4000, 1793512800000 // 2026-10-31T23:00 there
	for i := range n {
		at := begin + int64(i)*4*3_600_000/n - random.Int64N(1_800_000)
		switch q := random.IntN(100); {
		case q < 2:
			put([]byte(one("", "x", "{}", `{"id":"z","type":"pay","time":1}`, event(`,"amount":-1`), "{\"id\":\"z\xff\"}", event(`,"user":5`))))
			continue
		case q < 8 && i > 100:
			put(records[len(records)-1-random.IntN(100)].Value)
			continue
		}
		e := liushui.Event{ID: "e" + strconv.Itoa(i), Type: one("view", "view", "view", "cart", "favorite", "order", "pay", "pay", "refund", "cancel"), Time: at,
			User: one("", "u"+strconv.Itoa(random.IntN(3000)), "u"+strconv.Itoa(random.IntN(3000))), Item: "i" + strconv.Itoa(random.IntN(50)),
			Category: one("手机", "Books", "'; --", "", "\"\\\t\x01"), Province: one("上海", "江苏", "浙江", ""), Channel: one("app", "web", ""),
			Gender: one("f", "m", ""), Age: one("20-29", "30-39", ""), Quantity: random.Int64N(5), HasQuantity: true, Amount: liushui.Money(random.Int64N(10_000_000)), HasAmount: random.IntN(10) > 0}
		put(e.AppendJSON(nil))
	}
	play(t, job, records, 1500)
}

// TestTooLarge: a sum that leaves 64 bits is null, the last that does not is exact.
func TestTooLarge(t *testing.T) {
	job := parse(t, `
job: test
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1m
statistics: {sales: {windows: [1m, 1d], by: [province], measures: {payments: count, paid: sum amount, pieces: sum quantity}}}
`)
	var records []liushui.Record
	put := func(province, amount string) {
		value := fmt.Sprintf(`{"id":"%d","type":"pay","time":%d,"province":%q,"amount":%s,"quantity":1000000000}`, len(records), 1580486400000+len(records)%2*1000, province, amount)
		records = append(records, liushui.Record{Offset: int64(len(records)), Feed: liushui.FeedReplay, Value: []byte(value)})
	}
	for range 922 {
		put("上海", "1e12")
		put("江苏", "1000000000000")
	}
	put("上海", "337203685477.5807")
	put("江苏", "337203685477.5808")
	for range 50 {
		put("江苏", "1000000000000")
	}
	play(t, job, records, 700)
}
