package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// mapped writes files into a folder and returns what a mapping makes of the
// one named data.csv: its events in the order of time, and its bad rows.
func mapped(t *testing.T, mapping string, files map[string]string, held int64) (events []string, bad []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := ParseMapping("test.yaml", mapping)
	if err != nil {
		t.Fatal(err)
	}
	rejects := filepath.Join(dir, "rejects.csv")
	r := openReplay(t, ReplayConfig{File: filepath.Join(dir, "data.csv"), Mapping: m, MaxBad: 1, RejectsFile: rejects, held: held})
	for _, item := range all(t, r, 1<<20) {
		events = append(events, string(item.Event.AppendJSON(nil)))
	}
	if text, err := os.ReadFile(rejects); err == nil {
		for line := range strings.Lines(string(text)) {
			bad = append(bad, strings.TrimPrefix(strings.TrimSpace(line), filepath.Join(dir, "data.csv")+","))
		}
		bad = bad[1:]
	}
	return events, bad
}

// event begins every mapping of a table that is about something else.
const event = `
zone: Asia/Shanghai
events:
  - type: order
    time: {column: t, unit: s}
    id: "{id}"
`

func TestMappingFeatures(t *testing.T) {
	tests := []struct {
		name, mapping, csv string
		events             []string
		bad                []string
	}{
		{"field from a column, a constant and a template", event + `    user: "{u}"
    channel: app
    item: "{u}/{id}#{#row}"
    category: "{{{u}}}"
`, "t,id,u\n1600000000,a,x\n1600000001,b,\n", []string{
			`{"id":"a","type":"order","time":1600000000000,"user":"x","item":"x/a#1","category":"{x}","channel":"app"}`,
			`{"id":"b","type":"order","time":1600000001000,"item":"/b#2","category":"{}","channel":"app"}`}, nil},
		{"long forms", event + `    user: {column: u, trim: true}
    channel: {constant: web}
    item: {template: "{u}!"}
`, "t,id,u\n1600000000,a, x \n", []string{
			`{"id":"a","type":"order","time":1600000000000,"user":"x","item":" x !","channel":"web"}`}, nil},
		{"value map of numbers", strings.Replace(event, "type: order", "type: {column: k, map: {1: pay, 2: cart}}", 1),
			"t,id,k\n1600000000,a,1\n1600000000,b,2\n1600000000,c,3\n", []string{
				`{"id":"a","type":"pay","time":1600000000000}`,
				`{"id":"b","type":"cart","time":1600000000000}`},
			[]string{`4,"type ""3"" is not in the mapping's map","1600000000,c,3"`}},
		{"value map with an otherwise", event + `    gender: {column: g, map: {F: female, M: male}, otherwise: ""}
`, "t,id,g\n1600000000,a,F\n1600000000,b,?\n", []string{
			`{"id":"a","type":"order","time":1600000000000,"gender":"female"}`,
			`{"id":"b","type":"order","time":1600000000000}`}, nil},
		{"a type that is none", strings.Replace(event, "type: order", `type: "{k}"`, 1), "t,id,k\n1600000000,a,buy\n", nil,
			[]string{`2,"type ""buy"" is none of the seven","1600000000,a,buy"`}},
		{"province", event + `    province: {column: p, normalize: province}
`, "t,id,p\n1600000000,a,内蒙古自治区\n1600000000,b, 上海市\n1600000000,c,Bayern\n", []string{
			`{"id":"a","type":"order","time":1600000000000,"province":"内蒙古"}`,
			`{"id":"b","type":"order","time":1600000000000,"province":"上海"}`,
			`{"id":"c","type":"order","time":1600000000000}`}, nil},
		{"further dimensions", event + `    dimensions: {country: "{c}", brand: no}
`, "t,id,c\n1600000000,a,UK\n", []string{
			`{"id":"a","type":"order","time":1600000000000,"brand":"no","country":"UK"}`}, nil},
		{"amount and quantity", event + `    amount: "{a}"
    quantity: {column: q, absolute: true}
`, "t,id,a,q\n1600000000,a,178.8,-3\n1600000000,b,,\n1600000000,c,+007.50, 2 \n1600000000,d,1E3,2.0\n1600000000,e,.5,1\n", []string{
			`{"id":"a","type":"order","time":1600000000000,"quantity":3,"amount":178.80}`,
			`{"id":"b","type":"order","time":1600000000000}`,
			`{"id":"c","type":"order","time":1600000000000,"quantity":2,"amount":7.50}`,
			`{"id":"d","type":"order","time":1600000000000,"quantity":2,"amount":1000.00}`,
			`{"id":"e","type":"order","time":1600000000000,"quantity":1,"amount":0.50}`}, nil},
		{"bad numbers", event + `    amount: "{a}"
    quantity: "{q}"
`, "t,id,a,q\n1600000000,a,¥5,1\n1600000000,b,1.23456,1\n1600000000,c,-1,1\n1600000000,d,1,1.5\n1600000000,e,1e13,1\n1600000000,f,1,9999999999\n", nil, []string{
			`2,"amount ""¥5"" is not a number","1600000000,a,¥5,1"`,
			`3,"amount ""1.23456"" has more than 4 decimal places","1600000000,b,1.23456,1"`,
			`4,amount -1.00 is not in 0 to 1000000000000.00,"1600000000,c,-1,1"`,
			`5,"quantity ""1.5"" is not a whole number","1600000000,d,1,1.5"`,
			`6,amount 10000000000000.00 is not in 0 to 1000000000000.00,"1600000000,e,1e13,1"`,
			`7,quantity 9999999999 is not in 0 to 1000000000,"1600000000,f,1,9999999999"`}},
		{"exact product", event + `    amount: {product: [p, q], absolute: true}
`, "t,id,p,q\n1600000000,a,0.1,3\n1600000000,b,-2.08,80995\n1600000000,c,0.001,0.01\n", []string{
			`{"id":"a","type":"order","time":1600000000000,"amount":0.30}`,
			`{"id":"b","type":"order","time":1600000000000,"amount":168469.60}`},
			[]string{`4,"amount ""0.001 × 0.01"" has more than 4 decimal places","1600000000,c,0.001,0.01"`}},
		{"one row makes several events", event + `  - type: pay
    when: {paid: {empty: false}}
    time: {column: paid, unit: ms}
    id: "{id}-pay"
  - type: refund
    when: {back: {above: 0}}
    time: {column: paid, unit: ms, plus: 90m}
    id: "{id}-refund"
    amount: "{back}"
`, "t,id,paid,back\n1600000000,a,1600000009000,5\n1600000001,b,1600000002000,0.00\n1600000003,c, ,\n", []string{
			`{"id":"a","type":"order","time":1600000000000}`,
			`{"id":"b","type":"order","time":1600000001000}`,
			`{"id":"b-pay","type":"pay","time":1600000002000}`,
			`{"id":"c","type":"order","time":1600000003000}`,
			`{"id":"a-pay","type":"pay","time":1600000009000}`,
			`{"id":"a-refund","type":"refund","time":1600005409000,"amount":5.00}`}, nil},
		{"a row is bad as a whole", event + `  - type: pay
    time: {column: paid, unit: s}
    id: "{id}-pay"
`, "t,id,paid\n1600000000,a,soon\n1600000000,b,1600000000\n", []string{
			`{"id":"b","type":"order","time":1600000000000}`,
			`{"id":"b-pay","type":"pay","time":1600000000000}`},
			[]string{`2,"time ""soon"" is not unix seconds","1600000000,a,soon"`}},
		{"bad ids and dimensions", event + `    user: "{u}"
`, "t,id,u\n1600000000,,x\n1600000000," + strings.Repeat("i", 257) + ",x\n1600000000,c," + strings.Repeat("字", 129) + "\n1600000000,d,\xff\n", nil, []string{
			`2,id is empty,"1600000000,,x"`,
			`3,"id has 257 bytes, more than 256","1600000000,` + strings.Repeat("i", 257) + `,x"`,
			`4,user has more than 128 characters,"1600000000,c,` + strings.Repeat("字", 129) + `"`,
			"5,user is not valid UTF-8,\"1600000000,d,\xff\""}},
		{"wrong number of columns", event, "t,id\n1600000000,a,x\n1600000000\n1600000000,b\n", []string{
			`{"id":"b","type":"order","time":1600000000000}`}, []string{
			`2,3 columns instead of 2,"1600000000,a,x"`,
			`3,1 columns instead of 2,1600000000`}},
		{"time before 2000", event, "t,id\n15,a\n946684799,b\n946684800,c\n", []string{
			`{"id":"c","type":"order","time":946684800000}`}, []string{
			`2,time 15000 is before the year 2000,"15,a"`,
			`3,time 946684799000 is before the year 2000,"946684799,b"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, held := range []int64{0, 1} { // in memory, and from blocks of the file
				events, bad := mapped(t, test.mapping, map[string]string{"data.csv": test.csv}, held)
				if diff := cmp.Diff(test.events, events); diff != "" {
					t.Errorf("events: %s", diff)
				}
				if diff := cmp.Diff(test.bad, bad); diff != "" {
					t.Errorf("bad rows: %s", diff)
				}
			}
		})
	}
}

func TestConditions(t *testing.T) {
	const rows = "t,id,v\n1600000000,a,\n1600000000,b, \n1600000000,c,10\n1600000000,d,9.99\n1600000000,e,-3\n1600000000,f,C10\n"
	tests := []struct{ condition, ids string }{
		{"{empty: true}", "a b"},
		{"{empty: false}", "c d e f"},
		{"{equals: 10}", "c"},
		{"C10", "f"},
		{`{in: ["10", C10]}`, "c f"},
		{"[-3, C10]", "e f"},
		{"{starts_with: C}", "f"},
		{"{empty: false, starts_with: 1}", "c"},
		{"{above: 9.99}", "c !f"},
		{"{below: 9.99}", "e !f"},
		{"{above: -5, below: 10}", "d e !f"},
	}
	for _, test := range tests {
		t.Run(test.condition, func(t *testing.T) {
			events, bad := mapped(t, event+"    when: {v: "+test.condition+"}\n", map[string]string{"data.csv": rows}, 0)
			var ids []string
			for _, e := range events {
				ids = append(ids, e[7:8])
			}
			for _, b := range bad {
				cells := strings.Split(b, ",")
				ids = append(ids, "!"+cells[len(cells)-2])
			}
			if got := strings.Join(ids, " "); got != test.ids {
				t.Errorf("%s, want %s", got, test.ids)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	tests := []struct {
		time, cell, want string // ms, or the reason
	}{
		{`{column: t, layout: "yyyy-MM-dd HH:mm:ss"}`, "2020-02-29 23:59:18", "1582991958000"},
		{`{column: t, layout: "yyyy-MM-dd HH:mm:ss", zone: UTC}`, "2020-02-29 23:59:18", "1583020758000"},
		{`{column: t, layout: "2006-01-02 15:04:05"}`, "2020-02-29 23:59:18", "1582991958000"},
		{`{column: t, layout: "yyyy/M/d H:mm"}`, "2020/2/9 7:05", "1581203100000"},
		{`{column: t, layout: "yyyy/M/d HH:mm"}`, "2020/2/9 7:05", "1581203100000"},
		{`{column: t, layout: "yyyyMMddHHmmss"}`, "20200229235918", "1582991958000"},
		{`{column: t, layout: "yyyy-MM-dd HH:mm:ss.SSS"}`, "2020-02-29 23:59:18.250", "1582991958250"},
		{`{column: t, layout: "yyyy-MM-dd'T'HH:mm:ssXXX"}`, "2020-02-29T23:59:18+01:00", "1583017158000"},
		{`{column: t, layout: "2006-01-02T15:04:05Z07:00"}`, "2020-02-29T23:59:18Z", "1583020758000"},
		{`{column: t, layout: "yyyy年MM月dd日 HH时"}`, "2020年02月29日 23时", "1582988400000"},
		{`{column: t, layout: "MMM d yyyy hh:mm a"}`, "Feb 29 2020 11:05 PM", "1582988700000"},
		{`{template: "2014-{t}", layout: "yyyy-MM-dd"}`, "11-11", "1415635200000"},
		{`{column: t, layout: "EEE, d MMM yyyy HH:mm:ss xx"}`, "Sat, 29 Feb 2020 23:59:18 -0800", "1583049558000"},
		{`{column: t, layout: "d MMMM yyyy HH:mm XX"}`, "9 February 2020 12:00 Z", "1581249600000"},
		{`{column: t, unit: s}`, " 1600000000 ", "1600000000000"},
		{`{column: t, unit: ms}`, "1600000000123", "1600000000123"},
		{`{column: t, unit: s, plus: -1m}`, "1600000000", "1599999940000"},
		{`{column: t, layout: "yyyy-MM-dd HH:mm:ss"}`, "2020-02-30 00:00:00", `time "2020-02-30 00:00:00" is not a time of the form yyyy-MM-dd HH:mm:ss`},
		{`{column: t, layout: "yyyy-MM-dd HH:mm:ss"}`, "", `time "" is not a time of the form yyyy-MM-dd HH:mm:ss`},
		{`{column: t, unit: s}`, "1600000000.0", "1600000000000"},
		{`{column: t, unit: s}`, "1600000000.123", "1600000000123"},
		{`{column: t, unit: s}`, "1.6e9", "1600000000000"},
		{`{column: t, unit: s}`, "1600000000.1234", `time "1600000000.1234" is not unix seconds`},
		{`{column: t, unit: s}`, "-1600000000", `time -1600000000000 is before the year 2000`},
		{`{column: t, unit: s}`, "", `time "" is not unix seconds`},
		{`{column: t, unit: s}`, "16000O0000", `time "16000O0000" is not unix seconds`},
		{`{column: t, unit: ms}`, "9999999999999999", `time "9999999999999999" is not unix milliseconds`},
		// Clocks go forward at 01:00 and back at 02:00 in London.
		{`{column: t, layout: "yyyy-MM-dd HH:mm", zone: Europe/London}`, "2020-03-29 00:59", "1585443540000"},
		{`{column: t, layout: "yyyy-MM-dd HH:mm", zone: Europe/London}`, "2020-03-29 02:00", "1585443600000"},
		{`{column: t, layout: "yyyy-MM-dd HH:mm", zone: Europe/London}`, "2020-10-25 00:30", "1603582200000"},
		{`{column: t, layout: "yyyy-MM-dd HH:mm", zone: Europe/London}`, "2020-10-25 02:00", "1603591200000"},
	}
	for _, test := range tests {
		t.Run(test.time+" "+test.cell, func(t *testing.T) {
			mapping := "zone: Asia/Shanghai\nevents:\n  - {type: view, id: \"{#row}\", time: " + test.time + "}\n"
			events, bad := mapped(t, mapping, map[string]string{"data.csv": "t,x\n\"" + test.cell + "\",\n"}, 0)
			if len(events) == 1 && events[0] == `{"id":"1","type":"view","time":`+test.want+`}` {
				return
			}
			if len(bad) == 1 && strings.Contains(strings.ReplaceAll(bad[0], `""`, `"`), test.want) {
				return
			}
			t.Error(events, bad)
		})
	}
}

