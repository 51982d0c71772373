package access

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func TestAnAddressGuessesTenTimes(t *testing.T) {
	var tries Tries
	one, other := addr("192.0.2.1"), addr("192.0.2.2")
	for i := range 10 {
		if wait := tries.Take(one, began); wait != 0 {
			t.Fatalf("guess %d must wait %s", i+1, wait)
		}
	}
	if wait := tries.Take(one, began); wait != 30*time.Second {
		t.Errorf("the eleventh guess must wait %s, want 30s", wait)
	}
	if wait := tries.Take(other, began); wait != 0 {
		t.Errorf("another address must wait %s", wait)
	}
	if wait := tries.Take(addr("::ffff:192.0.2.1"), began.Add(10*time.Second)); wait != 20*time.Second {
		t.Errorf("10 s later, in the form of IPv6, it must wait %s, want 20s", wait)
	}
	if wait := tries.Take(one, began.Add(30*time.Second)); wait != 0 {
		t.Errorf("30 s later it must wait %s", wait)
	}
	if wait := tries.Take(one, began.Add(30*time.Second)); wait != 30*time.Second {
		t.Errorf("and once more it must wait %s", wait)
	}
}

func TestRightGuessesCostNothing(t *testing.T) {
	var tries Tries
	for range 1000 {
		if wait := tries.Take(addr("192.0.2.1"), began); wait != 0 {
			t.Fatalf("it must wait %s", wait)
		}
		tries.GiveBack(addr("192.0.2.1"), began)
	}
}

func TestANetworkOfIPv6IsOne(t *testing.T) {
	var tries Tries
	for i := range 10 {
		tries.Take(addr(fmt.Sprintf("2001:db8::%x", i)), began)
	}
	if wait := tries.Take(addr("2001:db8::ffff:1"), began); wait == 0 {
		t.Error("a neighbour may guess an eleventh time")
	}
	if wait := tries.Take(addr("2001:db8:0:1::1"), began); wait != 0 {
		t.Errorf("another network must wait %s", wait)
	}
}

// However many addresses guess, guesses and what is remembered of them are bounded.
func TestManyAddressesTogether(t *testing.T) {
	var tries Tries
	now, taken, most := began, 0, 0
	for i := range 100_000 {
		now = now.Add(10 * time.Millisecond)
		if tries.Take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now) == 0 {
			taken++
		}
		most = max(most, len(tries.each))
	}
	if want := 60 + 1000; taken < want-1 || taken > want+1 {
		t.Errorf("in 1,000 s %d guesses, want %d", taken, want)
	}
	if most > 100 {
		t.Errorf("%d addresses were remembered", most)
	}
	if wait := tries.Take(addr("192.0.2.1"), now); wait <= 0 || wait > time.Second {
		t.Errorf("one who comes then must wait %s, want up to a second", wait)
	}
}
