package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

const minute, day = 60_000, 86_400_000

// counted are the shown minutes of sales as "generation:orders", from start on.
func (s *Store) counted(t testing.TB) string {
	t.Helper()
	var list []string
	for _, row := range s.rows(t, liushui.Query{Statistic: "sales", Window: "1m"}) {
		list = append(list, fmt.Sprintf("%d:%d", row.Generation, row.Values[0].N))
	}
	return strings.Join(list, " ")
}

// held is how many minutes of sales of a generation are in the table, shown or not.
func (s *Store) held(t testing.TB, l *topic, generation int64) (n int) {
	t.Helper()
	s.view(t, func(v liushui.Snapshot) {
		n = len(v.(*snapshot).every(t, generation, l.jobs[generation], "sales", "1m"))
	})
	return n
}

func TestGenerationsCatchUp(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		l := newTopic(t)
		step := func(want string, add func()) {
			t.Helper()
			first := len(l.records)
			add()
			s.mustApply(t, l.records[first:])
			if got := s.counted(t); got != want {
				t.Errorf("shown %q, want %q", got, want)
			}
		}
		minutes := func(generation, from, to int64) {
			for m := from; m < to; m++ {
				l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + m*minute, Generation: generation, Version: 1, Values: values(m, m)})
			}
		}
		step("5:0 5:1 5:2 5:3", func() {
			l.job(5, shopText)
			minutes(5, 0, 4)
			l.progress(liushui.Progress{Generation: 5, Watermark: start + 4*minute})
		})
		// The second is complete from minute 2 on, and behind: nothing of it is shown.
		step("5:0 5:1 5:2 5:3", func() {
			l.job(6, shopText)
			l.progress(liushui.Progress{Generation: 6, Watermark: start + 2*minute, CompleteFrom: start + 2*minute})
			minutes(6, 2, 4)
		})
		// Once it has caught up, it takes over where it covers.
		step("5:0 5:1 6:2 6:3 6:4", func() {
			l.progress(liushui.Progress{Generation: 6, Watermark: start + 4*minute, CompleteFrom: start + 2*minute})
			minutes(6, 4, 5)
		})
		if got := s.held(t, l, 5); got != 2 {
			t.Errorf("%d rows of the first are left, want the 2 that only it covers", got)
		}
		// A straggler of the first changes what it still shows, and nothing else.
		step("5:100 5:1 6:2 6:3 6:4", func() {
			l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start, Generation: 5, Version: 2, Values: values(100, 0)})
			l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + 3*minute, Generation: 5, Version: 2, Values: values(100, 0)})
		})
		if got := s.held(t, l, 5); got != 2 {
			t.Errorf("%d rows of the first after a straggler, want 2", got)
		}
		// The first goes on without an effect on who is shown, also after the store was opened anew.
		s.mustApply(t, func() []liushui.Record {
			l.progress(liushui.Progress{Engine: "other", Generation: 5, Watermark: start + 100*minute})
			return l.records[len(l.records)-1:]
		}())
		again := open(t, Config{DSN: dsn, ReadOnly: true})
		if got, want := again.counted(t), "5:100 5:1 6:2 6:3 6:4"; got != want {
			t.Errorf("opened anew: shown %q, want %q", got, want)
		}
	})
}

// What views and queries take as shown is what Standing.Shown says, whatever generations do.
func TestShownRangesAreThoseOfTheStanding(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		l := newTopic(t)
		for g := range int64(1 + r.IntN(5)) {
			if r.IntN(5) > 0 {
				l.job(g+1, shopText)
			}
			for e := range r.IntN(3) {
				l.progress(liushui.Progress{Engine: fmt.Sprint(e), Generation: g + 1, Watermark: r.Int64N(10), CompleteFrom: r.Int64N(10)})
			}
		}
		var standing liushui.Standing
		for _, i := range r.Perm(len(l.records)) {
			if err := standing.Observe(liushui.KindOf(l.records[i].Key), l.records[i].Value); err != nil {
				t.Fatal(err)
			}
		}
		for at := range int64(12) {
			shown := int64(0)
			for _, g := range generationsOf(&standing) {
				if g.shownFrom <= at && at < g.shownTo {
					if shown != 0 {
						t.Fatalf("at %d both %d and %d are shown", at, shown, g.number)
					}
					shown = g.number
				}
				if standing.Superseded(g.number, at) != (at >= supersededFrom(&standing, g.number)) {
					t.Fatalf("at %d: superseded %d differs", at, g.number)
				}
			}
			if shown != standing.Shown(at) {
				t.Fatalf("at %d generation %d is shown, want %d", at, shown, standing.Shown(at))
			}
		}
	}
}

// More superseded rows than one transaction drops go in several.
func TestSupersededRowsGoInBoundedSteps(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		l := newTopic(t)
		const many = sweepRows + 2000
		l.job(5, shopText)
		for m := range int64(many) {
			l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + m*minute, Generation: 5, Version: 1, Values: values(m, m)})
		}
		l.job(6, shopText)
		l.progress(liushui.Progress{Generation: 6, Watermark: 1})
		s.mustApply(t, l.records)
		if got := s.held(t, l, 5); got != many-sweepRows {
			t.Errorf("after one step %d rows are left, want %d", got, many-sweepRows)
		}
		for range 8 {
			l.progress(liushui.Progress{Generation: 6, Watermark: 1})
			s.mustApply(t, l.records[len(l.records)-1:])
		}
		if got := s.held(t, l, 5); got != 0 {
			t.Errorf("%d rows are left", got)
		}
	})
}

