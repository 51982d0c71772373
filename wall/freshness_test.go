package wall

import (
	"testing"
	"time"
)

func TestFreshness(t *testing.T) {
	const now = int64(1_700_000_000_000)
	// at is an engine that has read all and reports now, and judged a record ms ago.
	at := func(ms int64, edit ...func(*facts)) facts {
		f := facts{now: now, reported: now, judged: now - ms, lagKnown: true}
		for _, e := range edit {
			e(&f)
		}
		return f
	}
	lag := func(f *facts) { f.lag = 7 }
	unknown := func(f *facts) { f.lagKnown = false }
	silent := func(ms int64) func(*facts) { return func(f *facts) { f.reported = now - ms } }
	replay := func(due, produced int64) func(*facts) {
		return func(f *facts) { f.announces, f.due, f.produced = true, due, produced }
	}
	ended := func(f *facts) { f.ended = true }
	stopped := func(f *facts) { f.stopped = true }
	expect := func(d time.Duration) func(*facts) { return func(f *facts) { f.expectEvery = d } }

	for _, c := range []struct {
		name    string
		facts   facts
		want    Freshness
		age     int64
		overdue bool
	}{
		{"no engine has reported", facts{now: now}, Waiting, now, false},
		{"an engine, no event yet", facts{now: now, reported: now, lagKnown: true}, Waiting, 0, false},
		{"an engine, no event yet, records waiting", facts{now: now, reported: now, lagKnown: true, lag: 5}, Waiting, 0, false},
		{"an engine that fell silent before any event", facts{now: now, reported: now - 16_000, lagKnown: true}, Stalled, 16_000, false},

		{"just judged", at(0), Live, 0, false},
		{"lag 0: progress counts as well", at(10_000), Live, 0, false},
		{"lag 0, last event 14.999 s ago", at(14_999), Live, 0, false},
		{"lag 0, last event 15 s ago", at(15_000), Quiet, 0, false},
		{"lag 0, last event a day ago", at(86_400_000), Quiet, 0, false},

		{"behind, judged 4 s ago", at(4_000, lag), Live, 4_000, false},
		{"behind, judged 4.001 s ago", at(4_001, lag), Delayed, 4_001, false},
		{"behind, judged 15 s ago", at(15_000, lag), Delayed, 15_000, false},
		{"behind, judged 15.001 s ago", at(15_001, lag), Stalled, 15_001, false},

		{"silent engine 4 s", at(4_000, silent(4_000)), Live, 4_000, false},
		{"silent engine 4.001 s", at(5_000, silent(4_001)), Delayed, 4_001, false},
		{"silent engine 15 s, quiet before", at(60_000, silent(15_000)), Delayed, 15_000, false},
		{"silent engine 15.001 s", at(60_000, silent(15_001)), Stalled, 15_001, false},
		{"judged later than reported", at(1_000, silent(3_000)), Live, 1_000, false},

		{"unknown lag, just judged", at(0, unknown), Delayed, 0, false},
		{"unknown lag, judged a minute ago", at(60_000, unknown), Delayed, 60_000, false},
		{"unknown lag, silent 15 s", at(60_000, unknown, silent(15_000)), Delayed, 60_000, false},
		{"unknown lag, silent 15.001 s", at(60_000, unknown, silent(15_001)), Stalled, 60_000, false},

		{"clocks that differ give no negative age", at(-500, silent(-700)), Live, 0, false},

		{"promise kept", at(60_000, expect(time.Minute)), Quiet, 0, false},
		{"promise broken", at(60_001, expect(time.Minute)), Stalled, 0, true},
		{"a promise says nothing of a replay", at(600_000, expect(time.Minute), replay(now+5_000, now)), Quiet, 0, false},

		{"replay, next event announced", at(20_000, replay(now+600_000, now-1_000)), Quiet, 0, false},
		{"replay, due 14.999 s ago", at(20_000, replay(now-14_999, now)), Quiet, 0, false},
		{"replay, due 15 s ago", at(20_000, replay(now-15_000, now)), Stalled, 0, true},
		{"replay, due 15 s ago, but events come", at(4_000, replay(now-15_000, now)), Live, 0, false},
		{"replay, produce silent 4.999 s", at(6_000, replay(now+600_000, now-4_999)), Live, 0, false},
		{"replay, produce silent 5 s", at(6_000, replay(now+600_000, now-5_000)), Stalled, 0, true},
		{"replay, produce silent 5 s, quiet", at(60_000, replay(0, now-5_000)), Stalled, 0, true},
		{"replay, nothing announced", at(60_000, replay(0, now)), Quiet, 0, false},
		{"replay without a record of produce", at(60_000, replay(0, 0)), Quiet, 0, false},
		{"replay, engine behind", at(5_000, lag, replay(now-60_000, now)), Delayed, 5_000, false},
		{"replay, engine silent", at(20_000, silent(16_000), replay(now+1, now)), Stalled, 16_000, false},

		{"ended", at(60_000, ended), Quiet, 0, false},
		{"ended just now", at(1_000, ended), Quiet, 0, false},
		{"ended, engine stopped cleanly long ago", at(9_000_000, ended, stopped, silent(8_000_000)), Quiet, 8_000_000, false},
		{"ended, engine fell silent", at(9_000_000, ended, silent(16_000)), Stalled, 16_000, false},
		{"stopped, not ended", at(16_000, stopped, silent(16_000)), Stalled, 16_000, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, since, overdue := c.facts.judge()
			if name != c.want || now-since != c.age || overdue != c.overdue {
				t.Errorf("got %s, age %d, overdue %t; want %s, age %d, overdue %t", name, now-since, overdue, c.want, c.age, c.overdue)
			}
		})
	}
}
