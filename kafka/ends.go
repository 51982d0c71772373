package kafka

import (
	"context"
	"fmt"
	"slices"
	"time"

	"liushui"
)

const (
	askEvery  = 500 * time.Millisecond
	askWait   = 2 * time.Second // an answer that takes longer is none
	askMissed = 10              // questions in a row that may find no topic: brokers forget for moments
)

func (r *reader) Ends() []liushui.PartitionEnd {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ends)
}

// askNow makes the next question come at once.
func (r *reader) askNow() {
	select {
	case r.hurry <- struct{}{}:
	default:
	}
}

// ask learns twice a second how far the partitions reach, who leads them,
// whether there are new ones, and whether the topic is still the same.
func (r *reader) ask(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	lost, missed, refused := false, 0, 0
	defer func() {
		if lost {
			r.presence.find(false)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.hurry:
		}
		found, err := r.askOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !lost:
			lost = true
			r.presence.lose(r.topic, err)
		case err == nil && lost:
			lost = false
			r.presence.find(true)
		}
		if err != nil {
			if r.refused(err, &refused) {
				return
			}
			continue
		}
		refused = 0
		if missed++; found {
			missed = 0
		}
		if missed >= askMissed {
			r.judgeTopic(ctx, true)
		}
	}
}

// refused counts errors that say that Kafka refuses us, and fails the reader at
// the third in a row.
func (r *reader) refused(err error, times *int) bool {
	said := verdict(err)
	if said == nil {
		*times = 0
		return false
	}
	if *times++; *times < patientRefusals {
		return false
	}
	r.fail(fmt.Errorf("read topic %s: %w", r.topic, said))
	return true
}

// askOnce reports whether the topic was found.
func (r *reader) askOnce(ctx context.Context) (found bool, err error) {
	wait, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	have, err := describe(wait, r.kafka, r.topic)
	if err != nil {
		return false, err
	}
	if have == nil {
		return false, nil
	}
	if have.id != r.id {
		r.fail(otherTopic(r.topic, r.id, have.id))
		return true, nil
	}
	ends, err := extents(wait, r.kafka, r.topic, have.partitions())
	if err != nil {
		return true, err
	}
	r.learn(ctx, have, ends)
	return true, nil
}

// learn keeps the answer, begins to read partitions that are new, and from
// brokers that did not lead any before.
func (r *reader) learn(ctx context.Context, have *topic, ends []liushui.PartitionEnd) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(ends) > len(r.parts) {
		r.log.Info("the topic has more partitions; reading them from their start", "topic", r.topic, "partitions", len(ends))
	}
	r.ends = ends
	for _, end := range ends {
		at := r.parts[end.Partition]
		if at == nil {
			at = &place{next: end.Start, fresh: true, leader: -1}
			r.parts[end.Partition] = at
		}
		leader := have.leaders[end.Partition]
		if at.leader == leader {
			continue
		}
		at.leader = leader
		if leader >= 0 && r.sources[leader] == nil {
			poked := make(chan struct{}, 1)
			r.sources[leader] = poked
			r.running.Go(func() { r.source(ctx, leader, poked) })
		}
		r.poke(leader)
	}
}
