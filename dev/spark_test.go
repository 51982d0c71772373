package dev

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// eventually waits until the master's state is as it should be.
func eventually(t *testing.T, s *SparkServer, what string, fits func(masterState) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		state, err := s.state()
		if err == nil && fits(state) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: the master says %+v, %v", what, state, err)
		}
	}
}

func TestAClusterOfSparkLosesItsParts(t *testing.T) {
	s := StartSparkCluster(t, SparkConfig{})
	both := func(m masterState) bool { return m.AliveWorkers == 2 && m.CoresUsed == 2 }
	eventually(t, s, "two workers", both)

	s.Workers[0].Kill()
	eventually(t, s, "one worker lost", func(m masterState) bool { return m.CoresUsed == 1 })
	if err := s.Workers[0].Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "the worker is back", both)

	s.Connect.Kill()
	if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.Addr, "sc://"), time.Second); err == nil {
		conn.Close()
		t.Error("the Connect server answers after Kill")
	}
	eventually(t, s, "its executors are gone", func(m masterState) bool { return m.CoresUsed == 0 })
	if err := s.Connect.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "the Connect server is back", both)

	s.Kill()
	if executors, err := filepath.Glob(filepath.Join(s.dir, "worker*", "work", "*", "*", "stderr")); err != nil || len(executors) < 4 {
		t.Errorf("the executors' logs: %v, %v", executors, err)
	}
	for _, part := range []*SparkPart{s.Master, s.Workers[0], s.Workers[1], s.Connect} {
		if err := part.Start(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, s, "everything is back", both)
}

func TestASparkThatCannotStartSaysWhy(t *testing.T) {
	s, err := RunSpark(SparkConfig{Settings: map[string]string{"spark.master": "no-such-master"}})
	if err == nil {
		s.Kill()
		t.Fatal("it has started")
	}
	if errors.Is(err, errMissing) {
		t.Skip(err)
	}
	for _, words := range []string{"the server ended by itself", "no-such-master"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q is missing in: %v", words, err)
		}
	}
}
