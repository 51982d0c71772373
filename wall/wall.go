// Package wall shows the results: the board (what the wall knows of the topic of
// results), live frames of it to any number of viewers, the page, and the HTTP
// API over the store's history.
package wall

import (
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"liushui"
	"liushui/wall/access"
)

// tickEvery is the time between two frames.
const tickEvery = 500 * time.Millisecond

// Config is what a wall needs. The zero value is a wall without history.
type Config struct {
	History     liushui.History // rows and position of a store; nil: none
	Version     string          // of the program, shown and part of the build's name
	ExpectEvery time.Duration   // a live feed without an event for this long is an alarm; 0: never
	Hosts       []string        // names besides localhost that a wall on a loopback address answers to, as behind a proxy
	Access      *access.List    // who is let in; nil: everybody
	Certificate *Certificate    // the wall speaks TLS with it; nil: it does not
	MaxViewers  int             // of the live stream at once; 0: 20,000
	Retries     func() int64    // what did not work with Kafka and was tried again, for /metrics; nil: not told
	Log         *slog.Logger    // nil: slog.Default()
}

// Wall is the big screen's server. Load, Apply, Sample, Run, Serve and the
// handler may be used by several goroutines at once.
type Wall struct {
	config Config
	log    *slog.Logger
	hub    hub
	assets map[string]*asset
	tries  access.Tries
	sample sample
	viewer viewers
	meters meters

	loginPage *template.Template
	crossing  http.CrossOriginProtection

	mu      sync.Mutex // over what follows
	board   *board
	store   storeState
	artist  artist
	loaded  bool
	skipped bool // a record could not be read, and this was said
}

// New returns a wall. The caller then calls Load, hands over records with Apply
// and Sample, and runs Run and Serve.
func New(c Config) (*Wall, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.MaxViewers == 0 {
		c.MaxViewers = 20_000
	}
	assets, build, err := readAssets()
	if err != nil {
		return nil, fmt.Errorf("read the wall's page: %w", err)
	}
	login, err := readLogin()
	if err != nil {
		return nil, fmt.Errorf("read the page of the login: %w", err)
	}
	w := &Wall{config: c, log: c.Log, assets: assets, loginPage: login, board: newBoard()}
	w.hub.epoch = strconv.FormatInt(time.Now().UnixMilli(), 36)
	w.hub.build = c.Version + "-" + build
	w.artist = artist{hub: &w.hub, curve: &curve{}}
	w.viewer.closing = make(chan struct{})
	w.store.word = "none"
	if c.History == nil {
		w.board.missing = true
	}
	w.meters.register(w)
	w.tick()
	return w, nil
}

// Apply takes records of the topic of results, in its order. A record that
// cannot be read is counted, named once in the log, and left out.
func (w *Wall) Apply(records []liushui.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range records {
		w.meters.records.Inc()
		if err := w.board.apply(&records[i]); err != nil {
			w.meters.unreadable.Inc()
			if !w.skipped {
				w.skipped = true
				w.log.Warn("a record of results is left out, as others like it will be", "error", err)
			}
		}
	}
}

// Sample takes records of the tail of the events, for the list of the newest
// orders. It looks at some of them.
func (w *Wall) Sample(records []liushui.Record) { w.sample.take(records) }

// Run makes a frame every half second and watches the store, until ctx is done.
// Then it ends all live streams.
func (w *Wall) Run(ctx context.Context) error {
	defer w.viewer.close()
	var watcher sync.WaitGroup
	if w.config.History != nil {
		watcher.Go(func() { w.watchStore(ctx) })
	}
	defer watcher.Wait()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			w.tick()
		}
	}
}

// tick publishes the next frame.
func (w *Wall) tick() {
	orders := w.sample.view()
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now().UnixMilli()
	drawn := w.board.draw(now, w.config.ExpectEvery, w.store, orders)
	w.artist.publish(now, drawn, w.board.drawCurve(w.artist.curve))
}
