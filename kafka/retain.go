package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	groupPrefix = "liushui-"      // groups that hold what they have not passed
	groupStore  = "liushui-store" // the one whose loss of results is told

	sweepEvery     = time.Second
	sweepEveryHeld = 200 * time.Millisecond
)

// Run keeps the logs within their bound until ctx is done: events that every
// group liushui-* has passed go, and where that is not enough, producers of
// events are held back; results and dead letters go by age.
func (b *Broker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.running.Add(1)
	defer b.running.Done()
	defer context.AfterFunc(b.closing, cancel)()
	wrong := ""
	for {
		err := b.sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && err.Error() != wrong:
			wrong = err.Error()
			b.log.Error("the broker's log is not trimmed", "error", err)
		case err == nil:
			wrong = ""
		}
		wait := sweepEvery
		if b.Status().Held != "" {
			wait = sweepEveryHeld
		}
		select {
		case <-ctx.Done():
			return nil
		case <-b.gate.kick:
		case <-time.After(wait):
		}
	}
}

// offsets are committed offsets by group and partition.
type offsets map[string]map[int32]int64

func (b *Broker) sweep(ctx context.Context) error {
	events, err := b.committed(ctx, b.topics.events)
	if err != nil {
		return err
	}
	results, err := b.committed(ctx, b.topics.results)
	if err != nil {
		return err
	}
	return errors.Join(
		b.sweepEvents(ctx, events),
		b.sweepResults(ctx, results[groupStore]),
		b.sweepDeadLetters(ctx),
	)
}

// committed asks what each group liushui-* committed for a topic.
func (b *Broker) committed(ctx context.Context, topic string) (offsets, error) {
	groups, err := b.admin.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the groups: %w", err)
	}
	all := offsets{}
	for _, group := range groups.Groups() {
		if !strings.HasPrefix(group, groupPrefix) {
			continue
		}
		kept, err := b.admin.FetchOffsets(ctx, group)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("ask for the offsets of group %s: %w", group, err)
		}
		for p, o := range kept[topic] {
			if o.Err == nil && o.At >= 0 {
				if all[group] == nil {
					all[group] = map[int32]int64{}
				}
				all[group][p] = o.At
			}
		}
	}
	return all, nil
}

// passed is the offset that all groups have passed. A group that never
// committed for a partition has passed none of it; without groups, nobody has.
func (o offsets) passed(partition int32) int64 {
	if len(o) == 0 {
		return 0
	}
	lowest := int64(math.MaxInt64)
	for _, at := range o {
		lowest = min(lowest, at[partition])
	}
	return lowest
}

func (b *Broker) sweepEvents(ctx context.Context, groups offsets) error {
	refused := b.gate.measure()
	all, info, err := b.extent(ctx, b.topics.events)
	if err != nil {
		return err
	}
	starts, left := trims(all, b.target(), groups.passed)
	if err := b.trim(ctx, b.topics.events, starts); err != nil {
		return err
	}
	b.gate.measured(info.id, left)
	held := ""
	if left > b.retain || left > b.target() && (refused || b.Status().Held != "") {
		held = b.whyFull(groups, info, left)
	}
	return b.hold(ctx, held)
}

func (b *Broker) sweepResults(ctx context.Context, store map[int32]int64) error {
	all, info, err := b.extent(ctx, b.topics.results)
	if err != nil {
		return err
	}
	starts, _ := trims(all, b.target(), func(int32) int64 { return math.MaxInt64 })
	for p, start := range starts {
		if from := max(store[p], info.starts[p]); store != nil && start > from {
			b.gate.dropped(start-from, 0)
			b.log.Warn("results dropped before the store took them: the log is full; mend them with `liushui reconcile --repair`",
				"topic", b.topics.results, "from", from, "to", start)
		}
	}
	return b.trim(ctx, b.topics.results, starts)
}

