package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"liushui"
)

// benchTopic has results of the built-in job as an engine sends them: each cell
// again and again; so many in a hundred hold late events.
func benchTopic(b *testing.B, n, late int) *topic {
	l := newTopic(b)
	text, _ := liushui.BuiltinJob(liushui.DefaultJob)
	job := l.job(5, text)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		s := job.Statistics[i%len(job.Statistics)]
		key := make([]string, len(s.By))
		for k := range key {
			key[k] = fmt.Sprint("省", r.IntN(31))
		}
		v := make([]int64, len(s.Measures))
		for k := range v {
			v[k] = r.Int64N(1e9)
		}
		l.result(liushui.Result{Statistic: s.Name, Window: s.Windows[0].Name, Start: start + int64(i/200)*1000, Key: key, Generation: 5, Version: int64(i), Values: values(v...)})
		if i/200%100 < late {
			of := &l.records[len(l.records)-1]
			of.Value = bytes.Replace(of.Value, []byte(`"late":0`), []byte(`"late":1`), 1)
		}
	}
	return l
}

// BenchmarkApply counts results a second, decoding included, in batches as large as the store takes.
func BenchmarkApply(b *testing.B) {
	for _, kind := range []string{"sqlite", "mariadb"} {
		for _, late := range []int{0, 1, 50} {
			benchmarkApply(b, kind, late)
		}
	}
}

func benchmarkApply(b *testing.B, kind string, late int) {
	const batch = maxBatch
	l := benchTopic(b, 100_000, late)
	b.Run(fmt.Sprintf("%s/%d%% corrected", kind, late), func(b *testing.B) {
		s := begun(b, Config{DSN: kinds[kind](b)})
		s.mustApply(b, l.records[:1])
		offset, rest := int64(1), l.records[1:]
		for b.Loop() {
			if len(rest) < batch {
				rest = l.records[1:]
			}
			part := rest[:batch]
			rest = rest[batch:]
			for i := range part {
				part[i].Offset = offset
				offset++
			}
			s.mustApply(b, part)
		}
		b.ReportMetric(float64(offset)/b.Elapsed().Seconds(), "results/s")
		b.ReportMetric(float64(s.Health().Rows)/b.Elapsed().Seconds(), "rows/s")
	})
}

// BenchmarkRows reads from a table of a million rows.
func BenchmarkRows(b *testing.B) {
	const provinces = 31
	for _, kind := range []string{"sqlite", "mariadb"} {
		s := begun(b, Config{DSN: kinds[kind](b)})
		l, offset := newTopic(b), int64(0)
		l.job(5, shopText)
		l.progress(liushui.Progress{Generation: 5, Watermark: start})
		for i := range int64(1_000_000) {
			l.result(liushui.Result{Statistic: "sales_by_province", Window: "1m", Start: start + i/provinces*minute, Key: []string{fmt.Sprint("省", i%provinces)}, Generation: 5, Version: 1, Values: values(i, i*7)})
			if len(l.records) == maxBatch {
				for i := range l.records {
					l.records[i].Offset = offset
					offset++
				}
				s.mustApply(b, l.records)
				l.records = nil
			}
		}
		for _, bench := range []struct {
			name  string
			query liushui.Query
		}{
			{"a day of all provinces", liushui.Query{From: start + 10*day, To: start + 11*day}},
			{"newest 100", liushui.Query{Limit: 100, Newest: true}},
			{"one province, a day", liushui.Query{From: start + 10*day, To: start + 11*day, Where: []liushui.Dimension{{Name: "province", Value: "省7"}}}},
			{"one province, all", liushui.Query{Where: []liushui.Dimension{{Name: "province", Value: "省7"}}}},
			{"top 10 of all", liushui.Query{Top: 10, By: "paid"}},
		} {
			b.Run(kind+"/"+bench.name, func(b *testing.B) {
				bench.query.Statistic, bench.query.Window = "sales_by_province", "1m"
				for b.Loop() {
					s.rows(b, bench.query)
				}
			})
		}
	}
}
