package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"liushui"
)

// The client library decodes a batch into records of its own, 200 bytes each,
// with a slice and a string for their headers. Decoded here, straight into our
// records, a record costs half the processor time; see BenchmarkRead.

// Attributes of a batch, in the lower byte.
const (
	attributeCodec      = 0x07
	attributeAppendTime = 0x08
	attributeControl    = 0x20 // marks of transactions, not records
)

var errDamaged = errors.New("the batch is damaged")

// decoder turns what a broker answers into records. It is for one goroutine.
type decoder struct {
	feeds    feeds
	unpacker unpacker
}

func (d *decoder) close() { d.unpacker.close() }

// partition decodes the batches of one partition from an offset on, and
// returns the offset after them. The records and what was unpacked for them are
// of m; keys and values of batches that were not packed point into raw.
func (d *decoder) partition(m *memory, number int32, from int64, raw []byte) (records []liushui.Record, next int64, err error) {
	next, records = from, m.records[:0]
	defer func() { m.records = records }()
	for len(raw) > batchCRC {
		length := 12 + int(int32(binary.BigEndian.Uint32(raw[8:])))
		if length < batchCRC || length > len(raw) {
			break // cut off at the bound of the fetch
		}
		if raw[batchCRC-1] != 2 {
			more, after, err := d.old(number, next, raw)
			return append(records, more...), after, err
		}
		if length < batchRecords {
			return records, next, errDamaged
		}
		if last := lastOffset(raw); last >= next {
			if len(records) == 0 {
				if n := countAhead(raw); n > cap(records) {
					records = make([]liushui.Record, 0, n)
				}
			}
			if records, err = d.batch(m, records, number, next, raw[:length]); err != nil {
				return records, next, fmt.Errorf("offset %d: %w", binary.BigEndian.Uint64(raw), err)
			}
			next = last + 1
		}
		raw = raw[length:]
	}
	return records, next, nil
}

func lastOffset(batch []byte) int64 {
	return int64(binary.BigEndian.Uint64(batch)) + int64(int32(binary.BigEndian.Uint32(batch[batchLastDelta:])))
}

// countAhead sums the records that whole batches claim to hold, within reason.
func countAhead(raw []byte) int {
	sum := 0
	for len(raw) >= batchRecords {
		length := 12 + int(int32(binary.BigEndian.Uint32(raw[8:])))
		if length < batchRecords || length > len(raw) {
			break
		}
		if raw[batchAttributes+1]&attributeControl == 0 {
			sum += int(int32(binary.BigEndian.Uint32(raw[batchCount:])))
		}
		raw = raw[length:]
	}
	return max(0, min(sum, 1<<20))
}

// batch appends the records of a batch that are not before from.
func (d *decoder) batch(m *memory, records []liushui.Record, number int32, from int64, b []byte) ([]liushui.Record, error) {
	if crc32.Checksum(b[batchAttributes:], castagnoli) != binary.BigEndian.Uint32(b[batchCRC:]) {
		return records, errDamaged
	}
	attributes := b[batchAttributes+1]
	if attributes&attributeControl != 0 {
		return records, nil
	}
	payload := b[batchRecords:]
	if codec := kgo.CompressionCodecType(attributes & attributeCodec); codec != kgo.CodecNone {
		var err error
		if payload, err = d.unpacker.unpack(m.room, payload, codec); err != nil {
			return records, fmt.Errorf("unpack: %w", err)
		}
		m.use(payload)
	}
	first := int64(binary.BigEndian.Uint64(b))
	time := int64(binary.BigEndian.Uint64(b[batchFirstTime:]))
	appended := attributes&attributeAppendTime != 0
	if appended {
		time = int64(binary.BigEndian.Uint64(b[batchMaxTime:]))
	}
	c, at, last := cursor{b: payload}, first, lastOffset(b)
	for range int32(binary.BigEndian.Uint32(b[batchCount:])) {
		r := liushui.Record{Partition: number}
		d.record(&c, &r)
		if r.Offset += first; c.bad || r.Offset < at || r.Offset > last {
			return records, errDamaged
		}
		at = r.Offset + 1
		if appended {
			r.Time = 0
		}
		r.Time += time
		if r.Offset >= from {
			records = append(records, r)
		}
	}
	if len(c.b) > 0 {
		return records, errDamaged
	}
	return records, nil
}

// old decodes the formats before Kafka 0.11 with the client library.
func (d *decoder) old(number int32, from int64, raw []byte) ([]liushui.Record, int64, error) {
	answer := kmsg.NewFetchResponseTopicPartition()
	answer.Partition, answer.RecordBatches = number, raw
	part, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: from, Partition: number}, &answer, kgo.DefaultDecompressor(), nil)
	records := make([]liushui.Record, 0, len(part.Records))
	for _, r := range part.Records {
		records = append(records, liushui.Record{Partition: number, Offset: r.Offset, Time: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value})
	}
	return records, next, part.Err
}
