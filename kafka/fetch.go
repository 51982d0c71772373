package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"liushui"
)

// Bounds of a fetch, as it travels. Unpacked and decoded, a fetch of events
// takes about ten times as much; one is worked on while the next waits.
const (
	fetchBytes     = 2 << 20
	fetchPartBytes = 512 << 10
	// A partition that was held waits for the end of a fetch that finds nothing.
	fetchWait = 100 * time.Millisecond
)

// source fetches from one broker until ctx is done. What it has fetched it
// hands to Poll before it fetches on, so that a partition's records stay in order.
func (r *reader) source(ctx context.Context, broker int32, poked <-chan struct{}) {
	d := new(decoder)
	defer d.close()
	for turn, fails, refused := 0, 0, 0; ctx.Err() == nil; turn++ {
		req := r.request(broker, turn)
		if req == nil {
			select {
			case <-ctx.Done():
			case <-poked:
			}
			continue
		}
		fetches, err := r.fetch(ctx, broker, req, d)
		if len(fetches) > 0 {
			select {
			case <-ctx.Done():
			case r.got <- fetches:
			}
		}
		r.rest(req)
		if err == nil {
			fails, refused = 0, 0
			continue
		}
		fails++
		if r.refused(err, &refused) {
			return
		}
		r.askNow()
		select {
		case <-ctx.Done():
		case <-time.After(backoff(fails)):
		}
	}
}

// request asks for all that a broker leads and that is not held; nil where
// there is nothing. Partitions take turns in being first: a broker that
// reaches the bound of a fetch leaves out the last ones.
func (r *reader) request(broker int32, turn int) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(fetchWait.Milliseconds())
	req.MinBytes = 1
	req.MaxBytes = fetchBytes
	req.SessionEpoch = -1
	ask := kmsg.NewFetchRequestTopic()
	ask.Topic, ask.TopicID = r.topic, r.raw
	r.mu.Lock()
	defer r.mu.Unlock()
	for number, at := range r.parts {
		if at.leader != broker || at.held || at.busy {
			continue
		}
		at.busy = true
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition, part.FetchOffset, part.PartitionMaxBytes = number, at.next, fetchPartBytes
		ask.Partitions = append(ask.Partitions, part)
	}
	n := len(ask.Partitions)
	if n == 0 || r.failed != nil {
		return nil
	}
	slices.SortFunc(ask.Partitions, func(a, b kmsg.FetchRequestTopicPartition) int { return int(a.Partition - b.Partition) })
	first := turn % n
	ask.Partitions = append(ask.Partitions[first:n:n], ask.Partitions[:first]...)
	req.Topics = append(req.Topics, ask)
	return req
}

// rest ends the fetch of the request's partitions.
func (r *reader) rest(req *kmsg.FetchRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, part := range req.Topics[0].Partitions {
		at := r.parts[part.Partition]
		at.busy = false
		r.poke(at.leader) // another one meanwhile, perhaps
	}
}

// fetch asks once. An error means that it is better to wait a little; what
// will not pass has failed the reader.
func (r *reader) fetch(ctx context.Context, broker int32, req *kmsg.FetchRequest, d *decoder) ([]liushui.Fetch, error) {
	answer, err := r.kafka.Broker(int(broker)).Request(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	var fetches []liushui.Fetch
	var trouble error
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			part := &resp.Topics[i].Partitions[j]
			m := takeMemory()
			records, err := r.take(ctx, part, d, m)
			if len(records) > 0 {
				fetches = append(fetches, liushui.Fetch{Partition: part.Partition, Records: records, Done: m.giveBack})
			} else {
				m.giveBack()
			}
			trouble = errors.Join(trouble, err)
		}
	}
	return fetches, trouble
}

// take decodes what came of a partition and moves its place.
func (r *reader) take(ctx context.Context, part *kmsg.FetchResponseTopicPartition, d *decoder, m *memory) ([]liushui.Record, error) {
	r.mu.Lock()
	at := r.parts[part.Partition]
	r.mu.Unlock()
	if at == nil {
		return nil, nil // not asked for
	}
	if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
		r.judge(ctx, part.Partition, err)
		return nil, err
	}
	// A place is moved only by the source to which it is busy.
	records, next, err := d.partition(m, part.Partition, at.next, part.RecordBatches)
	if err != nil {
		r.fail(fmt.Errorf("read topic %s, partition %d: %w", r.topic, part.Partition, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if next > at.next {
		at.next, at.fresh = next, false
	} else if err == nil && len(part.RecordBatches) > 0 {
		err = fmt.Errorf("the broker's answer does not reach offset %d", at.next)
	}
	return records, err
}

// judge decides what an error of a partition means. What it does not fail the
// reader for passes: the leader changes, a broker starts.
func (r *reader) judge(ctx context.Context, partition int32, err error) {
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		r.judgeRange(ctx, partition)
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.InconsistentTopicID):
		r.judgeTopic(ctx, false)
	case !kerr.IsRetriable(err):
		r.fail(fmt.Errorf("read topic %s, partition %d: %w", r.topic, partition, err))
	}
}

// judgeRange finds what the log holds, to say so. A reader that had just begun
// at the log's start, which was trimmed meanwhile, begins at the new one.
func (r *reader) judgeRange(ctx context.Context, partition int32) {
	if r.judgeTopic(ctx, false); r.hasFailed() {
		return
	}
	ends, err := extents(ctx, r.kafka, r.topic, []int32{partition})
	if err != nil {
		return // the broker is away: the error comes again when it is back
	}
	if lost := r.outside(ends[0]); len(lost) > 0 {
		r.fail(gone(r.topic, lost))
	}
}

// outside says what is missing in a partition that a broker has refused, and,
// as far as is known, in others.
func (r *reader) outside(refused liushui.PartitionEnd) (lost []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.parts[refused.Partition]
	if at.fresh {
		at.next = refused.Start
		return nil
	}
	for _, end := range r.ends {
		at := r.parts[end.Partition]
		switch {
		case end.Partition == refused.Partition:
			lost = append(lost, missing(refused, at.next))
		case at.next < end.Start && !at.fresh:
			lost = append(lost, missing(end, at.next))
		}
	}
	return lost
}

// judgeTopic fails the reader where the topic is another one; and where there
// is none, if that is certain.
func (r *reader) judgeTopic(ctx context.Context, certain bool) {
	have, err := describe(ctx, r.kafka, r.topic)
	switch {
	case err != nil:
	case have == nil && certain:
		r.fail(fmt.Errorf("topic %s was deleted while it was read: %w", r.topic, liushui.ErrOtherTopic))
	case have != nil && have.id != r.id:
		r.fail(otherTopic(r.topic, r.id, have.id))
	}
}
