package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"liushui"
)

var (
	errSevered = errors.New("cut off from the topic") // after Sever
	errClosed  = errors.New("closed already")
)

// endsEvery is how often a reader learns the ends of partitions anew.
const endsEvery = 500 * time.Millisecond

type reader struct {
	topic  *Topic
	id     string
	life   int
	next   map[int32]int64 // only Poll's goroutine
	random *rand.Rand      // or nil; only Poll's goroutine
	held   map[int32]bool  // under the topic's lock

	mu     sync.Mutex
	ends   []liushui.PartitionEnd
	asked  time.Time
	closed bool
}

// Reader reads from the given offsets; partitions without one are read from
// the log's start.
func (t *Topic) Reader(offsets map[int32]int64) liushui.Reader {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &reader{topic: t, id: t.id, life: t.life, next: map[int32]int64{}, held: map[int32]bool{}, random: t.numbers()}
	maps.Copy(r.next, offsets)
	for i := range t.partitions {
		if _, given := r.next[int32(i)]; !given {
			r.next[int32(i)] = t.partitions[i].start
		}
	}
	return r
}

// numbers are a client's own random numbers, or nil where the topic is not
// shuffled. The lock is held.
func (t *Topic) numbers() *rand.Rand {
	if t.shuffle == 0 {
		return nil
	}
	t.clients++
	return rand.New(rand.NewPCG(t.shuffle, t.clients))
}

func (r *reader) Poll(ctx context.Context) ([]liushui.Fetch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		laneFetch.pause(r.random)
		fetches, changed, err := r.fetch()
		if err != nil || len(fetches) > 0 {
			return fetches, err
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// fetch takes what is there. Where there is nothing, changed tells when to look again.
func (r *reader) fetch() (fetches []liushui.Fetch, changed <-chan struct{}, err error) {
	if r.isClosed() {
		return nil, nil, errClosed
	}
	t := r.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.check(r.life); err != nil {
		return nil, nil, err
	}
	skipped := false
	for i := range t.partitions {
		number, p := int32(i), &t.partitions[i]
		next := r.next[number]
		if next < p.start || next > p.end() {
			return nil, nil, fmt.Errorf("%s, partition %d: offset %d is not in %d to %d: %w", t.name, i, next, p.start, p.end(), liushui.ErrGone)
		}
		if r.held[number] || next == p.end() {
			continue
		}
		end := min(next+r.some(), p.end())
		if end == next {
			skipped = true
			continue
		}
		records := lend(p.records[next-p.start : end-p.start])
		fetches = append(fetches, liushui.Fetch{Partition: number, Records: records, Done: func() { spoil(records) }})
		r.next[number] = end
	}
	if skipped && len(fetches) == 0 {
		return nil, soon, nil
	}
	return fetches, t.changed, nil
}

// some is how many of a partition's records a Poll brings.
func (r *reader) some() int64 {
	if r.random == nil {
		return int64(r.topic.batch)
	}
	return int64(r.random.IntN(r.topic.batch + 1))
}

// soon lets a Poll look again at once.
var soon = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// lend copies records whole, so that spoil can show who uses them after Done.
func lend(records []liushui.Record) []liushui.Record {
	lent := slices.Clone(records)
	for i := range lent {
		lent[i].Key, lent[i].Value = bytes.Clone(lent[i].Key), bytes.Clone(lent[i].Value)
	}
	return lent
}

func spoil(records []liushui.Record) {
	for i := range records {
		for _, b := range [][]byte{records[i].Key, records[i].Value} {
			for j := range b {
				b[j] = '#'
			}
		}
		records[i] = liushui.Record{}
	}
}

func (t *Topic) connected(life int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.check(life)
}

// check tells whether a client of a life is still connected.
func (t *Topic) check(life int) error {
	switch {
	case life == t.life:
		return nil
	case life < t.recreated:
		return fmt.Errorf("%s: %w", t.name, liushui.ErrOtherTopic)
	}
	return fmt.Errorf("%s: %w", t.name, errSevered)
}

func (r *reader) Hold(partition int32, held bool) {
	t := r.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	r.held[partition] = held
	t.wake()
}

func (r *reader) Ends() []liushui.PartitionEnd {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.check(r.life) != nil || t.endsHidden || now.Sub(r.asked) < endsEvery {
		return r.ends
	}
	r.asked, r.ends = now, nil
	for i := range t.partitions {
		p := &t.partitions[i]
		r.ends = append(r.ends, liushui.PartitionEnd{Partition: int32(i), Start: p.start, End: p.end(), Asked: now})
	}
	return r.ends
}

func (r *reader) Commit(_ context.Context, group string, offsets map[int32]int64) error {
	if r.isClosed() {
		return errClosed
	}
	t := r.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.check(r.life); err != nil {
		return err
	}
	if t.committed[group] == nil {
		t.committed[group] = map[int32]int64{}
	}
	maps.Copy(t.committed[group], offsets)
	return nil
}

func (r *reader) TopicID() string { return r.id }

func (r *reader) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

func (r *reader) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}
