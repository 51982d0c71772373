package native

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/enginetest"
)

// start runs the native engine on a line in memory.
func start(ctx context.Context, l *enginetest.Line) error {
	results, letters := l.Results.Writer(), l.DeadLetters.Writer()
	defer results.Close()
	defer letters.Close()
	e, err := New(Config{
		Job: l.Job, Dir: l.Dir, Topic: l.Events.Name(),
		Events: func(_ context.Context, offsets map[int32]int64, topicID string) (liushui.Reader, error) {
			if topicID != "" && topicID != l.Events.ID() {
				return nil, liushui.ErrOtherTopic
			}
			return l.Events.Reader(offsets), nil
		},
		ResultsLog: func(context.Context) (liushui.Reader, error) { return l.Results.Reader(nil), nil },
		Results:    results, DeadLetters: letters,
		CheckpointEvery: 3 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

// The scripts that any engine must pass.
func TestScripts(t *testing.T) { enginetest.Run(t, start) }

// Random events, with stops and crashes at random moments: whatever happens,
// the results are the oracle's. A seed that fails fails again.
func TestDisorder(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { enginetest.Disorder(t, start, seed) })
	}
}

// When all is judged, what is committed comes up to the end: a full broker waits
// for that before it lets producers go on.
func TestCommitsAllInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &enginetest.Line{Job: shop(t), Dir: t.TempDir(), Events: enginetest.NewTopic("category", 2),
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