func TestKeep(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn, Keep: map[string]time.Duration{"1m": 3 * time.Minute, "1d": time.Minute}})
		l := newTopic(t)
		l.job(5, shopText)
		for m := range int64(10) {
			l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + day + m*minute, Generation: 5, Version: 1, Values: values(m, m)})
		}
		for d := range int64(2) {
			l.result(liushui.Result{Statistic: "sales", Window: "1d", Start: start + d*day, Generation: 5, Version: 1, Values: values(d, d)})
		}
		l.progress(liushui.Progress{Generation: 5, Watermark: start + day + 10*minute + 30_000})
		s.mustApply(t, l.records)
		// 30 s into minute 10, less 3 minutes: minute 7 is not over yet. Today is not over either.
		if got, want := s.counted(t), "5:7 5:8 5:9"; got != want {
			t.Errorf("kept %q, want %q", got, want)
		}
		days := s.rows(t, liushui.Query{Statistic: "sales", Window: "1d"})
		if len(days) != 1 || days[0].Start != start+day {
			t.Errorf("kept days %+v, want the second one only", days)
		}
		// What is too old is not written again.
		first := len(l.records)
		l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + day + 2*minute, Generation: 5, Version: 2, Values: values(2, 2)})
		l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + day + 8*minute, Generation: 5, Version: 2, Values: values(88, 2)})
		s.mustApply(t, l.records[first:])
		if got, want := s.counted(t), "5:7 5:88 5:9"; got != want {
			t.Errorf("kept %q, want %q", got, want)
		}
		// Without keep for it, a window stays: seconds were never dropped.
		first = len(l.records)
		l.result(liushui.Result{Statistic: "sales", Window: "1s", Start: start, Generation: 5, Version: 2, Values: values(2, 2)})
		l.progress(liushui.Progress{Generation: 5, Watermark: start + 100*day})
		l.progress(liushui.Progress{Generation: 5, Watermark: start + 100*day})
		s.mustApply(t, l.records[first:])
		if rows := s.rows(t, liushui.Query{Statistic: "sales", Window: "1s"}); len(rows) != 1 {
			t.Errorf("%d seconds are left, want 1", len(rows))
		}
		if got := s.counted(t); got != "" {
			t.Errorf("kept %q after 100 days", got)
		}
	})
}

// A later job may compute more measures, others under the same name, or group
// by other fields.
func TestChangedJob(t *testing.T) {
	const one = `job: shop
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1h
statistics:
  sales: {windows: [1m], by: [province, channel], measures: {orders: count, paid: sum amount}}
  gone: {windows: [1m], measures: {events: count}}
`
	more := strings.NewReplacer("[province, channel]", "[channel, province]", "paid: sum amount", "paid: sum quantity, extra: count, users: distinct user", "gone:", "fresh:").Replace(one)
	other := strings.Replace(more, "[channel, province]", "[province]", 1)
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		l := newTopic(t)
		show := func(text string, generation, from int64, want ...string) {
			t.Helper()
			first := len(l.records)
			job := l.job(generation, text)
			l.progress(liushui.Progress{Generation: generation, Watermark: start, CompleteFrom: start + from*minute})
			key := []string{"江苏", "app"}
			by := job.Statistic("sales").By
			if by[0] == "channel" {
				slices.Reverse(key)
			}
			l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + from*minute, Generation: generation, Version: 1, Key: key[:len(by)], Values: values(1, 2, 3, 4)[:len(job.Statistic("sales").Measures)]})
			s.mustApply(t, l.records[first:])
			var got []string
			for _, row := range s.rows(t, liushui.Query{Statistic: "sales", Window: "1m"}) {
				got = append(got, fmt.Sprint(row.Generation, row.Key, row.Values))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("generation %d: %s", generation, d)
			}
		}
		show(one, 5, 0, "5 [江苏 app] [{1 false} {2 false}]")
		// The old row comes in the new order of fields. Its paid was money, and is not the new one's count.
		show(more, 6, 1, "5 [app 江苏] [{1 false} {0 true} {0 true} {0 true}]", "6 [app 江苏] [{1 false} {2 false} {3 false} {4 false}]")
		show(other, 7, 2, "7 [江苏] [{1 false} {2 false} {3 false} {4 false}]")
		columns, err := s.columns(t.Context(), s.read)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"sales$channel$province": "channel end end$offset engine extra generation late orders paid paid$ province repair start start$offset users version window",
			"sales$province":         "end end$offset engine extra generation late orders paid province repair start start$offset users version window",
			"gone$":                  "end end$offset engine events generation late repair start start$offset version window",
			"fresh$":                 "end end$offset engine events generation late repair start start$offset version window",
		} {
			slices.Sort(columns[name])
			if got := strings.Join(columns[name], " "); got != want {
				t.Errorf("%s has %s, want %s", name, got, want)
			}
		}
		if err := s.View(t.Context(), func(v liushui.Snapshot) error {
			_, err := v.Rows(t.Context(), liushui.Query{Statistic: "gone", Window: "1m"})
			return err
		}); err == nil || !strings.Contains(err.Error(), `there is no statistic "gone" in the job shop`) {
			t.Errorf("rows of a statistic that is gone: %v", err)
		}
	})
}
