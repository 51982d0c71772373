package native

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"

	"liushui"
)

// benchEvents are events like the generator's: mostly views, some items sell
// well, 3 of 100 come late within the lateness.
func benchEvents(n int) [][]byte {
	r := rand.New(rand.NewPCG(7, 7))
	categories := []string{"手机数码", "服饰鞋包", "家用电器", "美妆护肤", "食品生鲜", "母婴玩具", "运动户外", "家居家装"}
	provinces := []string{"广东", "江苏", "浙江", "山东", "上海", "北京", "四川", "湖北", "湖南", "河南", "福建", "安徽"}
	all := make([][]byte, n)
	for i := range all {
		u := r.Float64()
		e := liushui.Event{ID: fmt.Sprintf("e%012d", i), Time: 1_760_000_000_000 + int64(i)/2,
			User: fmt.Sprintf("u%06d", r.IntN(200_000)), Item: fmt.Sprintf("i%05d", int(20_000*u*u*u)), Category: categories[r.IntN(8)],
			Province: provinces[r.IntN(12)], Channel: []string{"app", "web", "mini"}[r.IntN(3)], Gender: []string{"f", "m"}[r.IntN(2)], Age: fmt.Sprint(18 + 10*r.IntN(5))}
		if r.IntN(100) < 3 {
			e.Time -= r.Int64N(7500)
		}
		switch k := r.IntN(100); {
		case k < 75:
			e.Type = "view"
		case k < 87:
			e.Type = "cart"
		case k < 94:
			e.Type, e.Order, e.Amount, e.HasAmount = "order", fmt.Sprint("o", i), liushui.Money(r.Int64N(5_000_000)), true
		default:
			e.Type, e.Order, e.Amount, e.HasAmount, e.Quantity, e.HasQuantity = "pay", fmt.Sprint("o", i), liushui.Money(r.Int64N(5_000_000)), true, 1+r.Int64N(3), true
		}
		all[i] = e.AppendJSON(nil)
	}
	return all
}

func shop(tb testing.TB) *liushui.Job {
	tb.Helper()
	text, _ := liushui.BuiltinJob("shop")
	job, err := liushui.ParseJob("shop", text)
	if err != nil {
		tb.Fatal(err)
	}
	return job
}

// cpu reports the thread's own CPU time per operation, which a busy machine
// disturbs less than the clock. Call what it returns at the end.
func cpu(b *testing.B) func() {
	runtime.LockOSThread()
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(1 /* RUSAGE_THREAD */, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	begun := used()
	return func() {
		b.ReportMetric(float64(used()-begun)/float64(b.N), "cpu-ns/op")
		runtime.UnlockOSThread()
	}
}

// BenchmarkDecodeFold is the budget of issue 3: decode, remember the id and
// fold one event of the shop job, at most 500 ns and no allocation.
func BenchmarkDecodeFold(b *testing.B) {
	p := compile(shop(b))
	events := benchEvents(200_000)
	b.Run("decode", func(b *testing.B) {
		d, e := newDecoder(p), new(event)
		b.ReportAllocs()
		defer cpu(b)()
		for i := range b.N {
			if err := d.decode(events[i%len(events)], e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode+fold", func(b *testing.B) {
		d, e, t := newDecoder(p), new(event), newTable(p)
		f := newFolder(p, t)
		run := func(n int) {
			for i := range n {
				if err := d.decode(events[i%len(events)], e); err != nil {
					b.Fatal(err)
				}
				f.fold(e, 0)
				if i%8192 == 0 {
					f.settle(0)
					for _, w := range f.take() {
						w.cell.dirty = false
					}
				}
			}
		}
		run(len(events))
		b.ReportAllocs()
		b.ResetTimer()
		defer cpu(b)()
		run(b.N)
	})
	b.Run("decode+id+fold", func(b *testing.B) {
		d, t := newDecoder(p), newTable(p)
		f := newFolder(p, t)
		var ids idSet
		ahead := make([]event, 32) // as the engine does
		run := func(n int) {
			for i := 0; i < n; i += len(ahead) {
				for j := range ahead {
					if err := d.decode(events[(i+j)%len(events)], &ahead[j]); err != nil {
						b.Fatal(err)
					}
				}
				ids.touch(ahead)
				for j := range ahead {
					ids.add(ahead[j].entry, 0)
					f.fold(&ahead[j], 0)
				}
				if i%8192 == 0 {
					f.settle(0)
					for _, w := range f.take() {
						w.cell.dirty = false
					}
					ids.added, ids.added[0] = ids.added[:1], ids.added[0][:0]
				}
			}
		}
		run(len(events))
		b.ReportAllocs()
		b.ResetTimer()
		defer cpu(b)()
		run(b.N)
	})
}
