//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/dev"
	"liushui/enginetest"
	"liushui/store"
)

// TestRetentionOvertakes deletes events that the engine has not judged and
// results that the store has not kept, as retention does, while both are stopped
// or frozen. Both name what is lost and the mend, and after it the tables have
// what the oracle makes of the rest of the log, where windows are complete.
func TestRetentionOvertakes(t *testing.T) {
	for _, mode := range []string{"stopped", "frozen"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := makePayments(t, 12_000)
			l := newLine(t)
			feed := slices.Concat([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--partitions", "2"}, p.feed)
			l.open("broker")
			produce := launch(t, append(feed, "--rate", "1000/s")...)
			keep, kept := process(t, l.args("store")...)
			engine, judged := process(t, append(l.args("process"), "--checkpoint-every", "300ms")...)
			away := syscall.SIGSTOP
			if mode == "stopped" {
				away = syscall.SIGKILL
			}
			eventually(t, "the store has some", func() bool { paid := l.paid(); return paid != "0.00" && l.account().Read > 500 })
			_ = keep.Process.Signal(away)
			read := l.account().Read
			eventually(t, "the engine has judged more", func() bool { return l.account().Read > read+500 })
			_ = engine.Process.Signal(away)
			produce.stop()
			must(t, command(t, append(feed, "--speed", "max")...))
			admin := dev.Administer(t, l.kafka)
			admin.Trim(liushui.TopicEvents, 3000, 2900)
			admin.Trim(liushui.TopicResults, l.end(liushui.TopicResults))

			const engineMend = "`liushui process --from earliest` computes all that the log still holds"
			if mode == "stopped" {
				l.refused(l.args("process"), "topic category, partition 0, offset ", "; partition 1, offset ", "the log holds 2900 to ", " are lost, as by retention", engineMend)
				l.refused(l.args("store"), " of the results, but the log has ", "`store --adopt` goes on at ", "`liushui reconcile --repair`")
			} else {
				time.Sleep(time.Second) // so that who wakes finds the log as it is now
				_ = engine.Process.Signal(syscall.SIGCONT)
				_ = keep.Process.Signal(syscall.SIGCONT)
				if engine.Wait() == nil || keep.Wait() == nil {
					t.Error("a program has ended as if nothing was lost")
				}
				contains(t, judged.String(), " are lost, as by retention")
				contains(t, judged.String(), engineMend)
				contains(t, kept.String(), "topic category_results, partition 0, offset ")
				contains(t, kept.String(), "`liushui store --adopt` goes on where the log begins")
			}

			must(t, command(t, append(l.args("process"), "--from", "earliest", "--exit-when-done")...))
			l.running["store"] = launch(t, append(l.args("store"), "--adopt")...)
			l.ended()
			eventually(t, "the store has all", func() bool { return l.stored() == l.end(liushui.TopicResults) })
			l.stop("store")
			l.compareWithTheRest()
			l.stop("broker")
		})
	}
}

// end is where a topic of one partition ends.
func (l *line) end(topic string) int64 {
	l.t.Helper()
	client := l.client()
	defer client.Close()
	ends, err := client.Ends(l.t.Context(), topic)
	if err != nil {
		l.t.Fatal(err)
	}
	return ends[0].End
}

// stored is the offset of the next result that the store takes.
func (l *line) stored() int64 {
	l.t.Helper()
	s, err := store.Open(l.t.Context(), store.Config{DSN: databaseIn(l.data), ReadOnly: true})
	if err != nil {
		l.t.Fatal(err)
	}
	defer s.Close()
	_, offset, err := s.Position(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return offset
}

// rest is what a topic still holds.
func (l *line) rest(topic string) (all []liushui.Record) {
	l.t.Helper()
	client := l.client()
	defer client.Close()
	ends, err := whole(l.t.Context(), client, topic)
	if err != nil {
		l.t.Fatal(err)
	}
	err = scan(l.t.Context(), client, topic, ends, nil, func(r *liushui.Record) error {
		kept := *r
		kept.Key, kept.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		all = append(all, kept)
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return all
}

// compareWithTheRest compares topic and tables with what the events come to that
// the log still holds, where windows are complete.
func (l *line) compareWithTheRest() {
	t, job := l.t, shop(l.t)
	t.Helper()
	results := l.rest(liushui.TopicResults)
	var last liushui.Progress
	for _, r := range results {
		if liushui.KindOf(r.Key) == liushui.KindProgress {
			if err := json.Unmarshal(r.Value, &last); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, account := enginetest.Batch(job, l.rest(liushui.TopicEvents), enginetest.Options{CompleteFrom: last.CompleteFrom})
	t.Logf("%+v in %d cells of windows that begin at %s or later", account, len(want), time.UnixMilli(last.CompleteFrom))
	if len(want) < 1000 || last.CompleteFrom == 0 {
		t.Fatal("the log has too few complete windows to compare")
	}
	if diff := cmp.Diff(account, last.Account); diff != "" {
		t.Errorf("the engine's account is not that of the log: %s", diff)
	}
	rows := rowsIn(t, databaseIn(l.data), job, last.Generation, func(r liushui.Row) {
		if r.Start >= last.CompleteFrom && r.State == liushui.Provisional {
			t.Errorf("%s %s at %d is provisional, want final: the input has ended", r.Statistic, r.Window, r.Start)
		}
	})
	complete := slices.DeleteFunc(rows, func(r liushui.Record) bool {
		result, err := liushui.DecodeResult(r.Value, func(int64) *liushui.Job { return job })
		return err == nil && result.Start < last.CompleteFrom
	})
	for where, records := range map[string][]liushui.Record{"topic": results, "tables": complete} {
		got, err := enginetest.TableOf(records, job)
		if err != nil {
			t.Fatal(err)
		}
		diff := enginetest.Diff(want, got)
		for _, line := range diff[:min(len(diff), 10)] {
			t.Errorf("%s: %s", where, line)
		}
	}
}
