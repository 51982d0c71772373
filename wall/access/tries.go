package access

import (
	"net/netip"
	"sync"
	"time"
)

// How often somebody may guess: so many times at once, and once more each time.
var (
	triesEach = rate{10, 30 * time.Second}
	triesAll  = rate{60, time.Second}
)

type rate struct {
	most  time.Duration // without a unit
	every time.Duration
}

// Tries counts guesses by address, and in all. What it remembers is bounded by
// what it allows in all. The zero value has counted none.
type Tries struct {
	mu   sync.Mutex
	all  time.Time                  // when all guesses are there again
	each map[netip.Prefix]time.Time // when all those of an address are
}

// wait is how long it takes until there is a guess; 0: there is one.
func (r rate) wait(whole, now time.Time) time.Duration {
	return max(0, r.less(whole, 1, now).Sub(now)-r.most*r.every)
}

// less is when all guesses are there again after n more were used.
func (r rate) less(whole time.Time, n time.Duration, now time.Time) time.Time {
	if whole.Before(now) {
		whole = now
	}
	return whole.Add(n * r.every)
}

// Take lets an address guess once, or tells how long it must wait first.
func (t *Tries) Take(from netip.Addr, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	near := neighbours(from)
	if wait = max(triesEach.wait(t.each[near], now), triesAll.wait(t.all, now)); wait == 0 {
		t.use(near, 1, now)
	}
	return wait
}

// GiveBack takes a guess back that was right.
func (t *Tries) GiveBack(from netip.Addr, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.use(neighbours(from), -1, now)
}

func (t *Tries) use(near netip.Prefix, n time.Duration, now time.Time) {
	if t.each == nil {
		t.each = map[netip.Prefix]time.Time{}
	}
	t.each[near] = triesEach.less(t.each[near], n, now)
	t.all = triesAll.less(t.all, n, now)
}

// forget drops addresses that have all their guesses again.
func (t *Tries) forget(now time.Time) {
	for near, whole := range t.each {
		if !whole.After(now) {
			delete(t.each, near)
		}
	}
}

// neighbours is what one person has: an address, or a network of IPv6.
func neighbours(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	near, _ := from.Prefix(bits) // of no address: the prefix of none
	return near
}
