package enginetest

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"sync"

	"liushui"
)

// writesUnderWay is how many calls of Write may wait for their acknowledgement.
const writesUnderWay = 64

type writer struct {
	topic *Topic
	life  int
	queue chan write
	ended sync.WaitGroup // the goroutine that appends

	stop     chan struct{} // closed first, to let waiting calls of Write go
	stopOnce sync.Once
	writing  sync.RWMutex // held for reading while a call of Write may use queue
	closed   bool         // under writing

	random *rand.Rand // or nil; only the goroutine that writes

	mu  sync.Mutex
	err error // lasting
}

type write struct {
	records []liushui.Record
	done    func(error) // or nil
}

// Writer writes to the topic; records of one key go to one partition.
func (t *Topic) Writer() liushui.Writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &writer{topic: t, life: t.life, queue: make(chan write, writesUnderWay), stop: make(chan struct{}), random: t.numbers()}
	w.ended.Go(func() {
		for next := range w.queue {
			err := w.append(next.records)
			if next.done != nil {
				next.done(err)
			}
		}
	})
	return w
}

// append is the broker's side of a write.
func (w *writer) append(records []liushui.Record) error {
	select {
	case <-w.stop:
		return w.fail(errClosed)
	default:
	}
	if err := w.lasting(); err != nil || len(records) == 0 {
		return err
	}
	t := w.topic
	if err := t.connected(w.life); err != nil {
		return w.fail(err)
	}
	n, failure := t.admit(records)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.check(w.life); err != nil {
		return w.fail(err)
	}
	for _, r := range records[:n] {
		t.append(t.partitionOf(r.Key), r)
	}
	return w.fail(failure)
}

// admit asks OnWrite's function how many records get through.
func (t *Topic) admit(records []liushui.Record) (n int, err error) {
	t.mu.Lock()
	hook := t.onWrite
	t.mu.Unlock()
	if hook != nil {
		if n, err := hook(records); err != nil {
			return n, err
		}
	}
	return len(records), nil
}

// partitionOf chooses a partition by the key. The lock is held.
func (t *Topic) partitionOf(key []byte) int32 {
	h := fnv.New32a()
	h.Write(key)
	return int32(h.Sum32() % uint32(len(t.partitions)))
}

// fail keeps the first error, if there is one, and returns what is kept.
func (w *writer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	return w.err
}

func (w *writer) lasting() error { return w.fail(nil) }

// Write takes a moment, and so does Close, in which all others come to rest: else
// it would be chance whether records or a Close right behind them come first.
func (w *writer) Write(ctx context.Context, records []liushui.Record, done func(error)) error {
	defer laneEngine.pause(w.random)
	w.writing.RLock()
	defer w.writing.RUnlock()
	if w.closed {
		return errClosed
	}
	if err := errors.Join(w.lasting(), ctx.Err()); err != nil {
		return err
	}
	select {
	case w.queue <- write{records, done}:
		return nil
	case <-w.stop:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) Flush(ctx context.Context) error {
	acknowledged := make(chan error, 1)
	if err := w.Write(ctx, nil, func(err error) { acknowledged <- err }); err != nil {
		return err
	}
	select {
	case err := <-acknowledged:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close loses what was not flushed.
func (w *writer) Close() {
	laneEngine.pause(w.random)
	w.stopOnce.Do(func() {
		close(w.stop)
		w.writing.Lock()
		w.closed = true
		w.writing.Unlock()
		close(w.queue)
	})
	w.ended.Wait()
}
