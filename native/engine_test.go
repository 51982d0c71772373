package native

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

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

// The engine's final table equals the oracle's over the same events.
func TestEqualsOracle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job := shop(t)
		l := &enginetest.Line{Job: job, Dir: t.TempDir(), Events: enginetest.NewTopic("category", 4),
			Results: enginetest.NewTopic("category_results", 1), DeadLetters: enginetest.NewTopic("category_deadletter", 1)}
		for i, value := range benchEvents(20_000) {
			l.Events.Append(int32(i%4), liushui.Record{Key: []byte("k"), Value: value, Feed: liushui.FeedReplay})
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- start(ctx, l) }()
		time.Sleep(20 * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		want, account := enginetest.Batch(job, l.Events.All(), enginetest.Options{})
		got, err := enginetest.TableOf(l.Results.Records(0), job)
		if err != nil {
			t.Fatal(err)
		}
		if diff := enginetest.Diff(want, got); len(diff) > 0 {
			t.Errorf("%d differences, such as %s", len(diff), diff[0])
		}
		if account.Counted != 20_000 {
			t.Errorf("account %+v", account)
		}
	})
}
