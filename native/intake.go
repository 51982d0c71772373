package native

import (
	"context"
	"slices"

	"liushui"
)

// Bounds on what is fetched ahead of judging, a partition.
const (
	holdBytes  = 3 << 20
	releaseAt  = 1 << 20
	batchLimit = 8192 // records of a partition in one batch
)

// intake fetches ahead and queues records by partition.
type intake struct {
	reader  liushui.Reader
	fetched chan []liushui.Fetch
	failed  chan error
	queues  map[int32]*queue
	done    chan struct{}
}

// queue holds the fetched records of a partition that are not judged yet.
type queue struct {
	chunks []liushui.Fetch // what is left of them
	bytes  int
	held   bool
	peeked bool  // headTime is that of the first record
	head   int64 // its event time, or none where it is bad
}

// startIntake fetches until ctx is done; wait for done then.
func startIntake(ctx context.Context, reader liushui.Reader) *intake {
	in := &intake{reader: reader, fetched: make(chan []liushui.Fetch, 1), failed: make(chan error, 1),
		queues: map[int32]*queue{}, done: make(chan struct{})}
	go func() {
		defer close(in.done)
		for {
			fetches, err := reader.Poll(ctx)
			if err != nil {
				in.failed <- withMend(err)
				return
			}
			select {
			case in.fetched <- fetches:
			case <-ctx.Done():
				in.failed <- ctx.Err()
				return
			}
		}
	}()
	return in
}

// put queues what was fetched.
func (in *intake) put(fetches []liushui.Fetch) {
	for _, f := range fetches {
		if len(f.Records) == 0 {
			continue
		}
		q := in.queue(f.Partition)
		q.chunks = append(q.chunks, f)
		for i := range f.Records {
			q.bytes += recordBytes(&f.Records[i])
		}
		if !q.held && q.bytes > holdBytes {
			q.held = true
			in.reader.Hold(f.Partition, true)
		}
	}
}

func recordBytes(r *liushui.Record) int { return len(r.Value) + len(r.Key) + 96 }

func (in *intake) queue(partition int32) *queue {
	q := in.queues[partition]
	if q == nil {
		q = &queue{}
		in.queues[partition] = q
	}
	return q
}

// next is the first record of a queue, or nil.
func (q *queue) next() *liushui.Record {
	if len(q.chunks) == 0 {
		return nil
	}
	return &q.chunks[0].Records[0]
}

// some are the first records of a queue below the offset end.
func (q *queue) some(atMost int, end int64) []liushui.Record {
	if len(q.chunks) == 0 {
		return nil
	}
	first := q.chunks[0].Records
	first = first[:min(atMost, len(first))]
	for len(first) > 0 && first[len(first)-1].Offset >= end {
		first = first[:len(first)-1]
	}
	return first
}

// take takes the first n records away, which must be of one chunk and be used no more.
func (in *intake) take(partition int32, q *queue, n int) {
	first := &q.chunks[0]
	for i := range first.Records[:n] {
		q.bytes -= recordBytes(&first.Records[i])
	}
	q.peeked = false
	if first.Records = first.Records[n:]; len(first.Records) == 0 {
		if first.Done != nil {
			first.Done()
		}
		q.chunks = slices.Delete(q.chunks, 0, 1)
	}
	if q.held && q.bytes < releaseAt {
		q.held = false
		in.reader.Hold(partition, false)
	}
}
