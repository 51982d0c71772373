package native

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/datasketches-go/hll"
)

// The sketch must be the library's own in every respect: the library, fed the
// same values in any order, has the same estimate, and reads our images.
func TestSketchIsTheLibrarys(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 24, 25, 100, 383, 384, 385, 1000, 5000, 200_000} {
		lib, err := hll.NewHllSketch(lgK, hll.TgtHllTypeHll8)
		if err != nil {
			t.Fatal(err)
		}
		var ours sketch
		order := rand.New(rand.NewPCG(1, uint64(n))).Perm(n)
		for i := range n {
			if err := lib.UpdateString(fmt.Sprint("user", i)); err != nil {
				t.Fatal(err)
			}
			ours.add(couponOf([]byte(fmt.Sprint("user", order[i]))))
			ours.add(couponOf([]byte(fmt.Sprint("user", order[i/2]))))
		}
		want, err := lib.GetCompositeEstimate()
		if err != nil {
			t.Fatal(err)
		}
		if got := ours.estimate(); got != int64(want+0.5) {
			t.Errorf("%d values: estimate %d, the library's %v", n, got, want)
		}
		read, err := hll.NewHllSketchFromSlice(ours.bytes(), true)
		if err != nil {
			t.Fatalf("%d values: the library does not read our image: %v", n, err)
		}
		if got, _ := read.GetCompositeEstimate(); got != want {
			t.Errorf("%d values: the library reads %v from our image, want %v", n, got, want)
		}
		back, err := restoreSketch(ours.bytes())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.bytes(), ours.bytes()) || back.estimate() != ours.estimate() {
			t.Errorf("%d values: restored sketch differs", n)
		}
	}
}

func TestIDSet(t *testing.T) {
	var s idSet
	const n = 100_000
	for i := range n {
		if !s.add(newEntry(fmt.Appendf(nil, "id-%d", i), int64(1_600_000_000_000+i)), 0) {
			t.Fatalf("id %d is new", i)
		}
	}
	for i := range n {
		if s.add(newEntry(fmt.Appendf(nil, "id-%d", i), int64(1_600_000_000_000+i+5)), 0) {
			t.Fatalf("id %d is remembered", i)
		}
	}
	const tooLate = 1_600_000_000_000 + n/2
	for i := range n {
		again := s.add(newEntry(fmt.Appendf(nil, "id-%d", i), tooLate+10), tooLate)
		if want := i <= n/2; again != want {
			t.Fatalf("id %d, time against too late %d: new %t, want %t", i, i-n/2, again, want)
		}
	}
	slots := 0
	for i := range s.shards {
		slots += len(s.shards[i].slots)
	}
	if perID := float64(slots*16) / float64(s.size()); perID > 24.5 {
		t.Errorf("%.1f bytes an id", perID)
	}
}
