package wall

import "time"

// Limits of the freshness that the wall states, in ms.
const (
	liveLimit    = 4_000  // older data are delayed
	delayedLimit = 15_000 // older data are stalled
	quietAfter   = 15_000 // without an event, nothing waiting
	dueLimit     = 15_000 // behind what produce announced
	produceLimit = 5_000  // without a record of produce
)

// Freshness names how fresh the shown data are. The page has one more of its
// own, "disconnected".
type Freshness string

const (
	Waiting Freshness = "waiting" // no event has been judged yet
	Live    Freshness = "live"
	Quiet   Freshness = "quiet" // nothing waits, and nothing has come for a while
	Delayed Freshness = "delayed"
	Stalled Freshness = "stalled"
)

// facts are all that freshness is judged by. Times are clock times in ms, 0 = none.
type facts struct {
	now      int64
	reported int64 // the newest progress record of the engine that is furthest
	judged   int64 // Kafka's time of the newest judged record
	lag      int64
	lagKnown bool
	stopped  bool // the engine said that it stopped
	ended    bool // the engine stands at the end of a finished input

	announces bool  // the feed is a replay or demo that has not finished
	produced  int64 // produce's newest record
	due       int64 // the next event that it announced

	expectEvery time.Duration // an operator's promise about a live feed; 0 = none
}

// judge is the rule of system.md section 9. since is the clock time that the
// data's age counts from; overdue says that an event is missed that was promised.
func (f facts) judge() (name Freshness, since int64, overdue bool) {
	if f.reported == 0 {
		return Waiting, 0, false
	}
	current := f.lagKnown && f.lag == 0
	since = f.judged
	if current || f.judged == 0 {
		since = max(since, f.reported)
	}
	since = min(since, f.now)
	switch age := f.now - since; {
	case f.ended && f.stopped:
		return Quiet, since, false
	case !f.lagKnown && f.now-f.reported <= delayedLimit:
		return Delayed, since, false
	case age > delayedLimit:
		return Stalled, since, false
	case age > liveLimit:
		return Delayed, since, false
	case f.judged == 0:
		return Waiting, since, false
	case !current:
		return Live, since, false
	}
	silence := f.now - f.judged
	switch {
	case f.ended:
		return Quiet, since, false
	case f.announces && f.missed(silence), f.expected(silence):
		return Stalled, since, true
	case silence >= quietAfter:
		return Quiet, since, false
	}
	return Live, since, false
}

// missed reports whether a replay or demo is behind what it announced itself.
// While events come, nothing is missed.
func (f facts) missed(silence int64) bool {
	if f.produced == 0 || silence <= liveLimit {
		return false
	}
	return f.due != 0 && f.now-f.due >= dueLimit || f.now-f.produced >= produceLimit
}

func (f facts) expected(silence int64) bool {
	return !f.announces && f.expectEvery > 0 && silence > f.expectEvery.Milliseconds()
}