func TestDaySpread(t *testing.T) {
	mapping := func(seed string) string {
		return "zone: Asia/Shanghai\nevents:\n  - {type: view, id: \"{#row}\", time: {column: d, layout: yyyy-MM-dd, spread: day, seed: " + seed + "}}\n"
	}
	rows := "d,x\n" + strings.Repeat("2014-11-11,\n", 2400)
	files := map[string]string{"data.csv": rows}
	first, _ := mapped(t, mapping("1"), files, 0)
	again, _ := mapped(t, mapping("1"), files, 0)
	other, _ := mapped(t, mapping("2"), files, 0)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error("the same seed gives other times:", diff)
	}
	if cmp.Equal(first, other) {
		t.Error("another seed gives the same times")
	}
	m, err := ParseMapping("m", mapping("1"))
	if err != nil {
		t.Fatal(err)
	}
	c, hours := newClock(m.events[0].Time), [24]int{}
	for row := int64(1); row <= 2400; row++ {
		at, ok := c.read("2014-11-11", row)
		begin := int64(1_415_635_200_000)
		if !ok || at < begin || at >= begin+day {
			t.Fatal(at, ok)
		}
		hours[(at-begin)/3_600_000]++
	}
	for hour, n := range hours {
		if n < 60 || n > 140 {
			t.Errorf("%d of 2400 events in hour %d", n, hour)
		}
	}
}

