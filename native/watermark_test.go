package native

import (
	"testing"
	"time"

	"liushui"
)

func testMarks(t *testing.T) *marks {
	t.Helper()
	m := newMarks(shop(t))
	m.lateness = 10
	return m
}

func TestWatermarkIsTheLeastOverPartitions(t *testing.T) {
	m := testMarks(t)
	a, b := m.partition(0), m.partition(1)
	m.accept(a, 1000)
	if m.advance() {
		t.Fatal("a partition without events holds the watermark")
	}
	m.accept(b, 500)
	if !m.advance() || m.watermark != 490 {
		t.Fatalf("watermark %d, want 490", m.watermark)
	}
	m.accept(b, 400)
	if m.advance() || m.watermark != 490 {
		t.Fatalf("watermark %d fell", m.watermark)
	}
	c := m.partition(2) // a new partition
	if m.advance() || m.watermark != 490 {
		t.Fatalf("watermark %d after a new partition, want 490", m.watermark)
	}
	m.accept(b, 2000)
	m.accept(c, 1500)
	if !m.advance() || m.watermark != 990 {
		t.Fatalf("watermark %d, want 990", m.watermark)
	}
}

// A partition read to its end stops holding the watermark five seconds after
// the others' events had been read, not before, and not while it has more.
func TestIdlePartition(t *testing.T) {
	m := testMarks(t)
	begin := time.Unix(1_700_000_000, 0)
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	a, _ := m.partition(0), m.partition(1)
	m.accept(a, 1000)
	a.offset = 1
	m.sampleNow(at(0))
	m.accept(a, 3000)
	m.sampleNow(at(3 * time.Second))
	ends := func(d time.Duration, end int64) []liushui.PartitionEnd {
		return []liushui.PartitionEnd{{Partition: 0, End: 1, Asked: at(d)}, {Partition: 1, End: end, Asked: at(d)}}
	}
	for _, step := range []struct {
		after time.Duration
		end   int64
		want  int64
	}{
		{4999 * time.Millisecond, 0, none},
		{5 * time.Second, 1, none}, // it has an unread record
		{5 * time.Second, 0, 990},
		{7999 * time.Millisecond, 0, 990},
		{8 * time.Second, 0, 2990},
	} {
		m.idle(ends(step.after, step.end))
		m.advance()
		if m.watermark != step.want {
			t.Errorf("after %s with end %d: watermark %d, want %d", step.after, step.end, m.watermark, step.want)
		}
	}
	m.idle([]liushui.PartitionEnd{{Partition: 5, End: 0}})
	if m.partitions[5] != nil {
		t.Error("an end that was never learned made a partition idle")
	}
}
