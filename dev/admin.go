package dev

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// An Admin does to topics what an administrator does, at any Kafka.
type Admin struct {
	t     testing.TB
	kafka *kadm.Client
}

// Administer connects an administrator to the brokers at addrs until the test ends.
func Administer(t testing.TB, addrs string) *Admin {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(addrs, ",")...))
	requires(t, err)
	t.Cleanup(client.Close)
	return &Admin{t, kadm.NewClient(client)}
}

// AddPartitions gives a topic more partitions, total in all.
func (a *Admin) AddPartitions(topic string, total int) {
	a.t.Helper()
	done, err := a.kafka.UpdatePartitions(a.t.Context(), total, topic)
	if err == nil {
		err = done.Error()
	}
	requires(a.t, err)
}

// Delete deletes a topic.
func (a *Admin) Delete(topic string) {
	a.t.Helper()
	done, err := a.kafka.DeleteTopics(a.t.Context(), topic)
	if err == nil {
		err = done.Error()
	}
	requires(a.t, err)
}

// Trim deletes the records of a topic before an offset of each partition, from
// partition 0 on, as retention does.
func (a *Admin) Trim(topic string, starts ...int64) {
	a.t.Helper()
	before := kadm.Offsets{}
	for partition, start := range starts {
		before.AddOffset(topic, int32(partition), start, -1)
	}
	done, err := a.kafka.DeleteRecords(a.t.Context(), before)
	if err == nil {
		err = done.Error()
	}
	requires(a.t, err)
}
