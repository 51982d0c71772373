package access

import (
	"strings"
	"testing"
	"time"
)

var began = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestSessions(t *testing.T) {
	li, wang := line(t, "li", Operator, "moon over water"), line(t, "wang", Viewer, "moon over water")
	l := list(t, token, li, wang)
	for _, who := range []Who{{"li", Operator}, {"wang", Viewer}, {"", Viewer}} {
		session := l.Seal(who, began)
		for _, c := range []struct {
			after     time.Duration
			renew, ok bool
		}{{0, false, true}, {Renewed, false, true}, {Renewed + time.Second, true, true}, {Lasts - time.Second, true, true}, {Lasts, true, false}} {
			got, renew, ok := l.Unseal(session, began.Add(c.after))
			if ok != c.ok || ok && (got != who || renew != c.renew) {
				t.Errorf("%+v after %s: %+v, %t, %t", who, c.after, got, renew, ok)
			}
		}
		// Another process with the same list knows it.
		if got, _, ok := list(t, token, wang, li).Unseal(session, began); !ok || got != who {
			t.Errorf("%+v is not known after a restart", who)
		}
	}
}

// A session ends with what it was made of, and only then.
func TestSessionsEndWithTheList(t *testing.T) {
	li, wang := line(t, "li", Operator, "moon over water"), line(t, "wang", Viewer, "moon over water")
	before := list(t, token, li, wang)
	ofLi, ofScreen := before.Seal(Who{"li", Operator}, began), before.Seal(Who{"", Viewer}, began)
	for _, c := range []struct {
		what       string
		list       *List
		li, screen bool
	}{
		{"another user", list(t, token, li, wang, line(t, "zhao", Viewer, "moon over water")), true, true},
		{"wang is gone", list(t, token, li), true, true},
		{"li is gone", list(t, token, wang), false, true},
		{"another role", list(t, token, strings.Replace(li, "operator", "viewer", 1), wang), false, true},
		{"another password", list(t, token, line(t, "li", Operator, "sun over water"), wang), false, true},
		{"another token", list(t, token+"x", li, wang), true, false},
		{"no token", list(t, "", li, wang), true, false},
		{"no users", list(t, token), false, true},
	} {
		_, _, liIn := c.list.Unseal(ofLi, began)
		_, _, screenIn := c.list.Unseal(ofScreen, began)
		if liIn != c.li || screenIn != c.screen {
			t.Errorf("%s: li is in %t, the screen %t", c.what, liIn, screenIn)
		}
	}
}

func TestSessionsAreNotForged(t *testing.T) {
	l := list(t, token, line(t, "li", Operator, "moon over water"), line(t, "wang", Viewer, "moon over water"))
	session := l.Seal(Who{"wang", Viewer}, began)
	parts := strings.Split(session, ".")
	other := strings.Split(l.Seal(Who{"li", Operator}, began), ".")
	later := strings.Split(l.Seal(Who{"wang", Viewer}, began.Add(time.Hour)), ".")
	for _, forged := range []string{
		"", ".", "..", "...", "x", session + "x", session[:len(session)-1], "." + session, session + ".",
		parts[0] + "." + other[1] + "." + parts[2], // of somebody else
		later[0] + "." + parts[1] + "." + parts[2], // longer
		parts[0] + "." + parts[1] + ".",            // without a signature
		parts[0] + ".." + parts[2],                 // of the token
		parts[0] + ".bm9ib2R5." + parts[2],         // of nobody
		strings.ToUpper(session),
	} {
		if who, _, ok := l.Unseal(forged, began); ok {
			t.Errorf("%q is a session of %+v", forged, who)
		}
	}
}

// FuzzUnseal lets nobody make a session out of anything.
func FuzzUnseal(f *testing.F) {
	l, err := NewList(nil, token)
	if err != nil {
		f.Fatal(err)
	}
	good := l.Seal(Who{"", Viewer}, began)
	f.Add("")
	f.Add("1.." + good)
	f.Fuzz(func(t *testing.T, session string) {
		if _, _, ok := l.Unseal(session, began); ok && session != good {
			t.Errorf("%q is a session", session)
		}
	})
}
