package dev

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func client(t *testing.T, addrs string) (*kgo.Client, *kadm.Client) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(addrs, ",")...), kgo.DefaultProduceTopic("t"), kgo.ConsumeTopics("t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, kadm.NewClient(c)
}

// A broker of ZooKeeper's comes back after a clean end and after a kill. Clusters
// of three are tested by kafka, which needs them.
func TestKafkaWithZooKeeper(t *testing.T) {
	k := StartKafka(t, KafkaConfig{Release: Kafka39})
	c, admin := client(t, k.Addrs())
	if _, err := admin.CreateTopic(t.Context(), 1, -1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	for _, restart := range []func() error{k.Brokers[0].Stop, func() error { k.Brokers[0].Kill(); return nil }} {
		if err := restart(); err != nil {
			t.Fatal(err)
		}
		if err := k.Brokers[0].Start(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}
