package native

import (
	"log/slog"
	"testing"

	"liushui"
)

// Of a log of which nothing is left, windows are complete from the first event
// that comes and the corrections after it, not all of them.
func TestStartAfterALogThatLostEverything(t *testing.T) {
	job := shop(t)
	e := &Engine{c: Config{Job: job, Log: slog.New(slog.DiscardHandler)}, marks: newMarks(job), completeFrom: none,
		ends: []liushui.PartitionEnd{{Partition: 0, Start: 5, End: 5}, {Partition: 1, Start: 7, End: 7}}}
	e.startFresh()
	if !e.unknownStart() {
		t.Fatal("before any event it knows from when windows are complete")
	}
	e.marks.partition(1).first = 1000
	if e.unknownStart() || e.completeFrom != 1000+job.Corrections.Milliseconds() {
		t.Errorf("windows are complete from %d, want %d", e.completeFrom, 1000+job.Corrections.Milliseconds())
	}
}