func (b *Broker) sweepDeadLetters(ctx context.Context) error {
	all, info, err := b.extent(ctx, b.topics.deadLetters)
	if err != nil {
		return err
	}
	starts, _ := trims(all, b.target(), func(int32) int64 { return math.MaxInt64 })
	dropped := int64(0)
	for p, start := range starts {
		dropped += start - info.starts[p]
	}
	if dropped > 0 {
		b.gate.dropped(0, dropped)
		b.log.Warn("the oldest dead letters were dropped: the log is full", "topic", b.topics.deadLetters, "records", dropped)
	}
	return b.trim(ctx, b.topics.deadLetters, starts)
}

// target is what a log is trimmed to: some room below the bound, so that
// producers whose readers keep up are never held back.
func (b *Broker) target() int64 { return b.retain - b.retain/8 }

// topicInfo is what the cluster knows of a topic.
type topicInfo struct {
	id           [16]byte
	starts, ends map[int32]int64
}

// segmentBytes is how large a segment grows: the newest ones, which are never
// trimmed, take at most a thirty-second of the bound, and a start, which reads
// one of each partition at a time, takes little memory.
func (b *Broker) segmentBytes(partitions int) int64 {
	return max(64<<10, min(8<<20, b.retain/32/int64(max(partitions, 1))))
}

// extent lists a topic's segments, and sees to it that they are small enough.
func (b *Broker) extent(ctx context.Context, name string) ([]segment, topicInfo, error) {
	info := topicInfo{starts: map[int32]int64{}, ends: map[int32]int64{}}
	about := b.cluster.TopicInfo(name)
	if about == nil {
		return nil, info, nil
	}
	info.id = about.TopicID
	var all []segment
	partitions := b.cluster.PartitionInfos(name)
	for _, p := range partitions {
		info.starts[p.Partition], info.ends[p.Partition] = p.LogStartOffset, p.HighWatermark
		segments, err := segments(b.dir.log(), name, p.Partition)
		if err != nil {
			return nil, info, err
		}
		all = append(all, segments...)
	}
	want := strconv.FormatInt(b.segmentBytes(len(partitions)), 10)
	if have := about.Configs["segment.bytes"]; have == nil || *have != want {
		_, err := b.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "segment.bytes", Value: kmsg.StringPtr(want)}}, name)
		if err != nil {
			return nil, info, fmt.Errorf("set the segment size of topic %s: %w", name, err)
		}
	}
	return all, info, nil
}

// trim moves the starts of partitions. Starts are bases of segments, so that
// at least the newest segment stays: kfake begins an empty log at offset 0 again.
func (b *Broker) trim(ctx context.Context, topic string, starts map[int32]int64) error {
	if len(starts) == 0 {
		return nil
	}
	to := kadm.Offsets{}
	for p, at := range starts {
		to.AddOffset(topic, p, at, -1)
	}
	trimmed, err := b.admin.DeleteRecords(ctx, to)
	if err == nil {
		err = trimmed.Error()
	}
	if err != nil {
		return fmt.Errorf("trim topic %s: %w", topic, err)
	}
	b.log.Debug("log trimmed", "topic", topic, "starts", starts)
	return nil
}

// whyFull says who must read on before events can be taken again.
func (b *Broker) whyFull(groups offsets, info topicInfo, size int64) string {
	full := fmt.Sprintf("the broker keeps %s of %s, its bound", mebibytes(size), b.topics.events)
	if len(groups) == 0 {
		return full + ", and no engine has read any of it yet: start `liushui process`"
	}
	slowest, behind := "", int64(-1)
	for group, at := range groups {
		lag := int64(0)
		for p, end := range info.ends {
			lag += end - max(at[p], info.starts[p])
		}
		if lag > behind || lag == behind && group < slowest {
			slowest, behind = group, lag
		}
	}
	return fmt.Sprintf("%s, and %s is %d records behind: wait for it, start it, or drop it with `liushui broker --forget %s`",
		full, slowest, behind, strings.TrimPrefix(slowest, groupPrefix))
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
