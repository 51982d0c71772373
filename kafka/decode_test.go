package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"liushui"
)

// seal makes a batch of a payload, with everything right but what is told.
func seal(offset int64, attributes int16, count int32, payload []byte) []byte {
	b := kmsg.RecordBatch{FirstOffset: offset, Magic: 2, Attributes: attributes, LastOffsetDelta: count - 1, FirstTimestamp: 1_580_486_400_000,
		MaxTimestamp: 1_580_486_400_777, ProducerID: -1, NumRecords: count, Records: payload, Length: int32(49 + len(payload))}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[batchCRC:], crc32.Checksum(raw[batchAttributes:], castagnoli))
	return raw
}

// some are records as they may be: with and without key, value and headers.
func some(n int) []byte {
	var raw []byte
	for i := range n {
		r := kmsg.NewRecord()
		r.OffsetDelta = int32(i)
		r.TimestampDelta64 = int64(i*7 - 3)
		if i%3 != 0 {
			r.Key = fmt.Appendf(nil, "key %d", i)
		}
		if i%5 != 0 {
			r.Value = bytes.Repeat([]byte{byte(i)}, i*i%3000)
		}
		for h := range i % 4 {
			r.Headers = append(r.Headers, kmsg.Header{Key: []string{"feed", "reason", ""}[h], Value: [][]byte{[]byte("demo"), nil, {}}[h]})
		}
		body := r.AppendTo(nil)
		_, used := binary.Varint(body)
		raw = binary.AppendVarint(raw, int64(len(body)-used))
		raw = append(raw, body[used:]...)
	}
	return raw
}

func pack(t testing.TB, codec kgo.CompressionCodec, payload []byte) (packed []byte, kind int16) {
	t.Helper()
	c, err := kgo.DefaultCompressor(codec)
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		return payload, 0
	}
	out, as := c.Compress(new(bytes.Buffer), payload)
	return out, int16(as)
}

// theirs decodes with the client library.
func theirs(from int64, raw []byte) ([]liushui.Record, int64, error) {
	answer := kmsg.NewFetchResponseTopicPartition()
	answer.Partition, answer.RecordBatches = 3, raw
	part, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: from, Partition: 3}, &answer, kgo.DefaultDecompressor(), nil)
	var records []liushui.Record
	for _, k := range part.Records {
		r := liushui.Record{Partition: 3, Offset: k.Offset, Time: k.Timestamp.UnixMilli(), Key: k.Key, Value: k.Value}
		for _, h := range k.Headers {
			if h.Key == liushui.HeaderFeed {
				r.Feed = string(h.Value)
			} else {
				r.Headers = append(r.Headers, liushui.Header{Key: h.Key, Value: h.Value})
			}
		}
		records = append(records, r)
	}
	return records, next, part.Err
}

// same compares records: cmp.Diff alone takes long over so many bytes.
func same(a, b []liushui.Record) bool {
	return slices.EqualFunc(a, b, func(a, b liushui.Record) bool { return reflect.DeepEqual(a, b) })
}

func TestDecodingIsThatOfTheClientLibrary(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()} {
		t.Run(name, func(t *testing.T) {
			d := new(decoder)
			var raw []byte
			offset := int64(1000)
			for _, n := range []int{1, 7, 400, 3} {
				payload, kind := pack(t, codec, some(n))
				raw = append(raw, seal(offset, kind, int32(n), payload)...)
				offset += int64(n)
			}
			raw = append(raw, seal(offset, attributeControl, 1, some(1))...)
			payload, kind := pack(t, codec, some(20))
			raw = append(raw, seal(offset+1, kind|attributeAppendTime, 20, payload)...)
			for _, from := range []int64{0, 1000, 1001, 1200, 1411, 1412, 1431} {
				for _, cut := range []int{0, 1, len(payload), len(payload) + 80} {
					want, wantNext, err := theirs(from, raw[:len(raw)-cut])
					if err != nil {
						t.Fatal(err)
					}
					got, gotNext, err := d.partition(new(memory), 3, from, raw[:len(raw)-cut])
					if err != nil {
						t.Fatal(err)
					}
					if gotNext != wantNext || !same(want, got) {
						t.Fatalf("from %d, cut by %d: next %d, want %d; records (-want +got):\n%s", from, cut, gotNext, wantNext, cmp.Diff(want, got))
					}
				}
			}
		})
	}
}

// A few bytes that claim to be gigabytes are refused before they are believed.
func TestBatchesThatUnpackTooLargeAreRefused(t *testing.T) {
	endless := bytes.Repeat([]byte{0}, 1<<20)
	bomb := func(codec kgo.CompressionCodec) []byte {
		packed, kind := pack(t, codec, bytes.Repeat(endless, maxUnpacked>>20+1))
		return seal(0, kind, 1, packed)
	}
	claim := binary.AppendUvarint(nil, maxUnpacked+1)
	for name, raw := range map[string][]byte{
		"lz4":                 bomb(kgo.Lz4Compression()),
		"gzip":                bomb(kgo.GzipCompression()),
		"zstd":                bomb(kgo.ZstdCompression()),
		"snappy, claimed":     seal(0, int16(kgo.CodecSnappy), 1, append(claim, 1, 2, 3)),
		"java snappy claimed": seal(0, int16(kgo.CodecSnappy), 1, append(append(append(bytes.Clone(javaSnappy), 0, 0, 0, 1, 0, 0, 0, 1), 0, 0, 0, byte(len(claim))), claim...)),
		"no such codec":       seal(0, 5, 1, []byte("x")),
	} {
		if records, _, err := new(decoder).partition(new(memory), 0, 0, raw); err == nil {
			t.Errorf("%s: got %d records", name, len(records))
		}
	}
}

