package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"liushui"
)

// Bounds of a fetch, as it travels. Unpacked and decoded, a fetch of events
// takes about fifteen times as much; one is worked on while the next waits.
const (
	fetchBytes     = 4 << 20
	fetchPartBytes = 1 << 20
	// A partition that was held waits for the end of a fetch that finds nothing.
	fetchWait = 100 * time.Millisecond
)

// From says where a reader begins; the zero value is the start of the log.
type From struct {
	Offsets map[int32]int64 // the next to read; partitions that are missing here are read from their start
	TopicID string          // where set, the topic must be this one, else ErrOtherTopic
	Tail    int64           // above 0: that many records before the end of each partition
}

// reader is a liushui.Reader.
type reader struct {
	topic string
	id    string
	log   *slog.Logger
	kafka *kgo.Client
	feeds feeds

	stop context.CancelFunc
	done chan struct{} // closed when ask has ended

	mu     sync.Mutex
	parts  map[int32]*place
	ends   []liushui.PartitionEnd
	failed error                   // lasting
	wake   context.CancelCauseFunc // of the Poll that waits
}

// place is where a reader stands in a partition.
type place struct {
	next  int64
	fresh bool // it began at the log's start and has read nothing yet
}

// Reader reads a topic that exists. ctx is for its beginning only; Close ends it.
func (c *Client) Reader(ctx context.Context, name string, from From) (liushui.Reader, error) {
	have, err := c.mustHave(ctx, name)
	if err != nil {
		return nil, err
	}
	if from.TopicID != "" && from.TopicID != have.id {
		return nil, otherTopic(name, from.TopicID, have.id)
	}
	ends, err := patiently(ctx, func() ([]liushui.PartitionEnd, error) { return extents(ctx, c.kafka, name, have.partitions) })
	if err != nil {
		return nil, err
	}
	r := &reader{topic: name, id: have.id, log: c.log, ends: ends, parts: map[int32]*place{}, done: make(chan struct{})}
	offsets := map[int32]kgo.Offset{}
	for _, end := range ends {
		at, err := from.place(name, end)
		if err != nil {
			return nil, err
		}
		r.parts[end.Partition] = at
		offsets[end.Partition] = kgo.NewOffset().At(at.next)
	}
	r.kafka, err = c.open(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: offsets}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // an offset outside the log must be seen, not mended
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartBytes),
		kgo.FetchMaxWait(fetchWait),
		kgo.MaxConcurrentFetches(2),
		kgo.WithPools(new(slabs)),
	)
	if err != nil {
		return nil, fmt.Errorf("open a reader of topic %s: %w", name, err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go r.ask(background)
	return r, nil
}

// place finds where a partition is read from.
func (f From) place(topic string, end liushui.PartitionEnd) (*place, error) {
	at, explicit := f.Offsets[end.Partition]
	switch {
	case explicit && (at < end.Start || at > end.End):
		return nil, gone(topic, end, at)
	case explicit:
		return &place{next: at}, nil
	case f.Tail > 0:
		return &place{next: max(end.Start, end.End-f.Tail)}, nil
	}
	return &place{next: end.Start, fresh: true}, nil
}

func (r *reader) TopicID() string { return r.id }

func (r *reader) Close() {
	r.stop()
	r.kafka.Close()
	<-r.done
}

func (r *reader) Hold(partition int32, held bool) {
	parts := map[string][]int32{r.topic: {partition}}
	if held {
		r.kafka.PauseFetchPartitions(parts)
	} else {
		r.kafka.ResumeFetchPartitions(parts)
	}
}

func (r *reader) Commit(ctx context.Context, group string, offsets map[int32]int64) error {
	return commit(ctx, r.kafka, group, r.topic, offsets)
}

func (r *reader) Poll(ctx context.Context) ([]liushui.Fetch, error) {
	for {
		wait, err := r.arm(ctx)
		if err != nil {
			return nil, err
		}
		fetches := r.kafka.PollFetches(wait)
		r.disarm()
		if got := r.take(ctx, fetches); len(got) > 0 {
			return got, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// arm prepares a wait that fail can end; it returns what has failed already.
func (r *reader) arm(ctx context.Context) (context.Context, error) {
	wait, wake := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil {
		wake(r.failed)
		return nil, r.failed
	}
	r.wake = wake
	return wait, nil
}

func (r *reader) disarm() {
	r.mu.Lock()
	r.wake(nil)
	r.wake = nil
	r.mu.Unlock()
}

// fail makes every further Poll return err, the one that waits included.
func (r *reader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
	if r.wake != nil {
		r.wake(err)
	}
}

// take turns what was fetched into records, and judges errors.
func (r *reader) take(ctx context.Context, fetches kgo.Fetches) []liushui.Fetch {
	var got []liushui.Fetch
	for i := range fetches {
		for _, t := range fetches[i].Topics {
			for j := range t.Partitions {
				p := &t.Partitions[j]
				if n := len(p.Records); n > 0 {
					records := r.feeds.records(p.Records)
					got = append(got, liushui.Fetch{Partition: p.Partition, Records: records})
					r.moved(p.Partition, records[n-1].Offset+1)
				}
				if p.Err != nil {
					r.judge(ctx, p.Partition, p.Err)
				}
			}
		}
	}
	return got
}

func (r *reader) moved(partition int32, next int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := r.parts[partition]; at != nil {
		at.next, at.fresh = next, false
	}
}

// judge decides what an error of a partition means.
func (r *reader) judge(ctx context.Context, partition int32, err error) {
	var loss *kgo.ErrDataLoss
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, kerr.OffsetOutOfRange), errors.As(err, &loss):
		r.judgeRange(ctx, partition)
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
		r.judgeTopic(ctx)
	case kerr.IsRetriable(err):
	default:
		r.fail(fmt.Errorf("read topic %s, partition %d: %w", r.topic, partition, err))
	}
}

// judgeRange finds what the log holds, to say so. A reader that had just begun
// at the log's start, which was trimmed meanwhile, begins at the new one.
func (r *reader) judgeRange(ctx context.Context, partition int32) {
	if r.judgeTopic(ctx); r.hasFailed() {
		return
	}
	ends, err := extents(ctx, r.kafka, r.topic, []int32{partition})
	if err != nil {
		return // the broker is away: the error comes again when it is back
	}
	r.mu.Lock()
	at := r.parts[partition]
	next, fresh := at.next, at.fresh
	if fresh {
		at.next = ends[0].Start
	}
	r.mu.Unlock()
	if !fresh {
		r.fail(gone(r.topic, ends[0], next))
		return
	}
	r.kafka.RemoveConsumePartitions(map[string][]int32{r.topic: {partition}})
	r.kafka.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: {partition: kgo.NewOffset().At(ends[0].Start)}})
}

// judgeTopic fails the reader where the topic is another one, or no more.
func (r *reader) judgeTopic(ctx context.Context) {
	have, err := describe(ctx, r.kafka, r.topic)
	if err != nil {
		return
	}
	if have == nil {
		r.fail(fmt.Errorf("topic %s was deleted while it was read: %w", r.topic, liushui.ErrOtherTopic))
	} else if have.id != r.id {
		r.fail(otherTopic(r.topic, r.id, have.id))
	}
}

func (r *reader) hasFailed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed != nil
}

func gone(topic string, end liushui.PartitionEnd, at int64) error {
	return fmt.Errorf("topic %s, partition %d, offset %d: the log holds %d to %d: %w",
		topic, end.Partition, at, end.Start, end.End, liushui.ErrGone)
}

func otherTopic(name, was, is string) error {
	return fmt.Errorf("topic %s was deleted and made again (its id was %s and is %s): %w", name, was, is, liushui.ErrOtherTopic)
}
