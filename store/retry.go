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

// Waits between tries while the database is away.
const (
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
)

// Health is how the store does.
type Health struct {
	Away    bool      // the database does not take results now
	Since   time.Time // since when it is away, or back
	Error   string    // the last error, empty where there was none
	Rows    int64     // results written by this process
	Unknown int64     // results left out: no job record was seen for them
	Bad     int64     // records left out: they cannot be read
}

type health struct {
	sync.Mutex
	Health
}

// Health is for other goroutines, too.
func (s *Store) Health() Health {
	s.health.Lock()
	defer s.health.Unlock()
	return s.health.Health
}

// retry tries until it works, fails for good, or ctx is done. It says once that
// the database is away, and once that it is back.
func (s *Store) retry(ctx context.Context, what string, try func() error) error {
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		err := try()
		if err == nil {
			s.back()
			return nil
		}
		s.forget()
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
		if kind, _ := s.db.judge(err); kind != passing && !errors.Is(err, errMoved) {
			return s.explain(what, err)
		}
		s.away(err)
		pause := wait/2 + rand.N(wait/2)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-time.After(pause):
		}
	}
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
	if !s.health.Away {
		s.health.Away, s.health.Since = true, time.Now()
		s.log.Warn("waiting for the database", "database", s.db.String(), "error", err)
	}
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
