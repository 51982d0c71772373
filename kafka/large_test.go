package kafka_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"liushui/kafka"
)

// A record of 10 MiB, in a topic that takes such, comes whole, and holds up
// nothing behind it.
func TestALargeRecordIsRead(t *testing.T) {
	onEach(t, func(t *testing.T, k *served) {
		k.makeTopic(t, 1, map[string]string{"max.message.bytes": "20971520"})
		large := make([]byte, 10<<20)
		for i := range large {
			large[i] = byte(rand.Uint32())
		}
		values := [][]byte{[]byte("before"), large, []byte("behind"), large[:3<<20], []byte("end")}
		for _, packed := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression()} {
			producer := k.producer(t, kgo.ProducerBatchMaxBytes(20<<20), kgo.ProducerBatchCompression(packed))
			for _, value := range values {
				if err := producer.ProduceSync(t.Context(), &kgo.Record{Value: value}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, r := range receive(t, openReader(t, k.client, k.category, kafka.From{}), 2*len(values)) {
			if want := values[i%len(values)]; r.Offset != int64(i) || !bytes.Equal(r.Value, want) {
				t.Errorf("record %d at %d has %d bytes, want the %d that were sent", i, r.Offset, len(r.Value), len(want))
			}
		}
	})
}
