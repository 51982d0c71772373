package spark

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"liushui/dev"
	pb "liushui/spark/proto"
)

// A query with state goes on where a worker is lost, also where it comes back.
func TestAClusterLosesAWorker(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	spark := dev.StartSparkCluster(t, dev.SparkConfig{})
	s := connected(t, server{Address: spark.Addr})
	if _, err := s.version(ctx); err != nil {
		t.Fatal(err)
	}
	counted := &pb.WriteStreamOperationStart{Input: sql("SELECT value % 10 AS digit, count(1) AS n FROM events GROUP BY value % 10", rate(100)),
		Format: "noop", OutputMode: "update", QueryName: "counted", Options: map[string]string{"checkpointLocation": filepath.Join(t.TempDir(), "checkpoint")},
		Trigger: &pb.WriteStreamOperationStart_ProcessingTimeInterval{ProcessingTimeInterval: "500 milliseconds"}}
	q, err := s.start(ctx, counted)
	if err != nil {
		t.Fatal(err)
	}
	batch := func() int64 {
		t.Helper()
		text, err := s.progress(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		progress := struct{ BatchID int64 }{-1}
		if text != "" {
			if err := json.Unmarshal([]byte(text), &progress); err != nil {
				t.Fatal(err)
			}
		}
		return progress.BatchID
	}
	further := func(when string) {
		t.Helper()
		began, from := time.Now(), batch()
		for batch() < from+3 {
			if st, err := s.status(ctx, q); err != nil || !st.Active || time.Since(began) > 90*time.Second {
				failure, _ := s.failure(ctx, q)
				t.Fatalf("%s: %+v, %v, %v", when, st, err, failure)
			}
			time.Sleep(200 * time.Millisecond)
		}
		t.Logf("%s: three batches in %s", when, time.Since(began).Round(time.Millisecond))
	}
	further("two workers")
	spark.Workers[0].Kill()
	further("one worker lost")
	if err := spark.Workers[0].Start(); err != nil {
		t.Fatal(err)
	}
	further("the worker is back")
	spark.Workers[0].Kill()
	spark.Workers[1].Kill()
	if st, err := s.status(ctx, q); err != nil || !st.Active {
		t.Errorf("without workers: %+v, %v", st, err)
	}
	for _, worker := range spark.Workers {
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
	}
	further("both are back")
	if err := s.stop(ctx, q); err != nil {
		t.Error(err)
	}
}
