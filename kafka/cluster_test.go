package kafka_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"liushui/kafka"
)

// cluster is a Kafka that is not ours.
func cluster(t *testing.T, more ...kfake.Opt) (*kfake.Cluster, *kafka.Client) {
	t.Helper()
	c, err := kfake.NewCluster(more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err := kafka.Connect(t.Context(), kafka.Config{Brokers: c.ListenAddrs(), Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return c, client
}

func TestLeadersThatMove(t *testing.T) {
	t.Parallel()
	brokers, c := cluster(t, kfake.NumBrokers(3))
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 6})
	w := openWriter(t, c, "category")
	r := openReader(t, c, "category", kafka.From{})
	acknowledged, end := stream(t, w, time.Millisecond)
	for range 5 {
		reached := acknowledged.Load()
		eventually(t, "writes go on", func() bool { return acknowledged.Load() > reached+500 })
		brokers.ShufflePartitionLeaders()
	}
	n := end()
	checkNumbers(t, receive(t, r, n), n)
	if err := r.Commit(t.Context(), "liushui-native", map[int32]int64{0: 1}); err != nil {
		t.Error(err)
	}
	eventually(t, "the ends are known", func() bool {
		sum := int64(0)
		for _, e := range r.Ends() {
			sum += e.End
		}
		return sum == int64(n)
	})
}

// Kafka before 2.8 has no topic ids; all but telling topics apart works with it.
func TestOldBrokers(t *testing.T) {
	t.Parallel()
	for name, versions := range map[string]*kversion.Versions{"2.4": kversion.V2_4_0(), "2.8": kversion.V2_8_0(), "3.9": kversion.V3_9_0()} {
		t.Run(name, func(t *testing.T) {
			_, c := cluster(t, kfake.NumBrokers(1), kfake.MaxVersions(versions))
			ensure(t, c, kafka.Topic{Name: "category", Partitions: 2}, kafka.Topic{Name: "category_results", Results: true})
			w := openWriter(t, c, "category")
			send(t, w, 0, 300)
			r := openReader(t, c, "category", kafka.From{})
			checkNumbers(t, receive(t, r, 300), 300)
			if err := r.Commit(t.Context(), "liushui-native", map[int32]int64{0: 5}); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Committed(t.Context(), "liushui-native", "category"); err != nil || got[0] != 5 {
				t.Errorf("committed %v, %v", got, err)
			}
		})
	}
}
