package wall

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

func eventRecords(values ...string) (records []liushui.Record) {
	for i, v := range values {
		records = append(records, liushui.Record{Offset: int64(i), Value: []byte(v)})
	}
	return records
}

func TestSample(t *testing.T) {
	const at = `"time":1580486400000`
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		name  string
		value string
		want  *orderView
	}{
		{"a payment", `{"id":"1","type":"pay",` + at + `,"order":"o12345","user":"张三丰","province":"上海","category":"手机","amount":178.76}`,
			&orderView{Time: 1580486400000, Type: "pay", Order: "o***5", User: "张***丰", Province: "上海", Category: "手机", Amount: text("178.76")}},
		{"an order without anything", `{"id":"1","type":"order",` + at + `}`, &orderView{Time: 1580486400000, Type: "order"}},
		{"short names are hidden wholly", `{"id":"1","type":"order",` + at + `,"order":"7","user":"张三"}`, &orderView{Time: 1580486400000, Type: "order", Order: "***", User: "***"}},
		{"quoted numbers", `{"id":"1","type":"order","time":"1580486400000","amount":"1.5e0"}`, &orderView{Time: 1580486400000, Type: "order", Amount: text("1.50")}},
		{"another type", `{"id":"1","type":"view",` + at + `,"order":"o"}`, nil},
		{"no id", `{"type":"pay",` + at + `}`, nil},
		{"no time", `{"id":"1","type":"pay"}`, nil},
		{"a bad time", `{"id":"1","type":"pay","time":12}`, nil},
		{"a bad amount", `{"id":"1","type":"pay",` + at + `,"amount":1.23456}`, nil},
		{"a negative amount", `{"id":"1","type":"pay",` + at + `,"amount":-1}`, nil},
		{"a user that is no string", `{"id":"1","type":"pay",` + at + `,"user":7}`, nil},
		{"too long a name", `{"id":"1","type":"pay",` + at + `,"category":"` + strings.Repeat("x", 129) + `"}`, nil},
		{"no JSON", `"pay" or "order"`, nil},
		{"nothing", ``, nil},
	} {
		var s sample
		s.take(eventRecords(c.value))
		var want []orderView
		if c.want != nil {
			c.want.Key = 1
			want = []orderView{*c.want}
		}
		if diff := cmp.Diff(append([]orderView{}, want...), s.view()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func pay(id int, time int64) string {
	return fmt.Sprintf(`{"id":"%d","type":"pay","time":%d,"user":"user-%d","amount":%d}`, id, evening+time, id, id)
}

func TestSampleIsBoundedAndRepeatsNothing(t *testing.T) {
	var s sample
	var values []string
	for i := range 15 {
		values = append(values, pay(i, int64(i)))
	}
	s.take(eventRecords(values...))
	s.take(eventRecords(values...))                          // sent again
	s.take(eventRecords(pay(20, 20), pay(16, 16)))           // one poll, two partitions
	s.take(eventRecords(pay(30, 1), pay(31, 2), pay(32, 3))) // late, but news
	var amounts []string
	last := int64(1 << 62)
	for _, o := range s.view() {
		amounts = append(amounts, *o.Amount)
		if o.Key >= last {
			t.Errorf("key %d after %d: the newest has not the highest", o.Key, last)
		}
		last = o.Key
	}
	want := "32.00 31.00 30.00 20.00 16.00 14.00 13.00 12.00 11.00 10.00 9.00 8.00 7.00 6.00 5.00 4.00 3.00 2.00 1.00 0.00"
	if got := strings.Join(amounts, " "); got != want {
		t.Errorf("the sample is\n%s, want\n%s", got, want)
	}
}

func TestSampleHasABudget(t *testing.T) {
	var s sample
	for i := range 1000 {
		s.take(eventRecords(pay(i, int64(i))))
	}
	if s.key > 3*samplePerTick {
		t.Errorf("%d records of a burst were decoded", s.key)
	}
}
