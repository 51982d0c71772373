package enginetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"liushui"
)

// Topic is a topic in memory. It knows only channels and the clock, so it works
// inside a testing/synctest bubble, in which it must then be made.
type Topic struct {
	name string

	mu         sync.Mutex
	id         string
	partitions []partition
	life       int           // counts Sever and Recreate: clients of an earlier life are cut off
	recreated  int           // the life that the newest Recreate began
	changed    chan struct{} // closed and made anew at every change
	committed  map[string]map[int32]int64
	onWrite    func([]liushui.Record) (int, error)
	batch      int
	shuffle    uint64 // seed of the Polls' numbers, or 0
	clients    uint64 // made
	endsHidden bool
}

type partition struct {
	start   int64 // offset of records[0]
	records []liushui.Record
}

func (p *partition) end() int64 { return p.start + int64(len(p.records)) }

// NewTopic makes an empty topic.
func NewTopic(name string, partitions int) *Topic {
	t := &Topic{name: name, changed: make(chan struct{}), committed: map[string]map[int32]int64{}, batch: 500}
	t.create(partitions)
	return t
}

func (t *Topic) create(partitions int) {
	t.id = fmt.Sprintf("%s-%d", t.name, t.life)
	t.partitions = make([]partition, partitions)
}

// Name is the topic's name.
func (t *Topic) Name() string { return t.name }

// ID names this very topic.
func (t *Topic) ID() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id
}

// Append puts a record at the end of a partition and returns its offset. A
// record without a time gets that of the clock.
func (t *Topic) Append(partition int32, r liushui.Record) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.append(partition, r)
}

func (t *Topic) append(partition int32, r liushui.Record) int64 {
	p := &t.partitions[partition]
	r.Partition, r.Offset = partition, p.end()
	if r.Time == 0 {
		r.Time = time.Now().UnixMilli()
	}
	r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	headers := r.Headers
	r.Headers = nil
	for _, h := range headers {
		r.Headers = append(r.Headers, liushui.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	p.records = append(p.records, r)
	t.wake()
	return r.Offset
}

func (t *Topic) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// Records are those that a partition still holds.
func (t *Topic) Records(partition int32) []liushui.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.partitions[partition].records)
}

// All are the records of all partitions, one partition after the other.
func (t *Topic) All() []liushui.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []liushui.Record
	for _, p := range t.partitions {
		all = append(all, p.records...)
	}
	return all
}

// Ends are the offsets after the last record of each partition.
func (t *Topic) Ends() map[int32]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	ends := map[int32]int64{}
	for i := range t.partitions {
		ends[int32(i)] = t.partitions[i].end()
	}
	return ends
}

// Committed are the offsets that a group committed last.
func (t *Topic) Committed(group string) map[int32]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.committed[group])
}

// AddPartitions gives the topic n more partitions.
func (t *Topic) AddPartitions(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.partitions = append(t.partitions, make([]partition, n)...)
	t.wake()
}

// Trim removes a partition's records below an offset.
func (t *Topic) Trim(partition int32, before int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.partitions[partition]
	n := min(max(before-p.start, 0), int64(len(p.records)))
	p.start, p.records = p.start+n, slices.Clone(p.records[n:])
	t.wake()
}

// Recreate deletes the topic and makes it again, empty: open readers and
// writers fail with ErrOtherTopic.
func (t *Topic) Recreate(partitions int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.life++
	t.recreated = t.life
	t.committed = map[string]map[int32]int64{}
	t.create(partitions)
	t.wake()
}

// Sever cuts off all open readers and writers, as the death of their process
// would: what was not yet appended is lost, and nothing more is acknowledged.
func (t *Topic) Sever() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.life++
	t.wake()
}

// OnWrite sets what happens when a writer is about to append records: with an
// error, only the first n are appended, and the write has failed for good. It
// runs on the writer's goroutine, so a sleep in it delays the acknowledgement.
func (t *Topic) OnWrite(f func([]liushui.Record) (n int, err error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onWrite = f
}

// Batch sets how many records of a partition one Poll brings at most; the default is 500.
func (t *Topic) Batch(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batch = n
}

// Shuffle lets each Poll bring fewer records than there are, of some partitions
// only, and take a moment, as each Write does. The seed is not 0.
func (t *Topic) Shuffle(seed uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shuffle = seed
}

// HideEnds keeps readers from learning ends, as when a broker does not answer
// the question; they keep what they know.
func (t *Topic) HideEnds(hidden bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endsHidden = hidden
}
