package dev

import (
	"context"
	"strings"
	"testing"
	"time"

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

// The cluster goes on without one of its brokers, and forgets nothing.
func TestAClusterOfThree(t *testing.T) {
	k := StartKafka(t, KafkaConfig{Brokers: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, admin := client(t, k.Addrs())
	if _, err := admin.CreateTopic(ctx, 6, -1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	topics, err := admin.ListTopics(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range topics["t"].Partitions {
		if len(p.Replicas) != 3 {
			t.Errorf("partition %d has replicas %v", p.Partition, p.Replicas)
		}
	}
	write := func(value string) {
		t.Helper()
		if err := c.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	write("all three are there")
	k.Brokers[0].Kill()
	write("the first was killed")
	if err := k.Brokers[0].Start(); err != nil {
		t.Fatal(err)
	}
	if err := k.Brokers[1].Stop(); err != nil {
		t.Fatal(err)
	}
	write("the second was stopped")
	for read := 0; read < 3; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		read += fetches.NumRecords()
	}
}

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
