package spark

import (
	"fmt"
	"strings"
	"testing"

	"liushui"
	"liushui/dev"
	"liushui/enginetest"
)

const decodeJob = `
job: test
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1h
statistics:
  sales: {windows: [1m], by: [province], measures: {paid: sum amount, pieces: sum quantity, users: distinct user}}
`

// decoded is what Spark reads of a record.
type decoded struct {
	Offset   int64  `json:"offset"`
	Bad      string `json:"bad"`
	ID       string `json:"d_id"`
	Type     string `json:"d_type"`
	Time     int64  `json:"d_time"`
	Province string `json:"d_province"`
	User     string `json:"d_user"`
	Amount   *int64 `json:"d_amount"`
	Quantity *int64 `json:"d_quantity"`
}

func (d decoded) String() string {
	number := func(n *int64) string {
		if n == nil {
			return "-"
		}
		return fmt.Sprint(*n)
	}
	return fmt.Sprintf("%s %s %d %s %s %s %s", d.ID, d.Type, d.Time, d.Province, d.User, number(d.Amount), number(d.Quantity))
}

// decode lets Spark read records in one query.
func (l *live) decode(job *liushui.Job, records []liushui.Record) map[int64]decoded {
	l.t.Helper()
	dir := l.t.TempDir()
	l.write(dir, records)
	query := fmt.Sprintf("WITH files AS (SELECT * FROM json.`%s`), records AS (%s)\nSELECT offset, coalesce(bad, '') AS bad, d_id, d_type, d_time, d_province, d_user, d_amount, d_quantity FROM (%s)",
		dir, kafkaColumns, newDecoder(job).decoded(options{MaxAhead: maxAhead}))
	found := map[int64]decoded{}
	for _, d := range rows[decoded](l, query) {
		found[d.Offset] = d
	}
	return found
}

func event(fields string) string {
	return `{"id":"a","type":"pay","time":1580486400000` + fields + `}`
}

func padded(length int) string {
	return event(`,"x":"` + strings.Repeat("x", length-len(event(`,"x":""`))) + `"`)
}