func TestJavaSnappy(t *testing.T) {
	payload := some(300)
	packed := append(bytes.Clone(javaSnappy), 0, 0, 0, 1, 0, 0, 0, 1)
	for rest := payload; len(rest) > 0; {
		n := min(len(rest), 10_000)
		block := s2.EncodeSnappy(nil, rest[:n])
		packed = append(binary.BigEndian.AppendUint32(packed, uint32(len(block))), block...)
		rest = rest[n:]
	}
	raw := seal(0, int16(kgo.CodecSnappy), 300, packed)
	want, _, err := theirs(0, raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := new(decoder).partition(new(memory), 3, 0, raw); err != nil || !same(want, got) {
		t.Errorf("got %d records, want %d: %v", len(got), len(want), err)
	}
	if _, _, err := new(decoder).partition(new(memory), 3, 0, seal(0, int16(kgo.CodecSnappy), 300, packed[:len(packed)-5])); err == nil {
		t.Error("a block that is cut went unseen")
	}
}

// Absent is not empty: a key that is nil and one of no bytes are told apart.
func TestAbsentIsNotEmpty(t *testing.T) {
	records, _, err := new(decoder).partition(new(memory), 0, 0, seal(0, 0, 6, some(6)))
	if err != nil {
		t.Fatal(err)
	}
	if records[0].Key != nil || records[1].Key == nil || records[5].Value != nil || records[1].Value == nil {
		t.Errorf("got %v", records)
	}
}

func TestOldFormatsAreDecoded(t *testing.T) {
	m := kmsg.MessageV1{Offset: 41, Magic: 1, Timestamp: 1_580_486_400_000, Key: []byte("k"), Value: []byte("v")}
	raw := m.AppendTo(nil)
	m.MessageSize = int32(len(raw) - 12)
	raw = m.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[12:], crc32.ChecksumIEEE(raw[16:]))
	raw = append(raw, seal(42, 0, 1, some(1))...)
	records, next, err := new(decoder).partition(new(memory), 3, 41, raw)
	if err != nil || len(records) != 2 || next != 43 || string(records[0].Value) != "v" || records[0].Time != 1_580_486_400_000 || records[1].Offset != 42 {
		t.Errorf("got %v, next %d, %v", records, next, err)
	}
}

func TestDamageIsSeen(t *testing.T) {
	whole := seal(7, 0, 3, some(3))
	for at := batchCRC; at < len(whole); at++ {
		raw := bytes.Clone(whole)
		raw[at] ^= 0x10
		if records, _, err := new(decoder).partition(new(memory), 0, 0, raw); err == nil {
			t.Fatalf("a wrong byte at %d went unseen: %v", at, records)
		}
	}
	if _, _, err := new(decoder).partition(new(memory), 0, 0, seal(7, 0, 4, some(3))); err == nil {
		t.Error("a record that is missing went unseen")
	}
	if _, _, err := new(decoder).partition(new(memory), 0, 0, seal(7, 0, 2, some(3))); err == nil {
		t.Error("a record too many went unseen")
	}
}

// Whatever is in a batch that is sealed rightly: it is decoded as the client
// library does, or refused, and nothing panics.
func FuzzDecode(f *testing.F) {
	f.Add(int64(0), int16(0), int32(5), some(5))
	f.Add(int64(100), int16(attributeAppendTime), int32(1), some(1))
	f.Add(int64(3), int16(kgo.CodecLz4), int32(40), func() []byte { b, _ := pack(f, kgo.Lz4Compression(), some(40)); return b }())
	f.Add(int64(3), int16(kgo.CodecSnappy), int32(4), func() []byte { b, _ := pack(f, kgo.SnappyCompression(), some(4)); return b }())
	f.Fuzz(func(t *testing.T, offset int64, attributes int16, count int32, payload []byte) {
		attributes &= attributeCodec | attributeAppendTime // the others mean nothing here
		if offset < 0 || offset > 1<<60 || count < 0 || count > 1000 {
			return
		}
		raw := seal(offset, attributes, count, payload)
		got, gotNext, err := new(decoder).partition(new(memory), 3, 0, raw)
		if err != nil {
			return
		}
		want, wantNext, err := theirs(0, raw)
		if err != nil || wantNext < gotNext {
			return // it is stricter with what no producer writes: long forms of short numbers, say
		}
		if gotNext != wantNext || !same(want, got) {
			t.Fatalf("next %d, want %d; records (-want +got):\n%s", gotNext, wantNext, cmp.Diff(want, got))
		}
	})
}

// stamp gives a batch the broker's time and leaves everything else as it was.
func TestStamp(t *testing.T) {
	batch := seal(0, attributeAppendTime, 3, some(3))
	damaged := bytes.Clone(batch)
	damaged[len(damaged)-1] ^= 1
	for _, test := range []struct {
		name    string
		batch   []byte
		stamped bool
	}{{"whole", batch, true}, {"damaged", damaged, false}, {"short", batch[:40], false}, {"none", nil, false}} {
		was := bytes.Clone(test.batch)
		stampBatch(test.batch, 1_700_000_000_000)
		if !test.stamped {
			if !bytes.Equal(was, test.batch) {
				t.Errorf("%s: it was changed", test.name)
			}
			continue
		}
		records, _, err := new(decoder).partition(new(memory), 0, 0, test.batch)
		if err != nil {
			t.Fatal(err)
		}
		// The batch spanned 777 ms; its newest record is of now, the others keep their distance.
		if records[0].Time != 1_700_000_000_000-777-3 || string(records[2].Key) != "key 2" {
			t.Errorf("got %+v", records[0])
		}
	}
}
