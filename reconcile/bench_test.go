package reconcile

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"liushui"
)

// BenchmarkCompute takes events of a busy hour and computes the built-in job.
func BenchmarkCompute(b *testing.B) {
	text, _ := liushui.BuiltinJob(liushui.DefaultJob)
	job := parse(b, text)
	random := rand.New(rand.NewPCG(1, 2))
	var records []liushui.Record
	for i := range int64(100_000) {
		kind := []string{"view", "view", "view", "cart", "order", "pay"}[random.IntN(6)]
		value := fmt.Appendf(nil, `{"id":"id-%d","type":%q,"time":%d,"user":"u%d","item":"i%d","category":"c%d","province":"p%d","channel":"app","gender":"f","age":"30s"`,
			i, kind, begin+i*36, random.IntN(30_000), random.IntN(5_000), random.IntN(12), random.IntN(31))
		if kind == "order" || kind == "pay" {
			value = fmt.Appendf(value, `,"order":"o%d","quantity":%d,"amount":%d.%02d`, i, 1+random.IntN(3), random.IntN(900), random.IntN(100))
		}
		records = append(records, liushui.Record{Offset: i, Feed: "demo", Value: append(value, '}')})
	}
	for b.Loop() {
		c := New(Config{Job: job})
		for i := range records {
			if _, _, err := c.Take(&records[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := c.Results(func(*liushui.Result) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(records)), "µs/event")
}