func nested(levels int) string {
	return event(`,"x":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1))
}

// sound are records that are not bad, and what is read of them: id, type, time,
// province, user, amount, quantity.
var sound = []struct{ value, want string }{
	{event(`,"province":"上海","user":"u","amount":1.5,"quantity":2`), "a pay 1580486400000 上海 u 15000 2"},
	{" \t\r\n" + event("") + "\n", "a pay 1580486400000   - -"},
	{strings.ReplaceAll(event(`,"user":"u"`), ",", " , "), "a pay 1580486400000  u - -"},
	{strings.ReplaceAll(event(`,"user":"u"`), ":", "\t:\n"), "a pay 1580486400000  u - -"},
	{`{"\u0069d":"\u0061\"\\","type":"\u0070ay","time":1580486400000}`, `a"\ pay 1580486400000   - -`},
	{event(`,"id":5,"id":"b","amount":"x","amount":2,"user":"u","user":null`), "b pay 1580486400000   20000 -"},
	{event(`,"user":5,"user":"u","time":1,"time":1580486400001`), "a pay 1580486400001  u - -"},
	{event(`,"user":{"a":1,"a":2},"user":"u"`), "a pay 1580486400000  u - -"},
	{event(`,"ID":"b","Amount":-1,"User":5`), "a pay 1580486400000   - -"},
	{event(`,"order":5,"item":{"id":"z"},"age":[1e999,-0],"gender":false`), "a pay 1580486400000   - -"},
	{event(`,"province":null,"amount":null,"quantity":null`), "a pay 1580486400000   - -"},
	{event(`,"province":""`), "a pay 1580486400000   - -"},
	{event(`,"amount":1.50000,"quantity":30e-1`), "a pay 1580486400000   15000 3"},
	{event(`,"amount":1.5e0,"quantity":2E+0`), "a pay 1580486400000   15000 2"},
	{event(`,"amount" : 1e0 ,"quantity":1.0`), "a pay 1580486400000   10000 1"},
	{`{"id":"a","type":"pay","time":"1.5804864e12","amount":"1.5","quantity":"\u0032"}`, "a pay 1580486400000   15000 2"},
	{event(`,"amount":-0.0,"quantity":-0`), "a pay 1580486400000   0 0"},
	{event(`,"amount":0e999999999,"quantity":0.000e-999999999`), "a pay 1580486400000   0 0"},
	{event(`,"amount":1000000000000,"quantity":1000000000`), "a pay 1580486400000   10000000000000000 1000000000"},
	{event(`,"amount":1e12,"quantity":1e9`), "a pay 1580486400000   10000000000000000 1000000000"},
	{event(`,"amount":1` + strings.Repeat("0", 3000) + `e-3000`), "a pay 1580486400000   10000 -"},
	{event(`,"amount":"1` + strings.Repeat("0", 3000) + `e-3000"`), "a pay 1580486400000   10000 -"},
	{event(`,"amount":0.` + strings.Repeat("0", 1500) + `1e1501`), "a pay 1580486400000   10000 -"},
	{event(`,"amount":1.5` + strings.Repeat("0", 1500)), "a pay 1580486400000   15000 -"},
	{event(`,"amount":1e-4`), "a pay 1580486400000   1 -"},
	{event(`,"amount":0.00001e1`), "a pay 1580486400000   1 -"},
	{event(`,"amount":1e-0000000000000000000000001`), "a pay 1580486400000   1000 -"},
	{event(`,"am\u006funt":1e-4,"quantit\u0079":"2"`), "a pay 1580486400000   1 2"},
	{event(`,"time":1580486400000.0`), "a pay 1580486400000   - -"},
	{event(`,"x":{"amount":1e5,"id":7}`), "a pay 1580486400000   - -"},
	{event(`,"x":"\"amount\":1e5"`), "a pay 1580486400000   - -"},
	{event(`,"user":"\ud83d\udE00"`), "a pay 1580486400000  😀 - -"},
	{event(`,"item":"\ud83d","\udc00":1`), "a pay 1580486400000   - -"},
	{event(`,"user":"\ud83d","user":"u"`), "a pay 1580486400000  u - -"},
	{event(`,"user":"\\ud83d"`), `a pay 1580486400000  \ud83d - -`},
	{event(`,"user":"\b\f\n\r\t\/\u0000"`), "a pay 1580486400000  \b\f\n\r\t/\x00 - -"},
	{event(",\"user\":\"\u007f\u2028\ufffd\uffff\U0001f600\""), "a pay 1580486400000  \u007f\u2028\ufffd\uffff\U0001f600 - -"},
	{event(`,"user":"` + strings.Repeat("人", 128) + `"`), "a pay 1580486400000  " + strings.Repeat("人", 128) + " - -"},
	{event(`,"user":"` + strings.Repeat(`\n`, 128) + `"`), "a pay 1580486400000  " + strings.Repeat("\n", 128) + " - -"},
	{`{"id":"` + strings.Repeat("x", 256) + `","type":"pay","time":1580486400000}`, strings.Repeat("x", 256) + " pay 1580486400000   - -"},
	{nested(100), "a pay 1580486400000   - -"},
	{event(`,"x":[[],{}],"y":"}"`), "a pay 1580486400000   - -"},
	{event(`,"x":[` + strings.Repeat(`[],`, 20000) + `1]`), "a pay 1580486400000   - -"},
	{event(`,"x":"` + strings.Repeat(`\n`, 30000) + `"`), "a pay 1580486400000   - -"},
	{event(`,"x":"` + strings.Repeat(`\"`, 30000) + `"`), "a pay 1580486400000   - -"},
	{event(`,"x":` + strings.Repeat("1", 2000)), "a pay 1580486400000   - -"},
	{event(`,"x":[0.` + strings.Repeat("1", 2000) + `]`), "a pay 1580486400000   - -"},
	{event(`,"` + strings.Repeat("n", 40000) + `":1`), "a pay 1580486400000   - -"},
	{event(`,"":1,"!":{}`), "a pay 1580486400000   - -"},
	{padded(64 << 10), "a pay 1580486400000   - -"},
	{`{"id":"a","type":"view","time":946684800000}`, "a view 946684800000   - -"},
	{`{"id":"a","type":"view","time":253402300799999}`, "a view 253402300799999   - -"},
}

// unsound are bad records.
var unsound = []string{
	event(`,"x":{"amount":01e1}`),
	"", "hello", "null", "[]", `"{}"`, "{}", "\x00", `{"id":"a","type":"pay","time":15804864`, "[" + event("") + "]",
	event("") + "x", event("") + event(""), event("") + "}", event("") + "{", event("") + "}{", event("") + `"}`, event("") + ` "x}"`, event("") + `"}"}`,
	event(`,"x":[1]`) + " x", event(`,"x":[1]`) + " x}", event(`}`), event(`]`), "\ufeff" + event(""), event("\f"), event(",\x00"),
	event(",\"item\":\"\xff\""), event(",\"\xc3\":1"), event(",\"item\":\"\xed\xa0\x80\""), event(`,"user":"\ud83d"`), event(`,"user":"\ude00\ud83d"`), event(`,"user":"\ud83d\ud83d\ude00"`), event(`,"user":"\ud83d\ude00\ude00"`), event(`,"user":"\\ud83d\ude00"`), event(`,"user":"\\\ud83d"`), `{"id":"\uDFFF","type":"pay","time":1580486400000}`,
	event(",\"item\":\"\n\""), event(",\"user\":\"\x00\""), nested(101), padded(64<<10 + 1), event(`,`), `{'id':'a','type':'pay','time':1580486400000}`,
	event(`,x:1`), event(`,/**/"x":1`), event(",#\n\"x\":1"), event(`,"x":[}`), event(`,"x":[1,]`), event(`,"x":[1 2]`), event(`,"x" 1`), event(`,"x":1-2`),
	event(`,"x":-`), event(`,"x":1e`), event(`,"x":01`), event(`,"x":.5`), event(`,"x":1.`), event(`,"x":tru`), event(`,"x":NaN`), event(`,"x":-Infinity`), event(`,"x":"\x"`), event(`,"x":"\u12"`),
	event(`,"x":0` + strings.Repeat("1", 2000)),
	`{"type":"pay","time":1580486400000}`, `{"id":"","type":"pay","time":1580486400000}`, `{"id":5,"type":"pay","time":1580486400000}`, `{"id":null,"type":"pay","time":1580486400000}`,
	`{"id":"` + strings.Repeat("x", 257) + `","type":"pay","time":1580486400000}`, `{"id":"` + strings.Repeat("中", 86) + `","type":"pay","time":1580486400000}`,
	`{"id":"a","time":1580486400000}`, `{"id":"a","type":"buy","time":1580486400000}`, `{"id":"a","type":"Pay","time":1580486400000}`, `{"id":"a","type":7,"time":1580486400000}`,
	`{"id":"a","type":"pay"}`, `{"id":"a","type":"pay","time":null}`, `{"id":"a","type":"pay","time":1580486400000.5}`, `{"id":"a","type":"pay","time":946684799999}`, `{"id":"a","type":"pay","time":1580486}`,
	`{"id":"a","type":"pay","time":253402300800000}`, `{"id":"a","type":"pay","time":9e18}`, `{"id":"a","type":"pay","time":9223372036854775808}`, `{"id":"a","type":"pay","time":true}`, `{"id":"a","type":"pay","time":"noon"}`,
	event(`,"user":5`), event(`,"user":{}`), event(`,"user":"u","user":["u"]`), event(`,"user":true`), event(`,"user":"` + strings.Repeat("人", 129) + `"`),
	event(`,"amount":1.23456`), event(`,"amount":1e-5`), event(`,"amount":-0.0001`), event(`,"amount":1000000000000.0001`), event(`,"amount":1e400`), event(`,"amount":1e-999999999`), event(`,"amount":1e2147483648`),
	event(`,"amount":"x"`), event(`,"amount":""`), event(`,"amount":" 1"`), event(`,"amount":"+1"`), event(`,"amount":"01"`), event(`,"amount":"0x1"`), event(`,"amount":"1\u000a"`), event(`,"amount":[1]`), event(`,"amount":false`), event(`,"amount":NaN`),
	event(`,"amount":01`), event(`,"amount":01,"amount":1`), event(`,"amount":1.,"amount":1`), event(`,"amount":100000000000000000000`), event(`,"amount":1.5` + strings.Repeat("0", 1500) + "1"),
	event(`,"quantity":1.5`), event(`,"quantity":-1`), event(`,"quantity":1000000001`), event(`,"quantity":1e10`), event(`,"quantity":1e-1`),
	`{"a":` + strings.Repeat("[", 30000), strings.Repeat("{", 65000), strings.Repeat(`"`, 65001), strings.Repeat(`{"`, 30000), strings.Repeat(" ", 65000) + "{}",
}

// TestDecode holds Spark to the closed rule of system.md section 2.
func TestDecode(t *testing.T) {
	for _, release := range []string{dev.Spark42, dev.Spark41} {
		t.Run(release, func(t *testing.T) { testDecode(t, release) })
	}
}

func testDecode(t *testing.T, release string) {
	job, l := parse(t, decodeJob), newLive(t, release)
	var records []liushui.Record
	want := map[int64]string{}
	add := func(value, read string) {
		n := int64(len(records))
		records, want[n] = append(records, liushui.Record{Offset: n, Feed: liushui.FeedReplay, Value: []byte(value)}), read
	}
	for _, s := range sound {
		add(s.value, s.want)
	}
	for _, value := range unsound {
		add(value, "")
	}
	found, verdicts := l.decode(job, records), enginetest.Judge(job, records, enginetest.Options{})
	for i, r := range records {
		if bad := verdicts[enginetest.PlaceOf(r)] == enginetest.Bad; bad != (want[int64(i)] == "") {
			t.Errorf("this table says %q of %.100q, the oracle says bad: %v", want[int64(i)], r.Value, bad)
		}
		switch d, ok := found[int64(i)]; {
		case !ok:
			t.Errorf("%.100q: Spark says nothing", r.Value)
		case (d.Bad != "") != (want[int64(i)] == ""):
			t.Errorf("%.100q: bad is %q, want %q", r.Value, d.Bad, want[int64(i)])
		case d.Bad == "" && d.String() != want[int64(i)]:
			t.Errorf("%.100q: got %q, want %q", r.Value, d, want[int64(i)])
		}
	}
}

// TestAhead judges events that are ahead of their records' time in Kafka.
func TestAhead(t *testing.T) {
	job, l := parse(t, decodeJob), newLive(t, dev.Spark42)
	const at = 1580486400000
	var records []liushui.Record
	for i, c := range []struct {
		time int64
		feed string
	}{{at, ""}, {at - 300_000, ""}, {at - 300_001, ""}, {at - 300_001, liushui.FeedReplay}, {at - 300_001, liushui.FeedDemo}, {at - 300_001, "other"}} {
		records = append(records, liushui.Record{Offset: int64(i), Time: c.time, Feed: c.feed, Value: []byte(event(""))})
	}
	found := l.decode(job, records)
	for i, bad := range []bool{false, false, true, false, false, true} {
		if d := found[int64(i)]; (d.Bad != "") != bad {
			t.Errorf("record %d: %q", i, d.Bad)
		}
	}
}

// TestOnlyNamedFieldsAreJudged: what a job does not name may hold anything.
func TestOnlyNamedFieldsAreJudged(t *testing.T) {
	job := parse(t, `
job: test
zone: UTC
currency: EUR
lateness: 10s
corrections: 1m
statistics: {events: {windows: [1s], measures: {events: {compute: count, where: {channel: app}}}}}
`)
	l := newLive(t, dev.Spark42)
	dir := t.TempDir()
	l.write(dir, []liushui.Record{
		{Offset: 0, Feed: liushui.FeedReplay, Value: []byte(event(`,"amount":-1,"quantity":"x","user":5,"channel":"app"`))},
		{Offset: 1, Feed: liushui.FeedReplay, Value: []byte(event(`,"channel":1`))},
	})
	all := rows[decoded](l, fmt.Sprintf("WITH files AS (SELECT * FROM json.`%s`), records AS (%s) SELECT offset, coalesce(bad, '') AS bad FROM (%s)", dir, kafkaColumns, newDecoder(job).decoded(options{MaxAhead: maxAhead})))
	for _, d := range all {
		if (d.Bad != "") != (d.Offset == 1) {
			t.Errorf("record %d: %q", d.Offset, d.Bad)
		}
	}
	if len(all) != 2 {
		t.Errorf("%d rows", len(all))
	}
}

// TestWhatSparkParksThoughItIsSound keeps the list of decision 0022 right: these
// records are good by the rule, and bad to Spark.
func TestWhatSparkParksThoughItIsSound(t *testing.T) {
	job, l := parse(t, decodeJob), newLive(t, dev.Spark42)
	var records []liushui.Record
	for i, value := range []string{
		event(`,"` + strings.Repeat("n", 50_001) + `":1`),
	} {
		records = append(records, liushui.Record{Offset: int64(i), Feed: liushui.FeedReplay, Value: []byte(value)})
	}
	found, verdicts := l.decode(job, records), enginetest.Judge(job, records, enginetest.Options{})
	for i, r := range records {
		if d := found[int64(i)]; d.Bad == "" || verdicts[enginetest.PlaceOf(r)] == enginetest.Bad {
			t.Errorf("%.100q: %q, the oracle says %s", r.Value, d.Bad, verdicts[enginetest.PlaceOf(r)])
		}
	}
}

// TestPatterns holds the regular expressions to what Java and Go read alike: no
// repetition may give back what it took.
func TestPatterns(t *testing.T) {
	plan, err := compile(shop(t), options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{plan.events, plan.letters} {
		for i, part := range strings.Split(sql, "r'") {
			if pattern, _, found := strings.Cut(part, "'"); i > 0 && found && strings.Contains(pattern, ")*") && strings.Contains(strings.ReplaceAll(pattern, ")*+", ""), ")*") {
				t.Errorf("a group is repeated with stepping back, which takes stack: %s", pattern)
			}
		}
	}
}
