package enginetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"liushui"
)

func record(key, value string) liushui.Record {
	return liushui.Record{Key: []byte(key), Value: []byte(value)}
}

// take polls until n records have come.
func take(t *testing.T, r liushui.Reader, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var values []string
	for len(values) < n {
		fetches, err := r.Poll(ctx)
		if err != nil {
			t.Fatalf("after %d of %d records: %v", len(values), n, err)
		}
		for _, f := range fetches {
			for _, record := range f.Records {
				values = append(values, fmt.Sprintf("%d/%d %s", record.Partition, record.Offset, record.Value))
			}
		}
	}
	return values
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTopicReadAndWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := NewTopic("category", 2)
		r := topic.Reader(nil)
		defer r.Close()
		w := topic.Writer()
		defer w.Close()
		if err := w.Write(t.Context(), []liushui.Record{record("a", "1"), record("a", "2")}, nil); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := topic.partitionOf([]byte("a"))
		equal(t, take(t, r, 2), fmt.Sprintf("%d/0 1", p), fmt.Sprintf("%d/1 2", p))

		topic.AddPartitions(1)
		topic.Append(2, record("", "3"))
		equal(t, take(t, r, 1), "2/0 3")
		equal(t, take(t, topic.Reader(map[int32]int64{p: 1, 2: 1}), 1), fmt.Sprintf("%d/1 2", p))
	})
}

func TestTopicPollWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := NewTopic("category", 1)
		r := topic.Reader(nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := r.Poll(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("empty topic: %v", err)
		}
		time.AfterFunc(time.Second, func() { topic.Append(0, record("", "x")) })
		before := time.Now()
		equal(t, take(t, r, 1), "0/0 x")
		if waited := time.Since(before); waited != time.Second {
			t.Errorf("waited %s", waited)
		}
	})
}

func TestTopicHoldAndBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := NewTopic("category", 2)
		topic.Batch(2)
		for i := range 3 {
			topic.Append(0, record("", fmt.Sprint(i)))
			topic.Append(1, record("", fmt.Sprint(i)))
		}
		r := topic.Reader(nil)
		r.Hold(0, true)
		equal(t, take(t, r, 3), "1/0 0", "1/1 1", "1/2 2")
		r.Hold(0, false)
		equal(t, take(t, r, 1), "0/0 0", "0/1 1")
	})
}

func TestTopicEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := NewTopic("category", 1)
		r := topic.Reader(nil)
		begun := time.Now()
		check := func(end int64, asked time.Time) {
			t.Helper()
			ends := r.Ends()
			if len(ends) != 1 || ends[0].End != end || !ends[0].Asked.Equal(asked) {
				t.Errorf("ends %+v, want %d at %s", ends, end, asked)
			}
		}
		check(0, begun)
		topic.Append(0, record("", "x"))
		time.Sleep(400 * time.Millisecond)
		check(0, begun) // not asked anew yet
		time.Sleep(100 * time.Millisecond)
		check(1, begun.Add(500*time.Millisecond))
		topic.HideEnds(true)
		time.Sleep(time.Minute)
		check(1, begun.Add(500*time.Millisecond))
	})
}

func TestTopicGoneAndOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := NewTopic("category", 1)
		for i := range 4 {
			topic.Append(0, record("", fmt.Sprint(i)))
		}
		r, id := topic.Reader(nil), topic.ID()
		topic.Trim(0, 2)
		for name, reader := range map[string]liushui.Reader{
			"trimmed":         r,
			"ahead":           topic.Reader(map[int32]int64{0: 5}),
			"of no partition": topic.Reader(map[int32]int64{0: -1}),
		} {
			if _, err := reader.Poll(t.Context()); !errors.Is(err, liushui.ErrGone) {
				t.Errorf("%s: %v", name, err)
			}
		}
		r = topic.Reader(nil)
		equal(t, take(t, r, 2), "0/2 2", "0/3 3")
		topic.Recreate(1)
		if _, err := r.Poll(t.Context()); !errors.Is(err, liushui.ErrOtherTopic) {
			t.Errorf("made again: %v", err)
		}
		if r.TopicID() != id || topic.ID() == id {
			t.Errorf("the reader's id %s, before %s, now %s", r.TopicID(), id, topic.ID())
		}
	})
}

func TestTopicSever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := NewTopic("category_results", 1)
		r, w := topic.Reader(nil), topic.Writer()
		defer w.Close()
		topic.OnWrite(func([]liushui.Record) (int, error) { time.Sleep(time.Second); return 0, nil })
		var ack error
		if err := w.Write(t.Context(), []liushui.Record{record("", "lost")}, func(err error) { ack = err }); err != nil {
			t.Fatal(err)
		}
		topic.Sever()
		if _, err := r.Poll(t.Context()); !errors.Is(err, errSevered) {
			t.Errorf("poll: %v", err)
		}
		if err := w.Flush(t.Context()); !errors.Is(err, errSevered) || !errors.Is(ack, errSevered) {
			t.Errorf("flush: %v, acknowledged: %v", err, ack)
		}
		if n := len(topic.Records(0)); n != 0 {
			t.Errorf("%d records were written", n)
		}
		if err := r.Commit(t.Context(), "g", nil); !errors.Is(err, errSevered) {
			t.Errorf("commit: %v", err)
		}
	})
}

func TestTopicFailingWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic, full := NewTopic("category_results", 1), errors.New("disk full")
		topic.OnWrite(func([]liushui.Record) (int, error) { return 1, full })
		w := topic.Writer()
		defer w.Close()
		var ack error
		if err := w.Write(t.Context(), []liushui.Record{record("", "1"), record("", "2")}, func(err error) { ack = err }); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(t.Context()); !errors.Is(err, full) || !errors.Is(ack, full) {
			t.Errorf("flush: %v, acknowledged: %v", err, ack)
		}
		if err := w.Write(t.Context(), nil, nil); !errors.Is(err, full) {
			t.Errorf("a later write: %v", err)
		}
		if n := len(topic.Records(0)); n != 1 {
			t.Errorf("%d records were written, want the first", n)
		}
	})
}

func TestTopicCloseLosesWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := NewTopic("category_results", 1)
		topic.OnWrite(func([]liushui.Record) (int, error) { time.Sleep(time.Second); return 0, nil })
		w := topic.Writer()
		acks := 0
		for range 3 {
			if err := w.Write(t.Context(), []liushui.Record{record("", "x")}, func(error) { acks++ }); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait() // the first sleeps
		w.Close()
		if n := len(topic.Records(0)); acks != 3 || n != 1 {
			t.Errorf("%d acknowledgements, %d records; want 3 and 1", acks, n)
		}
		if err := w.Write(t.Context(), nil, nil); err == nil {
			t.Error("a closed writer still writes")
		}
	})
}

func TestTopicCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := NewTopic("category", 2)
		r := topic.Reader(nil)
		for _, offsets := range []map[int32]int64{{0: 1, 1: 1}, {0: 5}} {
			if err := r.Commit(t.Context(), "liushui-native", offsets); err != nil {
				t.Fatal(err)
			}
		}
		if got := topic.Committed("liushui-native"); got[0] != 5 || got[1] != 1 {
			t.Errorf("committed %v", got)
		}
	})
}
