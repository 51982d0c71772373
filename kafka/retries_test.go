package kafka_test

import (
	"testing"
	"time"

	"liushui"
	"liushui/kafka"
)

// What works, or ends because we end it, is no retry; a broker that is away is,
// as often as it is tried.
func TestRetriesAreCounted(t *testing.T) {
	config := kafka.BrokerConfig{Dir: t.TempDir(), Partitions: 1}
	broker := startBroker(t, config)
	config.Listen = broker.Addr()
	client := connect(t, broker.Addr())
	if _, err := client.EnsureTopic(t.Context(), kafka.Topic{Name: "category", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	reader, err := client.Reader(t.Context(), "category", kafka.From{})
	if err != nil {
		t.Fatal(err)
	}
	w := openWriter(t, client, "category")
	send(t, w, 0, 100)
	receive(t, reader, 100)
	time.Sleep(100 * time.Millisecond) // the next fetch is under way
	reader.Close()
	if n := client.Retries(); n != 0 {
		t.Errorf("%d retries while all went well, want none", n)
	}
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(t.Context(), []liushui.Record{{Value: []byte("100")}}, nil); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); client.Retries() < 5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d retries of a broker that is away", client.Retries())
		}
	}
	startBroker(t, config)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	held := client.Retries()
	time.Sleep(time.Second)
	if n := client.Retries(); n > held+2 {
		t.Errorf("%d retries more within a second of the broker's return", n-held)
	}
}
