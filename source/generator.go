package source

import (
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"liushui"
)

// GeneratorConfig says what a made-up shop's day is like. The same Seed and
// RunStart give the same items.
type GeneratorConfig struct {
	Seed     uint64
	RunStart int64          // ms; goes into the ids, so each run has its own
	Begin    int64          // ms: the shop's clock at the start; 0: RunStart
	Rate     float64        // events a second of the shop's clock, mean of a day; 0: 100
	Events   int64          // end after so many items; 0: do not end
	Span     time.Duration  // end after so much of the shop's clock; 0: do not end
	Flat     bool           // no daily curve: the same rate at every hour
	Zone     *time.Location // of the daily curve; nil: China's
	// Lateness and Corrections are the job's, for events that come late on
	// purpose; 0: 10 s and 1 h.
	Lateness, Corrections time.Duration
}

// Generator makes a believable shop: people look, put into the cart, order, pay
// (some late), cancel, want their money back; a few records come twice, late
// or damaged. It is a Source.
type Generator struct {
	config GeneratorConfig
	random *rand.Rand
	next   float64 // when the next visit begins, ms
	curve  dayCurve
	coming queue // what will follow from what has happened
	number int64 // of the newest happening
	orders int64
	items  int64 // given so far
	made   arena
	run    string // RunStart in ids
	visits float64
	endsAt int64 // ms; 0: never
	over   bool
}

// NewGenerator returns a generator at its begin.
func NewGenerator(c GeneratorConfig) *Generator {
	if c.Begin == 0 {
		c.Begin = c.RunStart
	}
	if c.Rate == 0 {
		c.Rate = 100
	}
	if c.Zone == nil {
		c.Zone = time.FixedZone("China", 8*60*60)
	}
	if c.Lateness == 0 {
		c.Lateness = 10 * time.Second
	}
	if c.Corrections == 0 {
		c.Corrections = time.Hour
	}
	g := &Generator{config: c, random: rand.New(rand.NewPCG(c.Seed, uint64(c.RunStart)))}
	g.curve = dayCurve{zone: c.Zone, flat: c.Flat}
	g.run = strconv.FormatInt(c.RunStart, 36)
	g.visits = c.Rate / 1000 / eventsPerVisit // a ms
	g.warmUp()
	if c.Span > 0 {
		g.endsAt = c.Begin + c.Span.Milliseconds()
	}
	return g
}

// warmUp lets the shop open a while before Begin, unseen, so that from the first
// second on some people are about to pay.
func (g *Generator) warmUp() {
	const most = 200_000 // happenings, to begin at once however busy the shop is
	before := min(10*time.Minute, time.Duration(most/g.config.Rate*float64(time.Second)))
	g.next = float64(g.config.Begin - before.Milliseconds())
	for int64(g.next) < g.config.Begin || len(g.coming) > 0 && g.coming[0].at < g.config.Begin {
		g.happen()
	}
	g.next = float64(g.config.Begin) // somebody comes in just then: the run begins on time
}

// Feed is liushui.FeedDemo.
func (g *Generator) Feed() string { return liushui.FeedDemo }

// Total is how many items the run has; 0: not known, or without end.
func (g *Generator) Total() int64 { return g.config.Events }

// Next fills items.
func (g *Generator) Next(items []Item) (n int, err error) {
	for n < len(items) {
		if g.over || g.config.Events > 0 && g.items == g.config.Events {
			break
		}
		h := g.happen()
		if g.endsAt > 0 && h.at >= g.endsAt {
			g.over = true
			break
		}
		g.describe(&h, &items[n])
		g.items++
		n++
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// happening is one thing that happens, in numbers.
type happening struct {
	at       int64 // ms: when its record is sent
	time     int64 // ms: when it happened
	number   int64 // in its id
	order    int64 // 0: none
	amount   liushui.Money
	user     int32
	item     int32
	kind     kind
	quantity uint8
	fate     fate
}

// kind is an event's type.
type kind uint8

const (
	view kind = iota
	cart
	favorite
	order
	pay
	refund
	cancel
)

// fate is what befalls a record on its way.
type fate uint8

const (
	fresh   fate = iota
	belated      // held back: what follows from it has been decided
	copied       // sent a second time
	damaged
)

// happen returns the next thing that happens, in the order of sending.
func (g *Generator) happen() happening {
	var h happening
	for {
		if len(g.coming) > 0 && g.coming[0].at <= int64(g.next) {
			h = g.coming.pop()
		} else {
			h = g.visit()
		}
		if h.fate != fresh {
			return h
		}
		g.follow(&h)
		if g.befall(&h) {
			return h
		}
	}
}

// visit begins a visit: somebody looks at something.
func (g *Generator) visit() happening {
	at := int64(g.next)
	g.next += g.random.ExpFloat64() / (g.visits * g.curve.weight(at))
	g.number++
	return happening{at: at, time: at, number: g.number, user: g.someUser(), item: g.someItem(), kind: view}
}

// between is a number of ms, evenly.
func (g *Generator) between(low, high time.Duration) int64 {
	return low.Milliseconds() + g.random.Int64N((high - low).Milliseconds())
}

func (g *Generator) chance(p float64) bool { return g.random.Float64() < p }

// befall decides a record's fate; ok is false where it is sent later.
func (g *Generator) befall(h *happening) (ok bool) {
	p := g.random.Float64()
	late, corrections := g.config.Lateness.Milliseconds(), g.config.Corrections.Milliseconds()
	switch {
	case p >= shareOdd:
		return true
	case p < shareDamaged:
		h.fate = damaged
		return true
	case p < shareDamaged+shareTooLate:
		h.time -= corrections + late + g.random.Int64N(corrections/2+1)
		return true
	case p < shareDamaged+shareTooLate+shareCopied:
		again := *h
		again.fate, again.at = copied, h.at+g.between(100*time.Millisecond, 5*time.Second)
		g.coming.push(again)
		return true
	case p < shareDamaged+shareTooLate+shareCopied+shareCorrecting:
		h.at += late + g.random.Int64N(max(corrections*3/4, 1))
	default:
		h.at += g.random.Int64N(max(late*3/4, 1))
	}
	h.fate = belated
	g.coming.push(*h)
	return false
}
