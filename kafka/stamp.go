package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Places in a record batch of format 2, all big-endian.
const (
	batchCRC        = 17 // over all that follows it
	batchAttributes = 21
	batchLastDelta  = 23
	batchFirstTime  = 27
	batchMaxTime    = 35
	batchProducer   = 43
	batchEpoch      = 51
	batchSequence   = 53
	batchCount      = 57
	batchRecords    = 61 // end of the fixed part
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stamp gives the batches of a produce request the broker's time: topics are
// made with message.timestamp.type=LogAppendTime, which kfake stores and does
// not heed. A batch is moved as a whole so that its newest record is of now;
// the records of a batch keep their distances, which are below 5 ms from our
// Writer (its linger) unless a broker was away.
//
// The attribute that says "append time" cannot be set: kfake then writes a time
// of its own behind the checksum's back, and drops the batch at its next start.
func stamp(req *kmsg.ProduceRequest, now time.Time) {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			stampBatch(req.Topics[i].Partitions[j].Records, now.UnixMilli())
		}
	}
}

func stampBatch(batch []byte, now int64) {
	if len(batch) < batchRecords || batch[batchCRC-1] != 2 {
		return // not a batch that kfake accepts
	}
	sum := crc32.Checksum(batch[batchAttributes:], castagnoli)
	if sum != binary.BigEndian.Uint32(batch[batchCRC:]) {
		return // damaged on its way: kfake refuses it, and stays able to
	}
	batch[batchAttributes+1] &^= 0x08 // "append time", which clients may not set
	first := int64(binary.BigEndian.Uint64(batch[batchFirstTime:]))
	newest := int64(binary.BigEndian.Uint64(batch[batchMaxTime:]))
	binary.BigEndian.PutUint64(batch[batchFirstTime:], uint64(first+now-newest))
	binary.BigEndian.PutUint64(batch[batchMaxTime:], uint64(now))
	binary.BigEndian.PutUint32(batch[batchCRC:], crc32.Checksum(batch[batchAttributes:], castagnoli))
}
