package kafka_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"liushui"
	"liushui/kafka"
)

// TestAnAnswerIsAnAnswer holds a writer up at a Kafka that answers, though not
// what was hoped for: nobody is to hear that it does not answer.
func TestAnAnswerIsAnAnswer(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int16{
		"a group that is not there":        kerr.GroupIDNotFound.Code,
		"a group that may not be seen":     kerr.GroupAuthorizationFailed.Code,
		"a broker that has something else": kerr.UnknownServerError.Code,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brokers, c := cluster(t, kfake.NumBrokers(1))
			ensure(t, c, kafka.Topic{Name: "category", Partitions: 1})
			w := openWriter(t, c, "category")
			brokers.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
				brokers.KeepControl()
				return refusedForNow(r.(*kmsg.ProduceRequest)), nil, true
			})
			brokers.ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
				brokers.KeepControl()
				return refusedOffsets(r.(*kmsg.OffsetFetchRequest), code), nil, true
			})
			if err := w.Write(t.Context(), []liushui.Record{{Value: []byte("one")}}, nil); err != nil {
				t.Fatal(err)
			}
			why := w.(interface{ Waiting() string }).Waiting
			eventually(t, "the writer says why it waits", func() bool { return why() != "" })
			if said := why(); strings.Contains(said, "does not answer") {
				t.Errorf("it says %q", said)
			}
		})
	}
}

// refusedForNow is an answer after which a client tries again.
func refusedForNow(ask *kmsg.ProduceRequest) *kmsg.ProduceResponse {
	answer := ask.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range ask.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for _, part := range topic.Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode = part.Partition, kerr.NotEnoughReplicas.Code
			t.Partitions = append(t.Partitions, p)
		}
		answer.Topics = append(answer.Topics, t)
	}
	return answer
}

func refusedOffsets(ask *kmsg.OffsetFetchRequest, code int16) *kmsg.OffsetFetchResponse {
	answer := ask.ResponseKind().(*kmsg.OffsetFetchResponse)
	answer.ErrorCode = code
	for _, g := range ask.Groups {
		group := kmsg.NewOffsetFetchResponseGroup()
		group.Group, group.ErrorCode = g.Group, code
		answer.Groups = append(answer.Groups, group)
	}
	return answer
}
