package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"liushui"
)

// poison are records that no engine can read, and what their dead letters say.
func poison(at time.Time) []struct {
	name, value, detail string
} {
	whole := func(rest string) string {
		return fmt.Sprintf(`{"id":"poison","type":"pay","time":%d,"user":"u","amount":1%s}`, at.UnixMilli(), rest)
	}
	return []struct{ name, value, detail string }{
		{"no JSON", "hello", "not a JSON object"},
		{"half an object", whole("")[:40], "not a JSON object"},
		{"two objects", whole("") + whole(""), "not a JSON object"},
		{"an array", "[" + whole("") + "]", "not a JSON object"},
		{"BOM", "\ufeff" + whole(""), "not a JSON object"},
		{"blanks", " \t\r\n", "not a JSON object"},
		{"an empty value", "", "not a JSON object"},
		{"NULs", strings.Repeat("\x00", 100), "not a JSON object"},
		{"10,000 objects in one another", strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), "more than 100 levels"},
		{"10,000 arrays in one another", whole(`,"item":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), "more than 100 levels"},
		{"10,000 open brackets", strings.Repeat("[", 10_000), "more than 100 levels"},
		{"NaN", whole(`,"amount":NaN`), "not a JSON object"},
		{"Infinity", whole(`,"amount":-Infinity`), "not a JSON object"},
		{"1e400", whole(`,"amount":1e400`), "amount"},
		{"1e400 as text", whole(`,"quantity":"1e400"`), "quantity"},
		{"a large exponent", whole(`,"amount":1e-999999999999999999999`), "amount"},
		{"a wrong one of two", whole(`,"user":"v","user":7`), "user"},
		{"invalid UTF-8", whole(`,"item":"` + "\xc3\x28" + `"`), "not valid UTF-8"},
		{"UTF-8 of half a character", whole(`,"item":"` + "\xed\xa0\xbd" + `"`), "not valid UTF-8"},
		{"UTF-16", "{\x00\"\x00i\x00d\x00\"\x00", "not a JSON object"},
		{"a time in seconds", strings.Replace(whole(""), fmt.Sprint(at.UnixMilli()), fmt.Sprint(at.Unix()), 1), "time"},
		{"more than 64 KiB", whole(`,"note":"` + strings.Repeat("\u202e\x7f", 20_000) + `"`), "more than 65536"},
		{"as much as a producer sends", whole(`,"note":"` + strings.Repeat("9", 999_800) + `"`), "more than 65536"},
		{"much more", whole(`,"note":"` + strings.Repeat("<img onerror>", 70_000) + `"`), "more than 65536"},
	}
}

// TestPoison sends nothing but poison, then one in a hundred: each record is a
// dead letter with its reason, and the others are counted exactly.
func TestPoison(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	l.open("broker", "process", "store")
	now := time.Now()
	kinds := poison(now)
	var all []liushui.Record
	details := map[string]string{} // by record
	add := func(value []byte, detail string) {
		if detail != "" {
			details[fmt.Sprintf("category/0/%d", len(all))] = detail
		}
		all = append(all, liushui.Record{Key: []byte("k"), Value: value})
	}
	for range 3 {
		for _, kind := range kinds {
			add([]byte(kind.value), kind.detail)
		}
		add(nil, "not a JSON object") // a tombstone
	}
	l.write(liushui.TopicEvents, all...)
	l.awaitRead(int64(len(all)))
	if account := l.account(); account.Bad != account.Read || !account.Balanced() {
		t.Errorf("of nothing but poison the account is %+v", account)
	}

	begin := len(all)
	for i := range 100 * len(kinds) {
		if i%100 == 50 {
			add([]byte(kinds[i/100].value), kinds[i/100].detail)
			continue
		}
		twice := fmt.Sprintf(`{"id":"?","amount":-1,"id":"%d","type":"view","type":"pay","time":%d,"user":7,"user":"u%d","amount":0.0%d,"\u0061mount":%d.25,"note":[{}]}`,
			i, now.Add(-time.Duration(i%3000)*time.Second).UnixMilli(), i%70, i%10, i)
		add([]byte(twice), "") // of equal names the last counts
	}
	l.write(liushui.TopicEvents, all[begin:]...)
	l.awaitRead(int64(len(all)))

	listed := l.listed("--limit", fmt.Sprint(len(all)))
	if len(listed) != len(details) {
		t.Errorf("%d dead letters, want %d", len(listed), len(details))
	}
	for _, letter := range listed {
		if want, ok := details[letter.Record]; !ok || letter.Reason != reasonBad || !strings.Contains(letter.Detail, want) {
			t.Errorf("record %s is %s for %q, want bad for %q", letter.Record, letter.Reason, letter.Detail, want)
		}
	}
	l.showsTheLarge(all)
	l.ended()
	l.awaitFinal()
	l.stop("process", "store", "broker")
	compareWithTheLog(t, l.data, shop(t))
}

// showsTheLarge looks at the dead letters of the records larger than 64 KiB that were sent last:
// they are shown with nothing in them that a terminal obeys.
func (l *line) showsTheLarge(all []liushui.Record) {
	l.t.Helper()
	found := 0
	for i, r := range all[len(all)-300:] {
		if len(r.Value) <= liushui.MaxRecord {
			continue
		}
		found++
		name := fmt.Sprintf("category/0/%d", len(all)-300+i)
		shown := must(l.t, l.run("deadletters", "show", name)).out
		if strings.ContainsAny(shown, "\u202e\x7f\x1b") || len(shown) <= liushui.MaxRecord {
			l.t.Errorf("%s is shown with what a terminal obeys, or cut to %d bytes", name, len(shown))
		}
		if len(r.Value) > liushui.MaxLetter {
			contains(l.t, shown, fmt.Sprintf("%d, of which the letter keeps the first %d\n", len(r.Value), liushui.MaxLetter))
		}
		if raw := must(l.t, l.run("deadletters", "show", name, "--raw")).out; raw != string(r.Value[:min(len(r.Value), liushui.MaxLetter)]) {
			l.t.Errorf("%s has %d bytes, which are not those that were sent: %d", name, len(raw), len(r.Value))
		}
		if bytes.Contains(r.Value, []byte("\u202e")) {
			contains(l.t, shown, `\u202e\x7f`)
		}
	}
	if found != 3 {
		l.t.Errorf("%d large records, want 3", found)
	}
}
