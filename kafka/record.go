package kafka

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"liushui"
)

// feeds keeps one string for each value of the header feed that was met, so
// that a record's Feed costs no allocation. It is for one goroutine.
type feeds struct {
	last string
	kept map[string]string
}

// maxFeeds bounds what feeds keeps: others than ours may write anything there.
const maxFeeds = 64

func (f *feeds) intern(value []byte) string {
	if string(value) == f.last {
		return f.last
	}
	if kept, ok := f.kept[string(value)]; ok {
		f.last = kept
		return kept
	}
	s := string(value)
	if f.kept == nil {
		f.kept = map[string]string{}
	}
	if len(f.kept) < maxFeeds {
		f.kept[s] = s
	}
	f.last = s
	return s
}

// records copies what the client library fetched into our records, and gives
// its own back to slabs. Keys and values are shared with it, and it never
// touches them again.
func (f *feeds) records(fetched []*kgo.Record) []liushui.Record {
	records := make([]liushui.Record, len(fetched))
	for i, from := range fetched {
		to := &records[i]
		to.Partition = from.Partition
		to.Offset = from.Offset
		to.Time = from.Timestamp.UnixMilli()
		to.Key = from.Key
		to.Value = from.Value
		if len(from.Headers) > 0 {
			f.headers(from.Headers, to)
		}
		from.Recycle()
	}
	return records
}

func (f *feeds) headers(from []kgo.RecordHeader, to *liushui.Record) {
	for i := range from {
		if from[i].Key == liushui.HeaderFeed {
			to.Feed = f.intern(from[i].Value)
			continue
		}
		if to.Headers == nil {
			to.Headers = make([]liushui.Header, 0, len(from)-i)
		}
		to.Headers = append(to.Headers, liushui.Header{Key: from[i].Key, Value: from[i].Value})
	}
}

// slabs is a kgo.PoolRecords: the client library decodes each batch into a
// slab, which is free again when records has copied it. Without it, each
// record costs the collector another 200 bytes.
type slabs struct{ free sync.Pool }

func (s *slabs) GetRecords(n int) []kgo.Record {
	if slab, ok := s.free.Get().(*[]kgo.Record); ok && cap(*slab) >= n {
		return *slab
	}
	return make([]kgo.Record, 0, n)
}

func (s *slabs) PutRecords(slab []kgo.Record) { s.free.Put(&slab) }
