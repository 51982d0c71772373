package reconcile

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"liushui"
)

//go:embed testdata/job.yaml
var testJob string

func parse(t testing.TB, text string) *liushui.Job {
	t.Helper()
	job, err := liushui.ParseJob(t.Name(), text)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestDecode(t *testing.T) {
	n := FieldsOf(parse(t, testJob))
	with := func(fields string) string { return `{"id":"a","type":"pay","time":1580486400000` + fields + `}` }
	nested := func(levels int) string {
		return with(`,"x":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1))
	}
	padded := func(length int) string {
		return with(`,"x":"` + strings.Repeat("x", length-len(with(`,"x":""`))) + `"`)
	}
	long := strings.Repeat("人", 128)
	tests := []struct {
		name, value string
		want        string // id, time, province, user, amount, quantity; empty: bad
	}{
		{"plain", with(`,"province":"上海","user":"u","amount":1.5,"quantity":2`), "a 1580486400000 上海 u 15000 2"},
		{"blanks around", " \t\r\n" + with("") + "\n", "a 1580486400000   - -"},
		{"escapes in names and values", `{"\u0069d":"\u0061\"\\","type":"\u0070ay","time":1580486400000}`, `a"\ 1580486400000   - -`},
		{"of equal names the last", with(`,"id":5,"id":"b","amount":"x","amount":2,"user":"u","user":null`), "b 1580486400000   20000 -"},
		{"of equal names the last, bad", with(`,"user":"u","user":5`), ""},
		{"names compare exactly", with(`,"ID":"b","Amount":-1,"User":5`), "a 1580486400000   - -"},
		{"other fields hold anything", with(`,"order":5,"item":{"id":"z"},"age":[1e999,-0],"gender":false`), "a 1580486400000   - -"},
		{"null is absent", with(`,"province":null,"amount":null,"quantity":null`), "a 1580486400000   - -"},
		{"empty is unknown", with(`,"province":""`), "a 1580486400000   - -"},
		{"numbers by value", with(`,"amount":1.50000,"quantity":30e-1`), "a 1580486400000   15000 3"},
		{"numbers by value, exponents", with(`,"amount":1.5e0,"quantity":2E+0`), "a 1580486400000   15000 2"},
		{"quoted numbers", `{"id":"a","type":"pay","time":"1.5804864e12","amount":"1.5","quantity":"\u0032"}`, "a 1580486400000   15000 2"},
		{"negative zero", with(`,"amount":-0.0,"quantity":-0`), "a 1580486400000   0 0"},
		{"zero with any exponent", with(`,"amount":0e999999999,"quantity":0.000e-999999999`), "a 1580486400000   0 0"},
		{"greatest", with(`,"amount":1000000000000,"quantity":1000000000`), "a 1580486400000   10000000000000000 1000000000"},
		{"long zeros", with(`,"amount":1` + strings.Repeat("0", 3000) + `e-3000`), "a 1580486400000   10000 -"},
		{"longest id", `{"id":"` + strings.Repeat("x", 256) + `","type":"pay","time":1580486400000}`, strings.Repeat("x", 256) + " 1580486400000   - -"},
		{"longest dimension", with(`,"user":"` + long + `"`), "a 1580486400000  " + long + " - -"},
		{"a character of two halves", with(`,"user":"\ud83d\udE00"`), "a 1580486400000  😀 - -"},
		{"half a character, not named", with(`,"item":"\ud83d","\udc00":1`), "a 1580486400000   - -"},
		{"an escaped backslash before u", with(`,"user":"\\ud83d"`), `a 1580486400000  \ud83d - -`},
		{"100 levels", nested(100), "a 1580486400000   - -"},
		{"64 KiB", padded(64 << 10), "a 1580486400000   - -"},
		{"first time", `{"id":"a","type":"pay","time":946684800000}`, "a 946684800000   - -"},

		{"empty", "", ""},
		{"no JSON", "hello", ""},
		{"null", "null", ""},
		{"array", "[]", ""},
		{"string", `"{}"`, ""},
		{"empty object", "{}", ""},
		{"cut", `{"id":"a","type":"pay","time":15804864`, ""},
		{"text after the object", with("") + "x", ""},
		{"two objects", with("") + with(""), ""},
		{"byte order mark", "\ufeff" + with(""), ""},
		{"invalid UTF-8 in a value", with(",\"item\":\"\xff\""), ""},
		{"invalid UTF-8 in a name", with(",\"\xc3\":1"), ""},
		{"encoded half of a character", with(",\"item\":\"\xed\xa0\x80\""), ""},
		{"half a character", with(`,"user":"\ud83d"`), ""},
		{"halves in the wrong order", with(`,"user":"\ude00\ud83d"`), ""},
		{"control character in a string", with(",\"item\":\"\n\""), ""},
		{"101 levels", nested(101), ""},
		{"more than 64 KiB", padded(64<<10 + 1), ""},
		{"trailing comma", with(`,`), ""},
		{"single quotes", `{'id':'a'}`, ""},
		{"no id", `{"type":"pay","time":1580486400000}`, ""},
		{"empty id", `{"id":"","type":"pay","time":1580486400000}`, ""},
		{"id a number", `{"id":5,"type":"pay","time":1580486400000}`, ""},
		{"id too long", `{"id":"` + strings.Repeat("x", 257) + `","type":"pay","time":1580486400000}`, ""},
		{"no type", `{"id":"a","time":1580486400000}`, ""},
		{"unknown type", `{"id":"a","type":"buy","time":1580486400000}`, ""},
		{"type in capitals", `{"id":"a","type":"Pay","time":1580486400000}`, ""},
		{"no time", `{"id":"a","type":"pay"}`, ""},
		{"time null", `{"id":"a","type":"pay","time":null}`, ""},
		{"time a fraction", `{"id":"a","type":"pay","time":1580486400000.5}`, ""},
		{"time before 2000", `{"id":"a","type":"pay","time":946684799999}`, ""},
		{"time in seconds", `{"id":"a","type":"pay","time":1580486}`, ""},
		{"time beyond int64", `{"id":"a","type":"pay","time":9223372036854775808}`, ""},
		{"time true", `{"id":"a","type":"pay","time":true}`, ""},
		{"dimension a number", with(`,"user":5`), ""},
		{"dimension an object", with(`,"user":{}`), ""},
		{"dimension too long", with(`,"user":"` + long + `x"`), ""},
		{"amount of five places", with(`,"amount":1.23456`), ""},
		{"amount below 0", with(`,"amount":-0.0001`), ""},
		{"amount too large", with(`,"amount":1000000000000.0001`), ""},
		{"amount far too large", with(`,"amount":1e400`), ""},
		{"amount tiny", with(`,"amount":1e-999999999`), ""},
		{"amount not a number", with(`,"amount":"x"`), ""},
		{"amount empty", with(`,"amount":""`), ""},
		{"amount with blanks", with(`,"amount":" 1"`), ""},
		{"amount with a plus", with(`,"amount":"+1"`), ""},
		{"amount with a leading zero", with(`,"amount":"01"`), ""},
		{"amount in hex", with(`,"amount":"0x1"`), ""},
		{"amount a list", with(`,"amount":[1]`), ""},
		{"NaN", with(`,"amount":NaN`), ""},
		{"quantity a fraction", with(`,"quantity":1.5`), ""},
		{"quantity below 0", with(`,"quantity":-1`), ""},
		{"quantity too large", with(`,"quantity":1000000001`), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if e, err := Decode([]byte(test.value), n); err == nil {
				show := func(name string) string {
					if v, found := e.Sums[name]; found {
						return fmt.Sprint(v)
					}
					return "-"
				}
				got = fmt.Sprintf("%s %d %s %s %s %s", e.ID, e.Time, e.Fields["province"], e.Fields["user"], show("amount"), show("quantity"))
			}
			if got != test.want {
				t.Errorf("%.200s\n got %q\nwant %q", test.value, got, test.want)
			}
		})
	}
}

func TestOnlyNamedFieldsAreJudged(t *testing.T) {
	job := parse(t, `
job: test
zone: UTC
currency: EUR
lateness: 10s
corrections: 1m
statistics: {events: {windows: [1s], measures: {events: {compute: count, where: {channel: app}}}}}
`)
	value := `{"id":"a","type":"pay","time":1580486400000,"amount":-1,"quantity":"x","user":5,"channel":"app"}`
	if _, err := Decode([]byte(value), FieldsOf(job)); err != nil {
		t.Errorf("nothing sums amount or quantity: %v", err)
	}
	if _, err := Decode([]byte(strings.Replace(value, `"app"`, `1`, 1)), FieldsOf(job)); err == nil {
		t.Error("a condition names channel, a number there must be bad")
	}
}
