package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupHold is where the broker says why it takes no events: as the metadata
// of an offset, which any client can ask for.
const groupHold = "broker-hold"

// BrokerStatus is what a broker has to say of its bounds.
type BrokerStatus struct {
	Held               string // why producers of events are held back; empty: they are not
	Events             int64  // bytes kept
	DroppedResults     int64  // records trimmed before liushui-store had passed them, since the start
	DroppedDeadLetters int64  // since the start
}

// gate stands before the log: it stamps batches and holds producers back.
type gate struct {
	bound  int64
	events string
	kick   chan struct{} // asks for a sweep

	mu      sync.Mutex
	id      [16]byte // of the events' topic
	since   int64    // bytes of events taken since a measurement of them began
	before  int64    // those taken before it that may be missing in the last one
	latest  int64    // those of the last request, which may still be on its way into the log; 0 once it was counted so
	taken   int64    // bytes of any topic taken since a sweep was last asked for
	refused bool     // a request found no room since the last sweep
	closed  bool     // nothing is taken any more
	status  BrokerStatus
	last    *kmsg.ProduceRequest
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// measure begins a measurement of the events: what is taken from here on is
// counted on its own.
func (g *gate) measure() (refused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	refused, g.refused = g.refused, false
	g.before += g.since
	g.since = 0
	return refused
}

// measured takes what the measurement has found. Some may count twice until
// the next one, but none is missed.
func (g *gate) measured(id [16]byte, events int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.id, g.status.Events, g.before, g.latest = id, events, g.latest, 0
}

func (g *gate) dropped(results, deadLetters int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status.DroppedResults += results
	g.status.DroppedDeadLetters += deadLetters
}

// Status tells how the broker stands; it costs nothing.
func (b *Broker) Status() BrokerStatus {
	b.gate.mu.Lock()
	defer b.gate.mu.Unlock()
	return b.gate.status
}

// hold says why producers are held back, in the log and for clients, when that changes.
func (b *Broker) hold(ctx context.Context, why string) error {
	b.gate.mu.Lock()
	was := b.gate.status.Held
	b.gate.status.Held = why
	b.gate.mu.Unlock()
	switch {
	case was == why:
		return nil
	case was == "":
		b.log.Warn("producers are held back", "why", why)
	case why == "":
		b.log.Info("producers go on")
	}
	if b.cluster.TopicInfo(b.topics.events) == nil {
		return nil
	}
	note := kadm.Offsets{}
	note.Add(kadm.Offset{Topic: b.topics.events, LeaderEpoch: -1, Metadata: why})
	if err := b.admin.CommitAllOffsets(ctx, groupHold, note); err != nil {
		return fmt.Errorf("tell clients why they are held back: %w", err)
	}
	return nil
}

// held asks a broker why it holds producers of a topic back; empty where it
// does not, or is not ours.
func held(ctx context.Context, kafka *kgo.Client, topic string) (string, error) {
	kept, err := kadm.NewClient(kafka).FetchOffsets(ctx, groupHold)
	if said := (*kerr.Error)(nil); errors.As(err, &said) {
		return "", nil // another Kafka, which does not know the group
	}
	if err != nil {
		return "", fmt.Errorf("ask why records of topic %s are held back: %w", topic, err)
	}
	return kept[topic][0].Metadata, nil
}

// produce sees each produce request before kfake does, one at a time.
func (b *Broker) produce(r kmsg.Request) (kmsg.Response, error, bool) {
	req := r.(*kmsg.ProduceRequest)
	if why := b.gate.admit(req); why != "" {
		b.cluster.KeepControl()
		return refusal(req, why), nil, true
	}
	stamp(req, time.Now())
	return nil, nil, false
}

// admit counts a request's bytes of events; it returns why they cannot be
// taken. A request is let in while there is any room, however large it is: the
// bound is passed by one at most, and none can find too little room for ever.
func (g *gate) admit(req *kmsg.ProduceRequest) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	// kfake remembers the last request of every connection that there ever
	// was; what the request before this one carried is not needed any more.
	if g.last != nil {
		g.last.Topics = nil
	}
	g.last = req
	if g.closed {
		return "the broker is closing"
	}
	all, events := g.size(req)
	if events > 0 && (g.status.Held != "" || g.status.Events+g.before+g.since >= g.bound) {
		g.refused = true
		g.ask()
		if g.status.Held != "" {
			return g.status.Held
		}
		return "the log of " + g.events + " is full"
	}
	g.since += events
	if events > 0 {
		g.latest = events
	}
	if g.taken += all; g.taken > g.bound/32 {
		g.taken = 0
		g.ask()
	}
	return ""
}

// size is what the batches of a request cost the log, and those of events.
func (g *gate) size(req *kmsg.ProduceRequest) (all, events int64) {
	for _, t := range req.Topics {
		n := int64(0)
		for _, p := range t.Partitions {
			n += max(int64(len(p.Records)), batchCost)
		}
		all += n
		if t.Topic == g.events || t.Topic == "" && t.TopicID == g.id {
			events += n
		}
	}
	return all, events
}

// ask asks for a sweep now.
func (g *gate) ask() {
	select {
	case g.kick <- struct{}{}:
	default:
	}
}

// deleteRecords keeps the newest record of each partition, whoever asks to
// trim all: kfake would begin an empty log at offset 0 again when it starts next.
func (b *Broker) deleteRecords(r kmsg.Request) (kmsg.Response, error, bool) {
	for _, t := range r.(*kmsg.DeleteRecordsRequest).Topics {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			info := b.cluster.PartitionInfo(t.Topic, p.Partition)
			if info != nil && (p.Offset == -1 || p.Offset == info.HighWatermark) {
				p.Offset = max(info.LogStartOffset, info.HighWatermark-1)
			}
		}
	}
	return nil, nil, false
}

// refusal answers a request so that its client sends it again a little later:
// no client takes the error for lasting, and none counts the records as sent.
func refusal(req *kmsg.ProduceRequest, why string) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	resp.ThrottleMillis = int32(sweepEveryHeld.Milliseconds())
	for _, t := range req.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.BaseOffset = p.Partition, -1
			part.ErrorCode, part.ErrorMessage = kerr.NotEnoughReplicas.Code, &why
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
