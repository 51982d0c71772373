package native

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/enginetest"
)

// disk is a line's, as the engine takes it.
type disk struct{ *enginetest.Disk }

func (d disk) Write(name string) (File, error) {
	file, err := d.Disk.Write(name)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// start runs the native engine on a line in memory.
func start(ctx context.Context, l *enginetest.Line) error {
	results, letters := l.Results.Writer(), l.DeadLetters.Writer()
	defer results.Close()
	defer letters.Close()
	e, err := New(Config{
		Job: l.Job, Dir: "state", Disk: disk{l.Disk}, Topic: l.Events.Name(),
		Events: l.OpenEvents, ResultsLog: l.OpenResults, Results: results, DeadLetters: letters,
		CheckpointEvery: 3 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

// The scripts that any engine must pass.
func TestScripts(t *testing.T) { enginetest.Run(t, start) }

// A seed that fails fails again, in the same way.
func TestDisorderRepeats(t *testing.T) {
	for seed := range uint64(20) {
		first, second := enginetest.Disorder(t, start, seed), enginetest.Disorder(t, start, seed)
		if len(first.Results) != len(second.Results) {
			t.Fatalf("seed %d: %d results, then %d", seed, len(first.Results), len(second.Results))
		}
		for i, r := range first.Results {
			if s := second.Results[i]; r.Time != s.Time || !bytes.Equal(r.Key, s.Key) || !bytes.Equal(r.Value, s.Value) {
				t.Fatalf("seed %d: result %d was %s, then %s", seed, i, r.Value, s.Value)
			}
		}
	}
}

// When all is judged, what is committed comes up to the end: a full broker waits
// for that before it lets producers go on.
func TestCommitsAllInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &enginetest.Line{Job: shop(t), Disk: enginetest.NewDisk(), Events: enginetest.NewTopic("category", 2),
			Results: enginetest.NewTopic("category_results", 1), DeadLetters: enginetest.NewTopic("category_deadletter", 1)}
		for i, value := range benchEvents(500) {
			l.Events.Append(int32(i%2), liushui.Record{Value: value, Feed: liushui.FeedReplay})
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- start(ctx, l) }()
		time.Sleep(15 * time.Second)
		if diff := cmp.Diff(l.Events.Ends(), l.Events.Committed(Group)); diff != "" {
			t.Errorf("end and committed: %s", diff)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
