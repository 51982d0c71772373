package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"liushui"
	"liushui/kafka"
)

// stretch is a piece of a partition, [start, end).
type stretch struct{ start, end int64 }

// whole is all that a topic holds now.
func whole(ctx context.Context, client *kafka.Client, topic string) (map[int32]stretch, error) {
	ends, err := client.Ends(ctx, topic)
	if err != nil {
		return nil, err
	}
	all := map[int32]stretch{}
	for _, end := range ends {
		all[end.Partition] = stretch{end.Start, end.End}
	}
	return all, nil
}

// tail is what stands at the ends of a topic's partitions now, at most n records of each.
func tail(ctx context.Context, client *kafka.Client, topic string, n int64) (map[int32]stretch, error) {
	all, err := whole(ctx, client, topic)
	for partition, of := range all {
		all[partition] = stretch{max(of.start, of.end-n), of.end}
	}
	return all, err
}

// silentAfter is when what is missing at the end of a stretch is taken for marks
// of transactions, which have offsets but are no records.
const silentAfter = 5 * time.Second

// scan calls each with the records of stretches, each partition in order. shown,
// where given, is told how far it is.
func scan(ctx context.Context, client *kafka.Client, topic string, all map[int32]stretch, shown *meter, each func(*liushui.Record) error) error {
	from, left, total := map[int32]int64{}, int64(0), int64(0)
	for partition, of := range all {
		from[partition] = of.start
		left += of.end - of.start
	}
	if total = left; left == 0 {
		return nil
	}
	reader, err := client.Reader(ctx, topic, kafka.From{Offsets: from})
	if err != nil {
		return err
	}
	defer reader.Close()
	for partition := range all {
		reader.Hold(partition, all[partition].start == all[partition].end)
	}
	for left > 0 {
		fetches, err := poll(ctx, reader, all)
		if err != nil {
			return fmt.Errorf("read topic %s: %w", topic, err)
		}
		if fetches == nil {
			return nil
		}
		for _, f := range fetches {
			of := all[f.Partition]
			for i := range f.Records {
				r := &f.Records[i]
				if r.Offset >= of.end {
					break
				}
				if err := each(r); err != nil {
					return err
				}
				left -= r.Offset + 1 - from[f.Partition]
				from[f.Partition] = r.Offset + 1
			}
			if n := len(f.Records); n > 0 && f.Records[n-1].Offset >= of.end {
				left -= of.end - from[f.Partition] // the rest of it was marks
				from[f.Partition] = of.end
			}
			if from[f.Partition] >= of.end {
				reader.Hold(f.Partition, true)
			}
		}
		if shown != nil {
			shown.set(total-left, total)
		}
	}
	return nil
}

// poll returns nothing where Kafka answers, but has no record any more.
func poll(ctx context.Context, reader liushui.Reader, all map[int32]stretch) ([]liushui.Fetch, error) {
	for {
		silence, cancel := context.WithTimeout(ctx, silentAfter)
		fetches, err := reader.Poll(silence)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return fetches, err
		}
		answered := 0
		for _, end := range reader.Ends() {
			if _, ours := all[end.Partition]; ours && time.Since(end.Asked) < silentAfter/2 {
				answered++
			}
		}
		if answered == len(all) {
			return nil, nil
		}
	}
}
