package native

import (
	"strings"
	"testing"

	"liushui"
	"liushui/enginetest"
)

// decodeSeeds are records on both sides of the rule of section 2.
var decodeSeeds = []string{
	`{"id":"a","type":"view","time":1600000000000}`,
	`{"id":"a","type":"pay","time":1600000000000,"user":"u","amount":12.5,"quantity":2,"category":"手机"}`,
	`{"id":"a","type":"pay","time":"1600000000000","amount":"1.50000","quantity":"2e0"}`,
	`{"id":"a","type":"pay","time":1.6e12,"amount":1.23456}`,
	`{"id":"a","type":"view","time":1600000000000,"user":null,"amount":null}`,
	`{"id":"a","id":"b","type":"cart","type":"view","time":1,"time":1600000000000}`,
	`{"id":"a","type":5,"type":"view","time":1600000000000}`,
	`{"id":"a","type":"view","time":1600000000000,"ID":7,"x":{"y":[1,2,{"z":null}]},"user":"\u4e2d\ud83d\ude00"}`,
	`{"id":"a","type":"view","time":1600000000000,"user":"\ud800"}`,
	`{"id":"a","type":"view","time":1600000000000,"\u0075ser":"u"}`,
	`{"id":"a","type":"view","time":253402300799999}`, `{"id":"a","type":"view","time":253402300800000}`, `{"id":"a","type":"view","time":9e18}`,
	`{"id":"a","type":"view","time":1600000000000} `, ` {"id":"a","type":"view","time":1600000000000}`,
	`{"id":"a","type":"view","time":1600000000000}x`, `{"id":"","type":"view","time":1600000000000}`,
	`{"id":"a","type":"buy","time":1600000000000}`, `{"id":"a","type":"view","time":15}`, `{"id":7,"type":"view","time":1600000000000}`,
	`{"id":"a","type":"pay","time":1600000000000,"amount":-0}`, `{"id":"a","type":"pay","time":1600000000000,"amount":-0.01}`,
	`{"id":"a","type":"pay","time":1600000000000,"amount":1e12}`, `{"id":"a","type":"pay","time":1600000000000,"amount":1000000000000.0001}`,
	`{"id":"a","type":"pay","time":1600000000000,"quantity":1.5}`, `{"id":"a","type":"pay","time":1600000000000,"amount":01}`,
	`{"id":"a","type":"pay","time":1600000000000,"amount":NaN}`, `{"id":"a","type":"pay","time":1600000000000,"amount":1e400}`,
	`{"id":"a","type":"pay","time":1600000000000,"other":1.}`, `{"id":"a","type":"view","time":1600000000000,}`,
	`null`, `[]`, `"a"`, ``, `{}`, "\ufeff{}", "{\"id\":\"a\tb\",\"type\":\"view\",\"time\":1600000000000}",
	"{\"id\":\"a\",\"type\":\"view\",\"time\":1600000000000,\"zzz\":\"\xff\"}",
	`{"id":"` + strings.Repeat("x", 256) + `","type":"view","time":1600000000000}`,
	`{"id":"` + strings.Repeat("x", 257) + `","type":"view","time":1600000000000}`,
	`{"id":"a","type":"view","time":1600000000000,"user":"` + strings.Repeat("中", 128) + `"}`,
	`{"id":"a","type":"view","time":1600000000000,"user":"` + strings.Repeat("中", 129) + `"}`,
	`{"id":"a","type":"view","time":1600000000000,"x":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`,
	`{"id":"a","type":"view","time":1600000000000,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	`{"id":"a","type":"view","time":1600000000000,"x":"` + strings.Repeat("y", 65600) + `"}`,
}

// FuzzDecode holds three decoders together: the fast path, the careful one, and
// the oracle's, which shares no code with them.
func FuzzDecode(f *testing.F) {
	for _, s := range decodeSeeds {
		f.Add([]byte(s))
	}
	job := shop(f)
	fast, slow := newDecoder(compile(job)), newDecoder(compile(job))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, s := new(event), new(event)
		err := fast.decode(value, e)
		record := liushui.Record{Value: value, Feed: liushui.FeedReplay}
		verdict := enginetest.Judge(job, []liushui.Record{record}, enginetest.Options{})[enginetest.PlaceOf(record)]
		if (err != nil) != (verdict == enginetest.Bad) {
			t.Fatalf("%q: %v, but the oracle says %s", value, err, verdict)
		}
		if err != nil || len(value) > liushui.MaxRecord {
			return
		}
		slow.begin(s)
		if err := slow.careful(value); err != nil {
			t.Fatalf("%q: the careful path says %v", value, err)
		}
		if string(e.id) != string(s.id) || e.kind != s.kind || e.time != s.time || e.amount != s.amount || e.quantity != s.quantity {
			t.Fatalf("%q: fast %+v, careful %+v", value, e, s)
		}
		for i := range e.dims {
			if string(e.dims[i]) != string(s.dims[i]) {
				t.Fatalf("%q: %s: fast %q, careful %q", value, fast.plan.dims[i], e.dims[i], s.dims[i])
			}
		}
	})
}
