package main

import (
	"strings"
	"testing"
)

// TestHealth asks after each part of a line at work, and after one that has stopped.
func TestHealth(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	ask := func(part, within string) result {
		return command(t, "health", part, "--brokers", l.kafka, "--listen", l.wall, "--within", within)
	}
	if r := ask("process", "1s"); r.code != exitFailure || !strings.Contains(r.errOut, "ask after process") || !strings.Contains(r.errOut, l.kafka) {
		t.Errorf("without Kafka, health exits with %d and says %q", r.code, r.errOut)
	}
	l.open("broker", "process", "store", "serve")
	demo := launch(t, "produce", "--demo", "--brokers", l.kafka, "--data", l.data)
	for _, part := range parts {
		eventually(t, part+" is at work", func() bool { return ask(part, "5s") == result{exitFine, part + " is at work\n", ""} })
	}
	stopped := func(part, why string) {
		t.Helper()
		if r := ask(part, "2s"); r.code != exitFailure || r.out != "" || !strings.Contains(r.errOut, why) {
			t.Errorf("of a stopped %s, health exits with %d and says %q%q, want %q", part, r.code, r.out, r.errOut, why)
		}
	}
	l.stop("store") // the others still move the end of the results away from its place
	stopped("store", "store showed nothing of its work for 2s")
	l.stop("process")
	stopped("process", "process showed nothing of its work for 2s")
	demo.stop()
	stopped("produce", "produce showed nothing of its work for 2s")
	l.stop("serve")
	stopped("serve", "ask the wall at "+l.wall)
	l.stop("broker")
}
