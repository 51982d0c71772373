package enginetest

import (
	"fmt"
	"math/rand/v2"

	"liushui"
)

// RandomJob is the job that Random's events are made for: its lateness and
// corrections bound their disorder.
const RandomJob = `
job: disorder
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1m
statistics:
  activity: {windows: [10s, 1h], by: [type], measures: {events: count, users: distinct user}}
  sales:
    windows: [1m, 1d]
    by: [province]
    measures:
      orders: {compute: count, where: {type: order}}
      paid: {compute: sum amount, where: {type: pay}}
      refunded: {compute: sum amount, where: {type: refund}}
      pieces: {compute: sum quantity, where: {type: pay}}
      buyers: {compute: distinct user, where: {type: pay}}
  visitors: {windows: [1m], measures: {users: {compute: distinct user, where: {type: [view, pay]}}}, mergeable: true}
  carts: {windows: [15m], by: [category, channel], measures: {carts: {compute: count, where: {type: cart, channel: [app, ""]}}}}
`

const (
	randomLateness    = 10_000
	randomCorrections = 60_000
)

// Sent is a record and the partition that it goes to.
type Sent struct {
	Partition int32
	Record    liushui.Record
	// Old says that the event may be parked as late: when it was sent, it was
	// behind the newest by lateness and corrections. Nothing else may be.
	Old bool
}

// Random makes n records for RandomJob in the order of sending: disorder within
// the lateness and within the corrections, old ones, duplicates on any
// partition, differing ones, refunds, bad ones, some far ahead of the clock. The
// partitions come into use one after the other.
// The same seed gives the same records.
func Random(seed uint64, n, partitions int) []Sent {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 1)), partitions: partitions, now: 1580529600000, newest: liushui.MinTime}
	var all []Sent
	for len(all) < n {
		m.now += m.Int64N(3000)
		all = append(all, m.next())
	}
	return all
}

type maker struct {
	*rand.Rand
	partitions int
	now        int64
	newest     int64 // of what was accepted
	ids        int
	originals  []original // sound events, for duplicates
}

type original struct {
	Sent
	id   string
	time int64
}

func (m *maker) next() Sent {
	switch p := m.IntN(100); {
	case p < 4:
		return Sent{Partition: m.partition(), Record: liushui.Record{Time: m.now, Value: []byte(m.one(badValues))}}
	case p < 7: // ahead of the clock
		s, _ := m.event(m.newID(), m.now+300_001+m.Int64N(1e9))
		s.Record.Time, s.Record.Feed = m.now, liushui.FeedLive
		return s
	case p < 17 && len(m.originals) > 0: // the same again
		o := m.originals[m.IntN(len(m.originals))]
		o.Partition = m.partition()
		return m.accept(o.Sent, o.time)
	case p < 20 && len(m.originals) > 0: // another content: after the first, so on its partition
		o := m.originals[m.IntN(len(m.originals))]
		s, at := m.event(o.id, o.time)
		s.Partition = o.Partition
		return m.accept(s, at)
	case p < 28: // behind the watermark, within the corrections
		return m.original(m.newest - randomLateness - m.Int64N(randomCorrections))
	case p < 33: // old
		return m.original(m.newest - randomLateness - randomCorrections - m.Int64N(600_000))
	}
	return m.original(m.now - m.Int64N(randomLateness))
}

func (m *maker) original(at int64) Sent {
	id := m.newID()
	s, at := m.event(id, max(at, liushui.MinTime))
	m.originals = append(m.originals, original{s, id, at})
	return m.accept(s, at)
}

func (m *maker) accept(s Sent, at int64) Sent {
	s.Old = at <= m.newest-randomLateness-randomCorrections
	m.newest = max(m.newest, at)
	return s
}

func (m *maker) newID() string { m.ids++; return fmt.Sprintf("e%d", m.ids) }

// partition is any of those that there are: one more after each 100 events, up to all.
func (m *maker) partition() int32 { return int32(m.IntN(min(m.partitions, 1+m.ids/100))) }

func (m *maker) one(of []string) string { return of[m.IntN(len(of))] }

var (
	someTypes      = []string{"view", "view", "view", "cart", "favorite", "order", "pay", "pay", "refund", "cancel"}
	someProvinces  = []string{"上海", "江苏", "内蒙古", "", "a b", "A", "\"\\"}
	someCategories = []string{"Books", "Foods", "", "'; --", "\t"}
	someChannels   = []string{"app", "web", ""}
	someAmounts    = []string{"0", "1.5", "178.76", "0.0001", "1e2", `"9.99"`, "1000000000000", "33.3300", "null"}
	badValues      = []string{"", "x", "{}", "[1]", `{"id":"e1"}`, `{"id":"z","type":"pay","time":1}`, `{"id":"z","type":"pay","time":1580529600000,"amount":-1}`, "{\"id\":\"z\xff\"}"}
)

// event makes a sound event on any partition. Its Kafka time or feed allows its time.
func (m *maker) event(id string, at int64) (Sent, int64) {
	value := fmt.Appendf(nil, `{"id":%q,"type":%q,"time":%d`, id, m.one(someTypes), at)
	for _, field := range []struct {
		name   string
		values []string
	}{{"province", someProvinces}, {"category", someCategories}, {"channel", someChannels}} {
		if s := m.one(field.values); s != "" {
			value = fmt.Appendf(value, `,%q:%s`, field.name, liushui.AppendQuoted(nil, s))
		}
	}
	if n := m.IntN(600); n > 0 {
		value = fmt.Appendf(value, `,"user":"u%d"`, n)
	}
	value = fmt.Appendf(value, `,"amount":%s,"quantity":%d}`, m.one(someAmounts), m.IntN(5))
	r := liushui.Record{Key: []byte(id), Time: max(m.now, at), Value: value}
	if m.IntN(2) == 0 {
		r.Feed = m.one([]string{liushui.FeedReplay, liushui.FeedDemo})
	}
	return Sent{Partition: m.partition(), Record: r}, at
}
