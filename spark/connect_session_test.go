package spark

import (
	"testing"
	"time"

	"liushui/dev"
)

// A server that ends every stream after a second and gives up a session after
// some, as all do after longer times; then one that is frozen for a while.
func TestASparkThatIsImpatient(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	spark := dev.StartSpark(t, dev.SparkConfig{Settings: map[string]string{
		"spark.connect.execute.reattachable.senderMaxStreamDuration": "1s",
		"spark.connect.session.manager.defaultSessionTimeout":        "6s",
		"spark.connect.session.manager.maintenanceInterval":          "500ms",
	}})
	s := connected(t, server{Address: spark.Addr, Patience: 3 * time.Second})
	var err error
	for _, err = s.version(ctx); away(err); _, err = s.version(ctx) { // it is slow at first
	}
	if err != nil {
		t.Fatal(err)
	}
	slow := into(t, "slow", sql("SELECT java_method('java.lang.Thread', 'sleep', IF(value < 4, 5000L, 0L)) FROM events", rate(2)))
	q, err := s.start(ctx, slow)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(time.Minute)
	for took := time.Duration(0); took < 1500*time.Millisecond; { // the first batches have no rows: the slow ones come later
		began := time.Now()
		if err := s.drain(ctx, q); err != nil {
			t.Fatalf("over the ends of streams: %v", err)
		}
		if took = time.Since(began); time.Now().After(end) {
			t.Fatal("no stream has ended meanwhile")
		}
	}

	if err := spark.Connect.Signal("STOP"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.status(ctx, q); !away(err) {
		t.Errorf("frozen: %v", err)
	}
	if err := spark.Connect.Signal("CONT"); err != nil {
		t.Fatal(err)
	}
	for _, err = s.status(ctx, q); away(err); _, err = s.status(ctx, q) {
	}
	if err != nil {
		t.Errorf("thawed: %v", err)
	}

	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(time.Second) { // asked now and then, it lives
		if st, err := s.status(ctx, q); err != nil || !st.Active {
			t.Fatalf("%+v, %v", st, err)
		}
	}
	began := time.Now()
	for time.Sleep(8 * time.Second); ; time.Sleep(8 * time.Second) {
		st, err := s.status(ctx, q)
		if lost(err) {
			return
		}
		if err != nil || time.Since(began) > 2*time.Minute {
			t.Fatalf("unasked for 8 s: %+v, %v", st, err)
		}
	}
}
