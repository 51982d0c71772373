package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

// station is one part of the line at work.
type station struct {
	name string
	run  func(ctx context.Context) error // until ctx is done; an earlier nil: its work is finished
	// drained waits until all that there is to do is done. It is asked for when
	// the stations before this one have stopped; nil: when run has returned.
	drained func(ctx context.Context) error
}

// atOnce is for a station that has nothing to finish.
func atOnce(context.Context) error { return nil }

// stopWithin bounds a clean stop. What has not stopped by then is left to the
// next start, which every part survives.
const stopWithin = 4500 * time.Millisecond

// runLine runs the stations until ctx is done, one fails, or, where drain is
// set, all is done. It stops them in their order, so that each one still takes
// what the one before sent last.
func (p *program) runLine(ctx context.Context, drain bool, stations ...station) error {
	active, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	limit := make(chan struct{})
	context.AfterFunc(active, func() { time.AfterFunc(stopWithin, func() { close(limit) }) })

	var started []running
	for _, s := range stations {
		started = append(started, start(ctx, s, fail))
	}
	for _, r := range started {
		if err := r.wait(active, drain); err != nil && active.Err() == nil {
			fail(fmt.Errorf("%s: %w", r.name, err))
		}
		r.cancel()
		select {
		case <-r.done:
		case <-limit:
			return fmt.Errorf("%s did not stop within %s; what it left undone, its next start does", r.name, stopWithin)
		}
	}
	if cause := context.Cause(active); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	for _, r := range started {
		switch err := *r.err; {
		case err == nil, errors.Is(err, context.Canceled):
		case errors.Is(err, context.DeadlineExceeded):
			// Kafka or the database is away. Every part goes on from what was acknowledged.
			p.log.Warn("stopped without an answer; the next start makes good what is missing", "part", r.name, "error", err)
		default:
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return ctx.Err()
}

type running struct {
	station
	cancel context.CancelFunc
	done   chan struct{}
	err    *error // set before done is closed
}

// wait returns when the station may be stopped.
func (r *running) wait(active context.Context, drain bool) error {
	switch {
	case !drain:
		<-active.Done()
	case r.drained != nil:
		return r.drained(active)
	default:
		select {
		case <-r.done:
		case <-active.Done():
		}
	}
	return nil
}

// start runs a station under a context of its own: it stops in its turn, not when ctx does.
func start(ctx context.Context, s station, fail context.CancelCauseFunc) running {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := running{station: s, cancel: cancel, done: make(chan struct{}), err: new(error)}
	go func() {
		defer close(r.done)
		*r.err = s.run(own)
		if *r.err != nil && own.Err() == nil {
			fail(fmt.Errorf("%s: %w", s.name, *r.err))
		}
	}()
	return r
}

// collectAt sets how much the heap may grow, in percent, before it is collected,
// unless the user has said so with GOGC.
func collectAt(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
