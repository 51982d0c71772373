package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"liushui"
)

// From says where a reader begins; the zero value is the start of the log.
type From struct {
	Offsets map[int32]int64 // the next to read; partitions that are missing here are read from their start
	TopicID string          // where set, the topic must be this one, else ErrOtherTopic
	Tail    int64           // above 0: that many records before the end of each partition
}

// reader is a liushui.Reader. One goroutine, ask, learns about the topic; for
// each broker that leads partitions another one fetches from it, a fetch ahead
// of Poll.
type reader struct {
	topic    string
	id       string
	raw      [16]byte // the id as brokers take it
	log      *slog.Logger
	presence *presence
	kafka    *kgo.Client

	stop    context.CancelFunc
	running sync.WaitGroup

	got     chan []liushui.Fetch
	failing chan struct{} // closed when failed is set
	hurry   chan struct{} // asks ask to ask now

	mu      sync.Mutex
	parts   map[int32]*place
	sources map[int32]chan struct{} // by broker: poked when there may be more to fetch from it
	ends    []liushui.PartitionEnd
	failed  error // lasting
}

// place is where a reader stands in a partition.
type place struct {
	next   int64 // to fetch
	fresh  bool  // it began at the log's start and has read nothing yet
	leader int32
	held   bool
	busy   bool // a fetch of it is under way, or waits for Poll
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
	ends, err := patiently(ctx, func() ([]liushui.PartitionEnd, error) { return extents(ctx, c.kafka, name, have.partitions()) })
	if err != nil {
		return nil, err
	}
	r := &reader{topic: name, id: have.id, raw: have.raw, log: c.log, presence: c.presence, parts: map[int32]*place{}, sources: map[int32]chan struct{}{},
		got: make(chan []liushui.Fetch), failing: make(chan struct{}), hurry: make(chan struct{}, 1)}
	var lost []string
	for _, end := range ends {
		at := from.place(end)
		if r.parts[end.Partition] = at; at.next < end.Start || at.next > end.End {
			lost = append(lost, missing(end, at.next))
		}
	}
	if len(lost) > 0 {
		return nil, gone(name, lost)
	}
	if r.kafka, err = c.open(); err != nil {
		return nil, fmt.Errorf("open a reader of topic %s: %w", name, err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.learn(background, have, ends)
	r.running.Go(func() { r.ask(background) })
	return r, nil
}

// place is where a partition is read from; only an explicit one may lie outside the log.
func (f From) place(end liushui.PartitionEnd) *place {
	at, explicit := f.Offsets[end.Partition]
	switch {
	case explicit:
		return &place{next: at, leader: -1}
	case f.Tail > 0:
		return &place{next: max(end.Start, end.End-f.Tail), leader: -1}
	}
	return &place{next: end.Start, fresh: true, leader: -1}
}

func (r *reader) TopicID() string { return r.id }

func (r *reader) Close() {
	r.fail(fmt.Errorf("read topic %s: %w", r.topic, net.ErrClosed))
	r.stop()
	r.kafka.Close()
	r.running.Wait()
}

func (r *reader) Poll(ctx context.Context) ([]liushui.Fetch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.failing:
		r.mu.Lock()
		defer r.mu.Unlock()
		return nil, r.failed
	case fetches := <-r.got:
		return fetches, nil
	}
}

func (r *reader) Hold(partition int32, held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := r.parts[partition]; at != nil {
		at.held = held
		if !held {
			r.poke(at.leader)
		}
	}
}

func (r *reader) Commit(ctx context.Context, group string, offsets map[int32]int64) error {
	return commit(ctx, r.kafka, group, r.topic, offsets)
}

// poke tells a source that there may be more to fetch; mu is held.
func (r *reader) poke(broker int32) {
	select {
	case r.sources[broker] <- struct{}{}:
	default:
	}
}

// fail makes every further Poll return err, the one that waits included.
func (r *reader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
		close(r.failing)
	}
}

func (r *reader) hasFailed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed != nil
}

// missing is what a partition's log does not hold for who stands at an offset.
func missing(end liushui.PartitionEnd, at int64) string {
	lost, from, to := "as by retention", at, end.Start
	if at > end.End {
		lost, from, to = "as after a power cut", end.End, at
	}
	return fmt.Sprintf("partition %d, offset %d: the log holds %d to %d, and %d records from offset %d on are lost, %s",
		end.Partition, at, end.Start, end.End, to-from, from, lost)
}

func gone(topic string, missing []string) error {
	return fmt.Errorf("topic %s, %s: %w", topic, strings.Join(missing, "; "), liushui.ErrGone)
}

func otherTopic(name, was, is string) error {
	return fmt.Errorf("topic %s was deleted and made again (its id was %s and is %s): %w", name, was, is, liushui.ErrOtherTopic)
}
