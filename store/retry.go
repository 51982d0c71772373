package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"liushui"
)

// Waits between tries while the database is away; how long one may take before
// it is said that the database is slow; and how long it is before a database that
// is away is spoken of again, where it is so for another reason.
const (
	firstWait  = 100 * time.Millisecond
	maxWait    = 5 * time.Second
	slowAfter  = 5 * time.Second
	againAfter = 5 * time.Second
)

// Health is how the store does.
type Health struct {
	Away    bool      // the database does not take results now
	Since   time.Time // since when it is away, or back
	Error   string    // the last error, empty where there was none
	Retries int64     // tries that failed and were made again, by this process
	Rows    int64     // results written by this process
	Unknown int64     // results left out: no job record was seen for them
	Bad     int64     // records left out: they cannot be read
}

type health struct {
	sync.Mutex
	Health
	said   string    // the last error that was logged
	saidAt time.Time // and when
}

// Health is for other goroutines, too.
func (s *Store) Health() Health {
	s.health.Lock()
	defer s.health.Unlock()
	return s.health.Health
}

// retry tries until it works, fails for good, or ctx is done. It says that the
// database is away or slow, and once that it is back.
func (s *Store) retry(ctx context.Context, what string, try func() error) error {
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		err := s.watched(what, try)
		if err == nil {
			s.back()
			return nil
		}
		s.forget()
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
		if !s.passes(err) {
			return s.explain(what, err)
		}
		s.away(err)
		s.countRetry()
		pause := wait/2 + rand.N(wait/2)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// passes reports whether trying again may help: what is lost may be given back.
func (s *Store) passes(err error) bool {
	kind, _ := s.db.judge(err)
	var gone *lost
	return kind == passing || errors.Is(err, errMoved) || errors.As(err, &gone)
}

// watched tries once. Of a try that takes long it says so while it lasts: a
// database that takes connections and gives no answer is no error for a minute.
func (s *Store) watched(what string, try func() error) error {
	said := make(chan struct{})
	slow := time.AfterFunc(slowAfter, func() {
		defer close(said)
		s.away(fmt.Errorf("%s has not ended after %s: the database gives no answer, is slow, or holds rows for somebody else", what, slowAfter))
	})
	err := try()
	if !slow.Stop() {
		<-said
	}
	return err
}

// explain adds what was being done, and how to mend it where that is known.
func (s *Store) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	if kind, mend := s.db.judge(err); kind == mendable {
		return misusef("%s: %v; %s", what, err, mend)
	}
	if _, ok := err.(*misuse); ok {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (s *Store) away(err error) {
	s.health.Lock()
	defer s.health.Unlock()
	s.health.Error = err.Error()
	switch {
	case !s.health.Away:
		s.health.Away, s.health.Since = true, time.Now()
		s.log.Warn("waiting for the database", "database", s.db.String(), "error", err)
	case s.health.Error != s.health.said && time.Since(s.health.saidAt) >= againAfter:
		s.log.Warn("still waiting for the database", "database", s.db.String(), "away", time.Since(s.health.Since).Round(time.Millisecond), "error", err)
	default:
		return
	}
	s.health.said, s.health.saidAt = s.health.Error, time.Now()
}

func (s *Store) countRetry() {
	s.health.Lock()
	defer s.health.Unlock()
	s.health.Retries++
}

func (s *Store) back() {
	s.health.Lock()
	defer s.health.Unlock()
	if s.health.Away {
		s.log.Info("the database is back", "database", s.db.String(), "away", time.Since(s.health.Since).Round(time.Millisecond))
		s.health.Away, s.health.Since = false, time.Now()
	}
}

// skipped counts the records that are left out, and speaks of them at most every 10 s.
type skipped struct {
	log  *slog.Logger
	said time.Time
}

func (k *skipped) say(r *liushui.Record, err error, unknown, bad int64) {
	if time.Since(k.said) < 10*time.Second {
		return
	}
	k.said = time.Now()
	k.log.Warn("left out records of the results topic", "offset", r.Offset, "error", err, "unknown", unknown, "bad", bad)
}
