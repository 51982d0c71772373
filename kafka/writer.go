package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"liushui"
)

// Bounds of what may be under way, not yet acknowledged.
const (
	maxRecords = 64 << 10
	maxBytes   = 16 << 20
	chunk      = 4 << 10 // records handed over at once; a Write of more waits between
)

// writer is a liushui.Writer: idempotent, acknowledged by all replicas, never
// giving up on what may still succeed, so that order is kept and nothing dropped.
type writer struct {
	topic string
	id    string
	log   *slog.Logger
	kafka *kgo.Client

	reached []reach // by partition; of the goroutine that calls acknowledged

	stop context.CancelFunc
	done chan struct{} // closed when watch has ended

	mu      sync.Mutex
	records int
	bytes   int
	moved   time.Time     // when something was last acknowledged, or the first of what is under way was written
	waiting string        // see Waiting
	room    chan struct{} // closed when some was acknowledged; nil while nobody waits
	failed  error         // lasting
}

// Writer writes to a topic that exists. Keys, values and headers handed to
// Write may not be changed before they are acknowledged. A Write that returns
// an error may have written some of its records, and does not call done. ctx is
// for the beginning only; Close ends the writer and gives up what is not
// acknowledged: Flush first. The writer has a method Waiting() string.
func (c *Client) Writer(ctx context.Context, name string) (liushui.Writer, error) {
	have, err := c.mustHave(ctx, name)
	if err != nil {
		return nil, err
	}
	kafka, err := c.open(
		kgo.DefaultProduceTopic(name),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),  // murmur2 of the key, as any Kafka producer does
		kgo.ProducerBatchCompression(kgo.SnappyCompression()), // lz4 takes 4 MiB for every batch, however small
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedRecords(2*(maxRecords+chunk)), // never reached: Write waits before
		kgo.UnknownTopicRetries(-1),
	)
	if err != nil {
		return nil, fmt.Errorf("open a writer of topic %s: %w", name, err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &writer{topic: name, id: have.id, log: c.log, kafka: kafka, stop: stop, done: make(chan struct{})}
	go w.watch(background)
	return w, nil
}

func (w *writer) Close() {
	w.stop()
	w.kafka.Close()
	<-w.done
}

// write is one call of Write.
type write struct {
	w    *writer
	mu   sync.Mutex
	left int // records not acknowledged, those not yet handed over included
	done func(error)
}

func (w *writer) Write(ctx context.Context, records []liushui.Record, done func(error)) error {
	if err := w.err(); err != nil {
		return err
	}
	if len(records) == 0 {
		if done != nil {
			go done(nil)
		}
		return nil
	}
	call := &write{w: w, left: len(records), done: done}
	for len(records) > 0 {
		n := min(len(records), chunk)
		if err := w.hand(ctx, call, records[:n]); err != nil {
			call.forget()
			return err
		}
		records = records[n:]
	}
	return nil
}

// hand waits for room and gives records to the client library.
func (w *writer) hand(ctx context.Context, call *write, records []liushui.Record) error {
	size := 0
	for i := range records {
		size += len(records[i].Key) + len(records[i].Value)
	}
	if err := w.acquire(ctx, len(records), size); err != nil {
		return err
	}
	slab := takeSlab(len(records))
	part := &handed{call: call, left: len(records), bytes: size, slab: slab}
	acknowledged := part.acknowledged
	now := time.Now()
	for i := range records {
		from, to := &records[i], &slab[i]
		*to = kgo.Record{Key: from.Key, Value: from.Value, Timestamp: now}
		if from.Feed != "" || len(from.Headers) > 0 {
			to.Headers = headers(from)
		}
		w.kafka.Produce(context.Background(), to, acknowledged)
	}
	return nil
}

// handed are records of one Write that were handed over together.
type handed struct {
	call  *write
	left  int
	bytes int
	slab  []kgo.Record
	err   error
}

// acknowledged is called for each record, by one goroutine of the client library.
func (h *handed) acknowledged(r *kgo.Record, err error) {
	if err == nil {
		err = h.call.w.placed(r.Partition, r.Offset)
	}
	if err != nil && h.err == nil {
		h.err = h.call.w.fail(err)
		h.call.finish(0, h.err)
	}
	if h.left--; h.left > 0 {
		return
	}
	n := len(h.slab)
	if h.err == nil { // else a request may still be reading them
		giveSlab(h.slab)
	}
	h.slab = nil
	h.call.w.release(n, h.bytes)
	h.call.finish(n, h.err)
}

// slabs are records of the client library that wait to be used again, by the
// bits of their number: it is done with a record once it is acknowledged.
var slabs [bits.UintSize + 1]sync.Pool

func takeSlab(n int) []kgo.Record {
	class := bits.Len(uint(n - 1))
	if slab, ok := slabs[class].Get().(*[]kgo.Record); ok {
		return (*slab)[:n]
	}
	return make([]kgo.Record, n, 1<<class)
}

func giveSlab(slab []kgo.Record) {
	clear(slab) // of what it points to
	slabs[bits.Len(uint(cap(slab)-1))].Put(&slab)
}

// finish counts acknowledged records and calls done at the last, or at an error.
func (c *write) finish(n int, err error) {
	c.mu.Lock()
	c.left -= n
	done := c.done
	if err != nil || c.left == 0 {
		c.done = nil
	} else {
		done = nil
	}
	c.mu.Unlock()
	if done != nil {
		done(err)
	}
}

// forget is for a Write that returns an error: done is not called any more.
func (c *write) forget() {
	c.mu.Lock()
	c.done = nil
	c.mu.Unlock()
}

func headers(r *liushui.Record) []kgo.RecordHeader {
	if len(r.Headers) == 0 {
		switch r.Feed {
		case liushui.FeedReplay:
			return feedReplay
		case liushui.FeedDemo:
			return feedDemo
		}
	}
	all := make([]kgo.RecordHeader, 0, len(r.Headers)+1)
	if r.Feed != "" {
		all = append(all, kgo.RecordHeader{Key: liushui.HeaderFeed, Value: []byte(r.Feed)})
	}
	for _, h := range r.Headers {
		all = append(all, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return all
}

// Headers that most records have, shared by them.
var (
	feedReplay = []kgo.RecordHeader{{Key: liushui.HeaderFeed, Value: []byte(liushui.FeedReplay)}}
	feedDemo   = []kgo.RecordHeader{{Key: liushui.HeaderFeed, Value: []byte(liushui.FeedDemo)}}
)

// acquire waits until there is room. More than fits is let in when nothing else is under way.
func (w *writer) acquire(ctx context.Context, records, bytes int) error {
	for {
		w.mu.Lock()
		if w.failed != nil {
			w.mu.Unlock()
			return w.failed
		}
		if w.records == 0 || w.records+records <= maxRecords && w.bytes+bytes <= maxBytes {
			if w.records == 0 {
				w.moved = time.Now()
			}
			w.records += records
			w.bytes += bytes
			w.mu.Unlock()
			return nil
		}
		if w.room == nil {
			w.room = make(chan struct{})
		}
		room := w.room
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-room:
		}
	}
}

func (w *writer) release(records, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records -= records
	w.bytes -= bytes
	w.moved = time.Now()
	w.wake()
}

// fail keeps a lasting error and returns it in words.
func (w *writer) fail(err error) error {
	switch {
	case errors.Is(err, liushui.ErrOtherTopic), errors.Is(err, liushui.ErrGone): // says which
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
		err = fmt.Errorf("write to topic %s: it was deleted: %w", w.topic, liushui.ErrOtherTopic)
	case errors.Is(err, kerr.UnknownServerError):
		err = fmt.Errorf("write to topic %s: the broker could not keep it, and says why in its own log; is its disk full?: %w", w.topic, kerr.UnknownServerError)
	default:
		err = fmt.Errorf("write to topic %s: %w", w.topic, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
	w.wake()
	return w.failed
}

func (w *writer) wake() {
	if w.room != nil {
		close(w.room)
		w.room = nil
	}
}

func (w *writer) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

func (w *writer) Flush(ctx context.Context) error {
	if err := w.kafka.Flush(ctx); err != nil {
		return fmt.Errorf("flush topic %s: %w", w.topic, err)
	}
	return w.err()
}
