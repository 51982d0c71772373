package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// waitingAfter is how long nothing may be acknowledged before a writer looks why.
const waitingAfter = 2 * time.Second

// Waiting says what holds the writer back, in words for people: nothing was
// acknowledged for some seconds because no broker answers, or because an
// embedded broker is full. Empty: nothing does.
func (w *writer) Waiting() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

// sameEvery is how often, in looks, a writer asks whether its topic is still the
// same: Kafka before 4.0 would take records for one that was made again.
const sameEvery = 4

// watch looks twice a second whether the writer waits; it says so once, and
// once when it goes on.
func (w *writer) watch(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	since := time.Time{}
	for look := 1; ; look++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if look%sameEvery == 0 {
			w.checkTopic(ctx)
		}
		why := ""
		if w.stuck() {
			why = w.reason(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		was := w.waiting
		w.waiting = why
		w.mu.Unlock()
		switch {
		case was == "" && why != "":
			since = time.Now()
			w.log.Warn("records wait to be taken", "topic", w.topic, "why", why)
		case was != "" && why == "":
			w.log.Info("records are taken again", "topic", w.topic, "after", time.Since(since).Round(time.Millisecond))
		}
	}
}

func (w *writer) checkTopic(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	if have, err := describe(ctx, w.kafka, w.topic); err == nil && have != nil && have.id != w.id {
		w.fail(otherTopic(w.topic, w.id, have.id))
	}
}

func (w *writer) stuck() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records > 0 && time.Since(w.moved) > waitingAfter
}

func (w *writer) reason(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	have, err := describe(ctx, w.kafka, w.topic)
	if err == nil && have == nil {
		return "topic " + w.topic + " was deleted"
	}
	why := ""
	if err == nil {
		why, err = held(ctx, w.kafka, w.topic)
	}
	if said := verdict(err); said != nil {
		w.fail(said)
	}
	switch {
	case err != nil:
		return silence(err) + ": " + plain(err).Error()
	case why != "":
		return why
	}
	return "Kafka answers, but has not acknowledged anything for " + waitingAfter.String()
}

// silence is what an error of a question means: that nobody answered, or that
// the answer was no help.
func silence(err error) string {
	if said := (*kerr.Error)(nil); errors.As(err, &said) {
		return "Kafka answers with an error"
	}
	return "Kafka does not answer"
}
