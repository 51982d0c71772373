package source

import (
	"sync"

	"liushui"
)

// batch is records on their way, with the memory that they lie in.
type batch struct {
	buffer  []byte
	ends    []int // of keys and values in buffer, in turn
	records []liushui.Record
	first   int64 // place of the first, ms
	done    bool  // acknowledged
}

// flights are the batches that are not yet acknowledged, in the order sent.
type flights struct {
	mu    sync.Mutex
	queue []*batch
	free  []*batch
	acked int64         // items of all batches before the queue
	err   error         // the first of a batch that failed
	moved chan struct{} // gets a token when acked or err changed
}

func newFlights() *flights { return &flights{moved: make(chan struct{}, 1)} }

// take returns an empty batch.
func (f *flights) take() *batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.free); n > 0 {
		b := f.free[n-1]
		f.free = f.free[:n-1]
		return b
	}
	return &batch{}
}

// fill makes records of items.
func (b *batch) fill(items []Item, feed string, now int64) {
	buffer, ends := b.buffer[:0], b.ends[:0]
	for i := range items {
		item := &items[i]
		if item.Now {
			item.Event.Time = now
		}
		buffer = append(buffer, item.Event.RecordKey()...)
		ends = append(ends, len(buffer))
		if item.Raw != nil {
			buffer = append(buffer, item.Raw...)
		} else {
			buffer = item.Event.AppendJSON(buffer)
		}
		ends = append(ends, len(buffer))
	}
	records, begin := b.records[:0], 0
	for i := 0; i < len(ends); i += 2 {
		records = append(records, liushui.Record{Feed: feed, Key: buffer[begin:ends[i]:ends[i]], Value: buffer[ends[i]:ends[i+1]:ends[i+1]]})
		begin = ends[i+1]
	}
	*b = batch{buffer: buffer, ends: ends, records: records, first: items[0].At}
}

// add puts a batch behind the others.
func (f *flights) add(b *batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, b)
}

// landed is called when a batch is acknowledged or has failed.
func (f *flights) landed(b *batch, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b.done = err == nil
	if f.err == nil {
		f.err = err
	}
	for len(f.queue) > 0 && f.queue[0].done {
		head := f.queue[0]
		f.acked += int64(len(head.records))
		f.queue = f.queue[1:]
		f.free = append(f.free, head)
	}
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// frontier is how many items are acknowledged without a gap, and the place of
// the first that is not, if one is under way.
func (f *flights) frontier() (acked, first int64, flying bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) > 0 {
		return f.acked, f.queue[0].first, true, f.err
	}
	return f.acked, 0, false, f.err
}