func TestLookups(t *testing.T) {
	mapping := strings.Replace(event, "events:", `lookups:
  names: {file: names.txt, key: id, value: name, csv: {header: false, columns: [id, name, more], delimiter: "|"}}
events:`, 1) + `    category: {column: c, lookup: names}
    item: {column: c, lookup: names, otherwise: other}
`
	events, _ := mapped(t, mapping, map[string]string{
		"data.csv":  "t,id,c\n1600000000,a,7\n1600000000,b,8\n",
		"names.txt": "7|Books|\n9|Toys|\n",
	}, 0)
	want := []string{
		`{"id":"a","type":"order","time":1600000000000,"item":"Books","category":"Books"}`,
		`{"id":"b","type":"order","time":1600000000000,"item":"other"}`}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Error(diff)
	}
}

func TestLookupBesideTheMapping(t *testing.T) {
	data, own := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	file := write(data, "data.csv", "t,id,c\n1600000000,a,7\n")
	write(own, "names.csv", "id,name\n7,own\n")
	path := write(own, "m.yaml", strings.Replace(event, "events:", "lookups:\n  names: {file: names.csv, key: id, value: name}\nevents:", 1)+"    category: {column: c, lookup: names}\n")
	category := func() string {
		m, err := LoadMapping(path)
		if err != nil {
			t.Fatal(err)
		}
		return all(t, openReplay(t, ReplayConfig{File: file, Mapping: m}), 1)[0].Event.Category
	}
	if got := category(); got != "own" {
		t.Errorf("%q, want that beside the mapping", got)
	}
	write(data, "names.csv", "id,name\n7,beside\n")
	if got := category(); got != "beside" {
		t.Errorf("%q, want that beside the CSV", got)
	}
}

