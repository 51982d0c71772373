package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"liushui"
)

// Ends asks for the extent of each partition of a topic, by number.
func (c *Client) Ends(ctx context.Context, name string) ([]liushui.PartitionEnd, error) {
	have, err := c.mustHave(ctx, name)
	if err != nil {
		return nil, err
	}
	return patiently(ctx, func() ([]liushui.PartitionEnd, error) { return extents(ctx, c.kafka, name, have.partitions()) })
}

// Timestamps that ask ListOffsets for the ends of a log.
const (
	askStart = -2
	askEnd   = -1
)

// extents asks for the extent of partitions; it answers for all of them or fails.
func extents(ctx context.Context, kafka *kgo.Client, topic string, partitions []int32) ([]liushui.PartitionEnd, error) {
	asked := time.Now()
	starts, err := listOffsets(ctx, kafka, topic, partitions, askStart)
	if err != nil {
		return nil, err
	}
	ends, err := listOffsets(ctx, kafka, topic, partitions, askEnd)
	if err != nil {
		return nil, err
	}
	all := make([]liushui.PartitionEnd, 0, len(partitions))
	for _, p := range partitions {
		all = append(all, liushui.PartitionEnd{Partition: p, Start: starts[p], End: max(starts[p], ends[p]), Asked: asked})
	}
	slices.SortFunc(all, func(a, b liushui.PartitionEnd) int { return cmp.Compare(a.Partition, b.Partition) })
	return all, nil
}

func listOffsets(ctx context.Context, kafka *kgo.Client, topic string, partitions []int32, at int64) (map[int32]int64, error) {
	ask := kmsg.NewListOffsetsRequestTopic()
	ask.Topic = topic
	for _, p := range partitions {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Partition = p
		part.Timestamp = at
		ask.Partitions = append(ask.Partitions, part)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.Topics = append(req.Topics, ask)
	resp, err := req.RequestWith(ctx, kafka)
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of topic %s: %w", topic, err)
	}
	offsets := make(map[int32]int64, len(partitions))
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("ask for the end of topic %s, partition %d: %w", topic, p.Partition, err)
			}
			offsets[p.Partition] = p.Offset
		}
	}
	if len(offsets) != len(partitions) {
		return nil, fmt.Errorf("ask for the ends of topic %s: %d of %d partitions answered", topic, len(offsets), len(partitions))
	}
	return offsets, nil
}

// Committed returns the offsets (the next to read) that a group keeps for a
// topic; partitions that it never committed are missing.
func (c *Client) Committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	return patiently(ctx, func() (map[int32]int64, error) { return c.committed(ctx, group, topic) })
}

func (c *Client) committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	kept, err := kadm.NewClient(c.kafka).FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[int32]int64{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the offsets of group %s: %w", group, err)
	}
	offsets := map[int32]int64{}
	for p, o := range kept[topic] {
		if o.Err != nil {
			return nil, fmt.Errorf("ask for the offsets of group %s, topic %s, partition %d: %w", group, topic, p, o.Err)
		}
		if o.At >= 0 {
			offsets[p] = o.At
		}
	}
	return offsets, nil
}

func commit(ctx context.Context, kafka *kgo.Client, group, topic string, offsets map[int32]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	keep := kadm.Offsets{}
	for p, at := range offsets {
		keep.AddOffset(topic, p, at, -1)
	}
	_, err := patiently(ctx, func() (struct{}, error) {
		return struct{}{}, kadm.NewClient(kafka).CommitAllOffsets(ctx, group, keep)
	})
	if err != nil {
		return fmt.Errorf("commit offsets of group %s for topic %s: %w", group, topic, err)
	}
	return nil
}
