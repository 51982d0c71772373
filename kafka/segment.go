package kafka

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kfake keeps a partition in log/partitions/TOPIC-NUMBER: segments, named by
// their first offset, of batches (.dat) and of 15 bytes a batch (.idx).
const indexEntry = 15

// segment is a file of batches. A log is trimmed by whole segments only: that
// frees its disk at once, and the log begins at the same offset after a crash.
type segment struct {
	partition int32
	base      int64
	next      int64 // base of the next that holds something; 0 for the newest, which is never trimmed
	bytes     int64 // of its batches
	size      int64 // bytes that it is held to cost: batchCost a batch at least
	newest    time.Time
}

// batchCost is what the index of a batch and its place on disk are held to
// cost: logs of many small batches must not fill memory before they fill the bound.
const batchCost = 1 << 10

func partitionDir(log, topic string, partition int32) string {
	return filepath.Join(log, "partitions", fmt.Sprintf("%s-%d", url.PathEscape(topic), partition))
}

// segments lists a partition's segments by their offsets.
func segments(log, topic string, partition int32) ([]segment, error) {
	dir := partitionDir(log, topic, partition)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the log of %s, partition %d: %w", topic, partition, err)
	}
	var all []segment
	for _, entry := range entries {
		number, isData := strings.CutSuffix(entry.Name(), ".dat")
		base, err := strconv.ParseInt(number, 10, 64)
		if !isData || err != nil {
			continue
		}
		data, err := entry.Info()
		if err != nil {
			continue // trimmed meanwhile
		}
		s := segment{partition: partition, base: base, bytes: data.Size(), size: data.Size(), newest: data.ModTime()}
		if index, err := os.Stat(filepath.Join(dir, number+".idx")); err == nil {
			s.size = max(s.size, index.Size()/indexEntry*batchCost)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b segment) int { return int(min(1, max(-1, a.base-b.base))) })
	next := int64(0)
	for i := len(all) - 1; i >= 0; i-- {
		all[i].next = next
		if all[i].bytes > 0 { // else it was begun, and nothing written to it
			next = all[i].base
		}
	}
	return all, nil
}

// trims chooses which segments go so that no more than target is left: the
// oldest first, and of those only what ends at or below the floor of its
// partition. It returns where each partition then begins, and what is left.
func trims(all []segment, target int64, floor func(partition int32) int64) (starts map[int32]int64, left int64) {
	for _, s := range all {
		left += s.size
	}
	byAge := slices.Clone(all)
	slices.SortStableFunc(byAge, func(a, b segment) int { return a.newest.Compare(b.newest) })
	starts = map[int32]int64{}
	stopped := map[int32]bool{}
	for _, s := range byAge {
		if left <= target {
			break
		}
		if s.next == 0 || s.next > floor(s.partition) || stopped[s.partition] {
			stopped[s.partition] = true
			continue
		}
		starts[s.partition] = s.next
		left -= s.size
	}
	return starts, left
}
