package kafka

import (
	"log/slog"
	"sync"
	"time"
)

// presence says once when Kafka goes away, and once when it is back, whatever
// the number of readers that notice.
type presence struct {
	log *slog.Logger

	mu    sync.Mutex
	lost  int // readers without an answer
	since time.Time
}

// lose is called by a reader that gets no answer any more.
func (p *presence) lose(topic string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost++; p.lost == 1 {
		p.since = time.Now()
		p.log.Warn(silence(err)+"; waiting for it", "topic", topic, "error", plain(err))
	}
}

// find is called by a reader that lost it: it has an answer again, or ends.
func (p *presence) find(answered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost--; p.lost == 0 && answered {
		p.log.Info("Kafka answers again", "after", time.Since(p.since).Round(time.Millisecond))
	}
}
