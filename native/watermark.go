package native

import (
	"maps"
	"slices"
	"time"

	"liushui"
)

// idleAfter is how long after an event of time T had been read a partition must
// be found read to its end to stop holding the watermark below T.
const idleAfter = 5 * time.Second

// none stands for no time at all, before every event.
const none = -1 << 62

// partition is the engine's place in one partition of the events.
type partition struct {
	from   int64 // the first that the generation counts
	offset int64 // the next to judge
	newest int64 // newest accepted event time, or none
	passed int64 // the watermark is not held below it, less the lateness; or none
	first  int64 // time of the first event that was read, or none
}

// marks keep the watermark: the least, over partitions, of what each has
// passed, less the lateness. It never falls.
type marks struct {
	lateness    int64
	corrections int64
	partitions  map[int32]*partition
	watermark   int64    // or none
	newest      int64    // newest accepted event time of all, or none
	seen        []sample // newest by the clock, oldest first
}

// sample says that all events read until a clock time had times up to newest.
type sample struct {
	since, until time.Time
	newest       int64
}

func newMarks(job *liushui.Job) *marks {
	return &marks{lateness: job.Lateness.Milliseconds(), corrections: job.Corrections.Milliseconds(),
		partitions: map[int32]*partition{}, watermark: none, newest: none}
}

// partition returns the place in a partition; a new one does not make the watermark fall.
func (m *marks) partition(number int32) *partition {
	p := m.partitions[number]
	if p == nil {
		p = &partition{newest: none, passed: none, first: none}
		if m.watermark != none {
			p.passed = m.watermark + m.lateness
		}
		m.partitions[number] = p
	}
	return p
}

// begin is at the first offset that the log holds.
func (p *partition) begin(offset int64) { p.from, p.offset = offset, offset }

func (m *marks) numbers() []int32 { return slices.Sorted(maps.Keys(m.partitions)) }

// accept takes the time of an event that is not bad.
func (m *marks) accept(p *partition, t int64) {
	if t > p.newest {
		p.newest = t
		p.passed = max(p.passed, t)
		m.newest = max(m.newest, t)
	}
}

// tooLate is the latest event time that is too late, or none.
func (m *marks) tooLate() int64 {
	if m.watermark == none {
		return none
	}
	return m.watermark - m.corrections
}

// sampleNow notes, at most every 100 ms, how far all events read by now reach.
func (m *marks) sampleNow(now time.Time) {
	if m.newest == none {
		return
	}
	n := len(m.seen)
	switch {
	case n > 0 && m.seen[n-1].newest == m.newest:
		return
	case n > 0 && now.Sub(m.seen[n-1].since) < 100*time.Millisecond:
		m.seen[n-1].newest, m.seen[n-1].until = m.newest, now
	default:
		m.seen = append(m.seen, sample{now, now, m.newest})
	}
}

// idle lets partitions that were found read to their end pass what had been
// read idleAfter before.
func (m *marks) idle(ends []liushui.PartitionEnd) {
	for _, end := range ends {
		if end.Asked.IsZero() {
			continue
		}
		p := m.partition(end.Partition)
		if p.offset < end.End {
			continue
		}
		for i := len(m.seen) - 1; i >= 0; i-- {
			if !m.seen[i].until.Add(idleAfter).After(end.Asked) {
				p.passed = max(p.passed, m.seen[i].newest)
				break
			}
		}
	}
	m.forget(ends)
}

// forget drops samples that a newer one makes needless for every partition.
func (m *marks) forget(ends []liushui.PartitionEnd) {
	if len(ends) == 0 {
		return
	}
	oldest := ends[0].Asked
	for _, end := range ends {
		if end.Asked.Before(oldest) {
			oldest = end.Asked
		}
	}
	keep := 0
	for keep+1 < len(m.seen) && !m.seen[keep+1].until.Add(idleAfter).After(oldest) {
		keep++
	}
	m.seen = slices.Delete(m.seen, 0, keep)
}

// raise takes over a watermark that the clock had moved.
func (m *marks) raise(watermark int64) {
	if watermark == none {
		return
	}
	m.watermark = max(m.watermark, watermark)
	for _, p := range m.partitions {
		p.passed = max(p.passed, watermark+m.lateness)
	}
}

// advance moves the watermark to where it now may be, and reports whether it moved.
func (m *marks) advance() bool {
	if len(m.partitions) == 0 {
		return false
	}
	least := int64(1 << 62)
	for _, p := range m.partitions {
		least = min(least, p.passed)
	}
	if least == none || least-m.lateness <= m.watermark {
		return false
	}
	m.watermark = least - m.lateness
	return true
}