func TestProvinceNames(t *testing.T) {
	for long, short := range map[string]string{
		"江苏省": "江苏", "上海市": "上海", "上海": "上海", "内蒙古自治区": "内蒙古", "广西壮族自治区": "广西", "西藏自治区": "西藏",
		"宁夏回族自治区": "宁夏", "新疆维吾尔自治区": "新疆", "香港特别行政区": "香港", "澳门": "澳门", "台湾省": "台湾", "黑龙江省": "黑龙江",
		"广东省深圳市南山区": "广东", "中国浙江省": "浙江", " 北京市\t": "北京", "内蒙古": "内蒙古",
		"": "", "江": "", "Shanghai": "", "未知地区": "", "山": "",
	} {
		if got := shortProvince(long); got != short {
			t.Errorf("%q is %q, want %q", long, got, short)
		}
	}
	names := map[string]bool{}
	for _, name := range provinces {
		names[name] = true
	}
	if len(names) != 34 {
		t.Errorf("%d provinces, want 34", len(names))
	}
}

func TestMappingErrorsSayWhatWhereAndHow(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(event, old, new, 1) }
	tests := []struct{ text, want string }{
		{edit("time:", "tme:"), `[5:5] unknown field "tme"`},
		{edit("column: t", "colum: t"), `unknown field "colum"`},
		{event + "    user: {column: u, lokup: x}\n", `[7:23] unknown field "lokup"`},
		{event + "csv: {heder: false}\n", `unknown field "heder"`},
		{"events: [", "[1:9] sequence end token ']' not found"},
		{edit("Asia/Shanghai", "Asia/Beijing"), `zone: "Asia/Beijing" is no IANA zone; want one such as Asia/Shanghai`},
		{edit("zone: Asia/Shanghai\n", ""), "zone: missing"},
		{"zone: UTC\n", "events: none; want at least one"},
		{edit("type: order", "type: buy"), `events: number 1: type: "buy" is none of view, cart, favorite, order, pay, refund, cancel`},
		{edit("type: order", "type: {column: k, map: {1: buy}}"), `type: "buy" is none of`},
		{edit(`"{id}"`, `one`), "id: the same for every row"},
		{edit("unit: s", "unit: h"), `time: unit: "h"; want s or ms`},
		{edit(", unit: s", ""), "time: want a layout"},
		{edit("unit: s", `layout: "HH:mm"`), `time: layout: "HH:mm" has no year`},
		{edit("unit: s", `unit: s, zone: X/Y`), `time: zone: "X/Y" is no IANA zone`},
		{edit("unit: s", "unit: s, spread: hour"), `time: spread: "hour"; want day`},
		{edit("unit: s", "unit: s, plus: 1 day"), `time: plus: "1 day"; want a time such as`},
		{edit("column: t, ", ""), "time: want a column or a template"},
		{event + "    when: {x: {}}\n", "when: x: want a condition"},
		{event + "    when: {x: {above: much}}\n", `when: x: above: "much" is not a number`},
		{event + "    amount: {product: [a]}\n", "amount: product: 1 columns; want two"},
		{event + "    amount: {absolute: true}\n", "amount: want a column or a product of two columns"},
		{event + "    quantity: {product: [a, b]}\n", "quantity: a product is for amount alone"},
		{event + "    user: {column: a, template: b}\n", "user: want one of column, constant and template"},
		{event + "    user: {column: a, lookup: b}\n", `user: lookup "b" is not among lookups`},
		{event + "    user: {column: a, otherwise: b}\n", "user: otherwise: only beside a map or a lookup"},
		{event + "    user: {column: a, normalize: city}\n", `user: normalize: "city"; want province`},
		{event + "    dimensions: {user: x}\n", "dimensions: user is a field of its own"},
		{event + "    dimensions: {产地: x}\n", `dimensions: "产地"; want a name of letters`},
		{event + "lookups: {a: {file: x}}\n", "lookups: a: want file, key and value"},
		{event + "csv: {header: false}\n", "csv: columns: missing"},
		{event + "csv: {columns: [a]}\n", "csv: columns: only beside  header: false"},
		{event + "csv: {quote: ab}\n", `csv: quote: "ab"; want one ASCII character`},
		{event + "csv: {delimiter: '\"'}\n", "cannot be told from quotes"},
		{event + "csv: {newline: cd}\n", `csv: newline: "cd"; want auto, lf, crlf or cr`},
		{event + "csv: {encoding: klingon}\n", `csv: encoding: "klingon" is not known; want an IANA name`},
	}
	for _, test := range tests {
		_, err := ParseMapping("my.yaml", test.text)
		if err == nil {
			t.Errorf("accepted: %s", test.text)
			continue
		}
		if !errors.Is(err, liushui.ErrMisuse) || !strings.HasPrefix(err.Error(), "mapping my.yaml: ") ||
			!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v\nwant %s", err, test.want)
		}
	}
}

