package kafka

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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

// ask learns twice a second how far the partitions reach, whether there are
// new ones, and whether the topic is still the same. It says once when no
// broker answers any more, and once when one does again.
func (r *reader) ask(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	var lost time.Time
	missed := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		found, err := r.askOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && lost.IsZero():
			lost = time.Now()
			r.log.Warn("Kafka does not answer; waiting for it", "topic", r.topic, "error", plain(err))
		case err == nil && !lost.IsZero():
			r.log.Info("Kafka answers again", "topic", r.topic, "after", time.Since(lost).Round(time.Millisecond))
			lost = time.Time{}
		}
		if err != nil {
			continue
		}
		if missed++; found {
			missed = 0
		}
		if missed == askMissed {
			r.judgeTopic(ctx)
		}
	}
}

// askOnce reports whether the topic was found.
func (r *reader) askOnce(ctx context.Context) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	have, err := describe(ctx, r.kafka, r.topic)
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
	ends, err := extents(ctx, r.kafka, r.topic, have.partitions)
	if err != nil {
		return true, err
	}
	r.learn(ends)
	return true, nil
}

// learn keeps the answer, and begins to read partitions that are new.
func (r *reader) learn(ends []liushui.PartitionEnd) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = ends
	added := map[int32]kgo.Offset{}
	for _, end := range ends {
		if r.parts[end.Partition] == nil {
			r.parts[end.Partition] = &place{next: end.Start, fresh: true}
			added[end.Partition] = kgo.NewOffset().At(end.Start)
		}
	}
	if len(added) > 0 {
		r.log.Info("topic has more partitions; reading them from their start", "topic", r.topic, "partitions", len(ends))
		r.kafka.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: added})
	}
}
