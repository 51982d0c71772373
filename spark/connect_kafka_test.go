package spark

import (
	"encoding/json"
	"testing"
	"time"

	"liushui/dev"
	pb "liushui/spark/proto"
)

// Every supported Spark writes to a real Kafka and reads it again, with the
// connector that its profile in dev/pom.xml has.
func TestSparkReachesKafka(t *testing.T) {
	brokers := dev.Kafka(t, dev.Kafka43).Addrs()
	for _, release := range []string{dev.Spark42, dev.Spark41} {
		t.Run(release, func(t *testing.T) {
			ctx := t.Context()
			s := connected(t, server{Address: dev.Spark(t, release).Addr})
			topic := "reached-" + s.identity().Session
			write := into(t, "write", sql("SELECT CAST(value AS STRING) AS value FROM events", rate(50)))
			write.Format, write.Options["kafka.bootstrap.servers"], write.Options["topic"] = "kafka", brokers, topic
			q, err := s.start(ctx, write)
			if err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(time.Minute); readRows(t, s, q) == 0; time.Sleep(100 * time.Millisecond) {
				if failure, err := s.failure(ctx, q); failure != nil || err != nil || time.Now().After(end) {
					t.Fatalf("nothing is written: %v, %v", failure, err)
				}
			}
			if err := s.stop(ctx, q); err != nil {
				t.Fatal(err)
			}
			read := into(t, "read", &pb.Relation{RelType: &pb.Relation_Read{Read: &pb.Read{IsStreaming: true, ReadType: &pb.Read_DataSource_{
				DataSource: &pb.Read_DataSource{Format: str("kafka"), Options: map[string]string{
					"kafka.bootstrap.servers": brokers, "subscribe": topic, "startingOffsets": "earliest"}}}}}})
			if q, err = s.start(ctx, read); err != nil {
				t.Fatal(err)
			}
			if err := s.drain(ctx, q); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(time.Minute); readRows(t, s, q) == 0; time.Sleep(100 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("nothing is read")
				}
			}
			if err := s.stop(ctx, q); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// readRows counts what the newest batches of a query have read.
func readRows(t *testing.T, s *session, q queryID) (n int) {
	t.Helper()
	all, err := s.recent(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range all {
		var batch struct{ Sources []struct{ NumInputRows int } }
		if err := json.Unmarshal([]byte(text), &batch); err != nil {
			t.Fatal(err)
		}
		for _, source := range batch.Sources {
			n += source.NumInputRows
		}
	}
	return n
}