func TestBuiltinMappingsAreFound(t *testing.T) {
	want := []string{"online-retail", "taobao-behavior", "taobao-user-log", "tmall-orders"}
	if diff := cmp.Diff(want, BuiltinMappings()); diff != "" {
		t.Error(diff)
	}
	for _, name := range want {
		builtin(t, name)
	}
	_, err := LoadMapping("tmall")
	if !errors.Is(err, liushui.ErrMisuse) || err.Error() != "mapping tmall: no such file, and none of the built-in ones (online-retail, taobao-behavior, taobao-user-log, tmall-orders)" {
		t.Error(err)
	}
	if _, err := LoadMapping(t.TempDir()); !errors.Is(err, liushui.ErrMisuse) {
		t.Error(err)
	}
}

// TestTheGuideIsRight takes the guide's mappings and its CSV at their word.
func TestTheGuideIsRight(t *testing.T) {
	guide, err := os.ReadFile("../mappings/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]string{}
	for i, part := range strings.Split(string(guide), "```") {
		if kind, text, ok := strings.Cut(part, "\n"); ok && i%2 == 1 {
			blocks[kind] = append(blocks[kind], text)
		}
	}
	if len(blocks["yaml"]) != 2 || len(blocks["csv"]) != 1 {
		t.Fatal(blocks)
	}
	events, bad := mapped(t, blocks["yaml"][0], map[string]string{"data.csv": blocks["csv"][0]}, 0)
	want := []string{
		`{"id":"1001-order","type":"order","time":1794326403000,"order":"1001","user":"c7","province":"上海","quantity":2,"amount":39.80}`,
		`{"id":"1002-order","type":"order","time":1794326404000,"order":"1002","user":"c9","province":"广东","quantity":1,"amount":5.00}`,
		`{"id":"1001-pay","type":"pay","time":1794326421000,"order":"1001","user":"c7","province":"上海","quantity":2,"amount":39.80}`,
		`{"id":"1002-cancel","type":"cancel","time":1794328204000,"order":"1002"}`}
	if diff := cmp.Diff(want, events); diff != "" || bad != nil {
		t.Error(diff, bad)
	}
	events, bad = mapped(t, blocks["yaml"][1], map[string]string{"data.csv": "u,i,7,1600000000\n", "categories.csv": "id,name\n8,x\n"}, 0)
	if diff := cmp.Diff([]string{`{"id":"u-i-1600000000-1","type":"view","time":1600000000000,"user":"u","category":"?"}`}, events); diff != "" || bad != nil {
		t.Error(diff, bad)
	}
}
