package enginetest

import (
	"math/rand/v2"
	"time"
)

// lane is whose moments they are. No two lanes share a nanosecond, so that no two
// things happen at one moment: which of them came first would then be chance.
type lane int64

const (
	laneTest   lane = iota // the test's own goroutine
	laneEngine             // what the engine does
	laneFetch              // what it fetches ahead
	laneResults
	laneDeadLetters
	laneSaving        // files of checkpoints and ids, which are written beside the rest
	laneDirectory     // names in a directory, which one goroutine at a time makes last
	lanes         = 8 // divides an engine's tick: so each tick is the engine's
)

// in is the time from now to the lane's first moment at least d later.
func (l lane) in(d time.Duration) time.Duration {
	at := time.Now().UnixNano() + int64(d)
	return d + time.Duration(((int64(l)-at)%int64(lanes)+int64(lanes))%int64(lanes))
}

func (l lane) sleep(d time.Duration) { time.Sleep(l.in(d)) }

// pause takes a moment, unless there are no random numbers to draw it from.
func (l lane) pause(random *rand.Rand) {
	if random != nil {
		l.sleep(moment(random))
	}
}

// moment is a short time.
func moment(random *rand.Rand) time.Duration { return time.Duration(1 + random.Int64N(1e5)) }
