package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"liushui"
)

// plainFile writes a plain CSV in the form of taobao-behavior.
func plainFile(b *testing.B, rows int) (file string, size int64) {
	b.Helper()
	var text bytes.Buffer
	for i := range rows {
		fmt.Fprintf(&text, "%d,%d,%d,%s,%d\n", 100_000+i*7919%900_000, 10_000+i*104_729%5_000_000, 1_000_000+i%5000, []string{"pv", "pv", "cart", "fav", "buy"}[i%5], 1_511_658_000+i/14)
	}
	file = filepath.Join(b.TempDir(), "plain.csv")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "taobao_category_map.csv"), []byte("sub_category_id,parent_category_name\n1000001,Books\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	return file, int64(text.Len())
}

// drain gives all items of a source to nobody.
func drain(b *testing.B, s Source) (n int) {
	b.Helper()
	items := make([]Item, 1024)
	for {
		got, err := s.Next(items)
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			b.Fatal(err)
		}
		n += got
	}
}

// BenchmarkRowsToEvents is CSV → checked events, one core.
func BenchmarkRowsToEvents(b *testing.B) {
	const count = 200_000
	file, size := plainFile(b, count)
	m := builtin(b, "taobao-behavior")
	t, err := openTable(b.Context(), "csv", file, m.csv, heldSize)
	if err != nil {
		b.Fatal(err)
	}
	defer t.text.Close()
	p, err := m.bindTo(b.Context(), t)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		t.rows = newRows(t.text, m.csv)
		t.rows.columns = len(t.columns)
		n := 0
		s := &scan{table: t, plan: p, bad: func(r BadRow) error { b.Fatal(r); return nil }, event: func(*row, int, *liushui.Event) error { n++; return nil }}
		if err := s.run(b.Context()); err != nil || n != count {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(count)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkReplay reads events back in the order of time: a file that is held
// in memory, blocks of one in order, newest first, and in no order at all.
func BenchmarkReplay(b *testing.B) {
	m, err := ParseMapping("m", event)
	if err != nil {
		b.Fatal(err)
	}
	const count = 200_000
	for _, order := range []struct {
		name string
		time func(i int) int
	}{
		{"oldest first", func(i int) int { return i }},
		{"newest first", func(i int) int { return count - i }},
		{"any order", func(i int) int { return i * 7919 % count }},
	} {
		var text bytes.Buffer
		text.WriteString("t,id,more\n")
		for i := range count {
			fmt.Fprintf(&text, "%d,e%d,%050d\n", 1_600_000_000+order.time(i), i, i)
		}
		file := writeFile(b, "data.csv", text.String())
		for _, held := range []int64{heldSize, 1} {
			b.Run(fmt.Sprintf("%s/held=%t", order.name, held > 1), func(b *testing.B) {
				r := openReplay(b, ReplayConfig{File: file, Mapping: m, held: held})
				for b.Loop() {
					if err := r.Resume(0, 0); err != nil {
						b.Fatal(err)
					}
					if n := drain(b, r); n != count {
						b.Fatal(n)
					}
				}
				b.ReportMetric(float64(count)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// nullWriter acknowledges at once.
type nullWriter struct{ bytes int64 }

func (w *nullWriter) Write(_ context.Context, records []liushui.Record, done func(error)) error {
	for i := range records {
		w.bytes += int64(len(records[i].Value))
	}
	done(nil)
	return nil
}
func (w *nullWriter) Flush(context.Context) error { return nil }
func (w *nullWriter) Close()                      {}

// BenchmarkProduce is the generator's dense mode, made into records.
func BenchmarkProduce(b *testing.B) {
	const count = 300_000
	b.ReportAllocs()
	for b.Loop() {
		w := &nullWriter{}
		p := newProducer(b, ProduceConfig{Source: NewGenerator(GeneratorConfig{Seed: 1, RunStart: midnight, Rate: 2000, Events: count}), Writer: w})
		if err := p.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(w.bytes)
	}
	b.ReportMetric(float64(count)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkGenerator is the dense mode of --demo --speed max.
func BenchmarkGenerator(b *testing.B) {
	g := NewGenerator(GeneratorConfig{Seed: 1, RunStart: midnight, Rate: 2000})
	items := make([]Item, 1024)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		got, err := g.Next(items)
		if err != nil {
			b.Fatal(err)
		}
		n += got
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(n), "ns/event")
}
