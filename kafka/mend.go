package kafka

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"
)

// kfake writes down where its partitions stand, and which batches of which
// producer came last, only when it is closed. After a crash it would read the
// whole log into memory at once, and take a batch that was kept but not
// acknowledged a second time when its producer sends it again. mend writes
// both anew from the ends of the partitions. It also cuts off what a crash
// left half written.
//
// The file of the producers' batches is the mark: it is there only after kfake
// was closed, for unmark takes it away once it was read.
const producersFile = "seq_windows.json"

// The files of kfake, as far as they are written here. Version 1 of all.
type (
	topicsOnDisk struct {
		Topics []struct {
			Name       string `json:"name"`
			Partitions int32  `json:"partitions"`
		} `json:"topics"`
	}
	snapshot struct {
		Version   int               `json:"version"`
		End       int64             `json:"high_watermark"`
		StableEnd int64             `json:"last_stable_offset"`
		Start     int64             `json:"log_start_offset"`
		Epoch     int32             `json:"epoch"`
		CreatedAt time.Time         `json:"created_at"`
		Segments  []snapshotSegment `json:"segments"`
	}
	snapshotSegment struct {
		Base int64 `json:"base_offset"`
		Size int64 `json:"size"`
	}
	producers struct {
		Version int        `json:"version"`
		Windows []*batches `json:"windows"`
	}
	// batches are the last five of a producer in a partition, in a ring.
	batches struct {
		Producer  int64    `json:"pid"`
		Topic     string   `json:"topic"`
		Partition int32    `json:"partition"`
		Entries   [5]batch `json:"entries"`
		Count     uint8    `json:"count"`
		At        uint8    `json:"at"`
		Epoch     int16    `json:"epoch"`
		Seen      bool     `json:"seen"`
		Next      int32    `json:"next_seq"`
	}
	batch struct {
		First  int32 `json:"first_seq"`
		Next   int32 `json:"next_seq"`
		Offset int64 `json:"offset"`
	}
)

// mend prepares a log for kfake's start; it reports whether there was need to.
func mend(log string) (bool, error) {
	if _, err := os.Stat(filepath.Join(log, producersFile)); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	var topics topicsOnDisk
	text, err := os.ReadFile(filepath.Join(log, "topics.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // a new directory
	}
	if err != nil {
		return false, fmt.Errorf("read the list of topics: %w", err)
	}
	if err := json.Unmarshal(text, &topics); err != nil {
		return false, fmt.Errorf("read the list of topics: %w", err)
	}
	last := producers{Version: 1}
	for _, t := range topics.Topics {
		for p := range t.Partitions {
			if err := last.mendPartition(log, t.Name, p); err != nil {
				return false, fmt.Errorf("mend the log of %s, partition %d: %w", t.Name, p, err)
			}
		}
	}
	return true, writeJSON(filepath.Join(log, producersFile), last)
}

// unmark says that the log is open: without a clean close it needs mending.
func unmark(log string) error {
	if err := os.Remove(filepath.Join(log, producersFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mark the log as open: %w", err)
	}
	return nil
}

func (l *producers) mendPartition(log, topic string, partition int32) error {
	all, err := segments(log, topic, partition)
	if err != nil || len(all) == 0 {
		return err
	}
	dir := partitionDir(log, topic, partition)
	seen := map[int64]*batches{}
	end, transactions := all[0].base, false
	state := snapshot{Version: 1, Start: all[0].base, CreatedAt: time.Now()}
	for i, s := range all {
		name := filepath.Join(dir, fmt.Sprint(s.base))
		index, err := os.ReadFile(name + ".idx")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for at := indexEntry; at <= len(index); at += indexEntry {
			transactions = transactions || index[at-1]&1 != 0
		}
		// A tear can be at the end only; producers send again what came last.
		size := s.bytes
		if i >= len(all)-2 {
			if size, err = scan(name, func(b []byte) { end = max(end, remember(seen, b)) }); err != nil {
				return err
			}
		}
		state.Segments = append(state.Segments, snapshotSegment{Base: s.base, Size: size})
	}
	for _, b := range seen {
		b.Topic, b.Partition = topic, partition
		l.Windows = append(l.Windows, b)
	}
	state.End, state.StableEnd = end, end
	state.Start = max(state.Start, min(keptStart(dir), end))
	if transactions {
		return nil // kfake finds out which were ended
	}
	return writeJSON(filepath.Join(dir, "snapshot.json"), state)
}

// keptStart is where a partition began when kfake was last closed: within a
// segment, where somebody else trimmed it.
func keptStart(dir string) int64 {
	var kept snapshot
	if text, err := os.ReadFile(filepath.Join(dir, "snapshot.json")); err != nil || json.Unmarshal(text, &kept) != nil {
		return 0
	}
	return kept.Start
}

// scan reads a segment's batches and cuts off what follows the last whole one,
// in its index too. It returns the segment's size.
func scan(name string, each func(batch []byte)) (int64, error) {
	data, err := os.ReadFile(name + ".dat")
	if err != nil {
		return 0, err
	}
	size, count := 0, int64(0)
	for rest := data; len(rest) >= batchRecords; rest = data[size:] {
		length := 12 + int(int32(binary.BigEndian.Uint32(rest[8:])))
		if length < batchRecords || length > len(rest) ||
			binary.BigEndian.Uint32(rest[batchCRC:]) != crc32.Checksum(rest[batchAttributes:length], castagnoli) {
			break
		}
		each(rest[:length])
		size += length
		count++
	}
	if size < len(data) {
		if err := os.Truncate(name+".dat", int64(size)); err != nil {
			return 0, err
		}
	}
	if index, err := os.Stat(name + ".idx"); err == nil && index.Size() > count*indexEntry {
		if err := os.Truncate(name+".idx", count*indexEntry); err != nil {
			return 0, err
		}
	}
	return int64(size), nil
}

// remember notes a batch with its producer, and returns the offset after it.
func remember(seen map[int64]*batches, b []byte) (end int64) {
	offset := int64(binary.BigEndian.Uint64(b))
	end = offset + int64(int32(binary.BigEndian.Uint32(b[batchLastDelta:]))) + 1
	producer := int64(binary.BigEndian.Uint64(b[batchProducer:]))
	if producer < 0 {
		return end
	}
	epoch := int16(binary.BigEndian.Uint16(b[batchEpoch:]))
	first := int32(binary.BigEndian.Uint32(b[batchSequence:]))
	next := int32((int64(first) + int64(binary.BigEndian.Uint32(b[batchCount:]))) % math.MaxInt32) // as kfake counts
	of := seen[producer]
	if of == nil || of.Epoch != epoch {
		of = &batches{Producer: producer, Epoch: epoch, Seen: true}
		seen[producer] = of
	}
	of.Next = next
	of.Entries[of.At] = batch{First: first, Next: next, Offset: offset}
	of.At = (of.At + 1) % uint8(len(of.Entries))
	of.Count = min(of.Count+1, uint8(len(of.Entries)))
	return end
}

// writeJSON writes a file aside, syncs it and puts it in its place.
func writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
