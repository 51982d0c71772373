package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"liushui"
)

// ProduceConfig says what is sent where, and how fast.
type ProduceConfig struct {
	Source Source
	Writer liushui.Writer
	Pace   Pace
	// Corrections is the job's; nothing is sent more than half of it after the
	// synced resume point. 0: 1 h, the built-in job's.
	Corrections time.Duration
	ResumeFile  string // empty, or a source that cannot be resumed: each start is a new run
	TopicID     string // of the topic that Writer writes to
	Log         *slog.Logger
}

// Producer sends a source's items in order, at a pace.
type Producer struct {
	c       ProduceConfig
	pacer   pacer
	flights *flights
	items   []Item // not yet sent, of buffer
	buffer  []Item
	drained bool // the source has ended

	resume   resumePoint // as synced
	resuming bool        // resume is kept in a file
	skipped  int64       // items of earlier processes
	syncedAt time.Time

	mu      sync.Mutex
	due     time.Time // of the next item
	sent    int64
	waiting string
	since   time.Time // of waiting
}

const (
	batchItems    = 1024
	syncEvery     = time.Second
	shownWaiting  = time.Second     // shorter waits are not spoken of
	stopFlushTime = 2 * time.Second // for what is under way when told to stop
)

// NewProducer reads the resume point, if one is kept, and puts the source there.
func NewProducer(c ProduceConfig) (*Producer, error) {
	if c.Corrections == 0 {
		c.Corrections = time.Hour
	}
	if c.Pace.Speed > 0 && c.Pace.Rate > 0 {
		return nil, misuse("speed %g and rate %g: want one of them", c.Pace.Speed, c.Pace.Rate)
	}
	p := &Producer{c: c, pacer: pacer{Pace: c.Pace}, flights: newFlights(), buffer: make([]Item, batchItems)}
	if r, ok := c.Source.(resumable); ok && c.ResumeFile != "" && r.Fingerprint() != "" {
		p.resuming = true
		return p, p.takeUp(r)
	}
	return p, nil
}

// takeUp puts the source behind what an earlier process had acknowledged.
func (p *Producer) takeUp(r resumable) error {
	kept, found, err := readResume(p.c.ResumeFile)
	if err != nil {
		return err
	}
	p.resume = resumePoint{TopicID: p.c.TopicID, Fingerprint: r.Fingerprint(), RunStart: r.RunStart()}
	switch {
	case !found:
		return nil
	case kept.TopicID != p.c.TopicID:
		p.c.Log.Warn("the topic is not the one that was written to before: the whole file is sent from its begin", "resume", p.c.ResumeFile)
		return nil
	case kept.Fingerprint != r.Fingerprint():
		p.c.Log.Warn("file, mapping or options have changed since: the whole file is sent from its begin", "resume", p.c.ResumeFile)
		return nil
	}
	if err := r.Resume(kept.RunStart, kept.Items); err != nil {
		return err
	}
	p.resume, p.skipped = kept, kept.Items
	p.c.Log.Info("sending goes on where it stopped", "events", kept.Items, "time", time.UnixMilli(kept.Time).UTC().Format(time.RFC3339))
	return nil
}

// Run sends until the source ends and all is acknowledged (nil), or until ctx
// is done (ctx's error).
func (p *Producer) Run(ctx context.Context) error {
	err := p.run(ctx)
	if ctx.Err() == nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFlushTime)
	defer cancel()
	// What is not acknowledged in this time is sent again by the next run.
	if err := p.c.Writer.Flush(last); err != nil && last.Err() == nil {
		return fmt.Errorf("send events: %w", err)
	}
	return errors.Join(ctx.Err(), p.sync())
}

func (p *Producer) run(ctx context.Context) error {
	if err := p.begin(); err != nil {
		return err
	}
	for {
		if err := p.read(); err != nil {
			return err
		}
		if len(p.items) == 0 {
			return p.finish(ctx)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.keepPoint(); err != nil {
			return err
		}
		if err := p.step(ctx); err != nil {
			return err
		}
	}
}

// begin reads the first items and keeps the point where the run starts.
func (p *Producer) begin() error {
	if err := p.read(); err != nil {
		return err
	}
	if len(p.items) == 0 {
		return nil
	}
	now := time.Now()
	p.pacer.start(now, p.place(&p.items[0], now))
	return p.sync()
}

// read asks the source for more once all it gave is sent.
func (p *Producer) read() error {
	if len(p.items) > 0 || p.drained {
		return nil
	}
	n, err := p.c.Source.Next(p.buffer)
	if errors.Is(err, io.EOF) {
		p.drained = true
		return nil
	}
	p.items = p.buffer[:n]
	return err
}

// place is where an item stands on the clock that the half-corrections rule looks at.
func (p *Producer) place(item *Item, now time.Time) int64 {
	if item.Now {
		return now.UnixMilli()
	}
	return item.At
}

// step sends what is due and allowed, or waits for the next that is.
func (p *Producer) step(ctx context.Context) error {
	now := time.Now()
	due := p.pacer.due(p.items[0].At, 0)
	p.setDue(due, now)
	if due.After(now) {
		p.setWaiting("")
		return p.pause(ctx, due.Sub(now))
	}
	limit := p.resume.Time + p.c.Corrections.Milliseconds()/2
	n := 0
	for n < len(p.items) && p.place(&p.items[n], now) <= limit && !p.pacer.due(p.items[n].At, n).After(now) {
		n++
	}
	if n == 0 {
		return p.unblock(ctx)
	}
	return p.send(ctx, n, now)
}

func (p *Producer) send(ctx context.Context, n int, now time.Time) error {
	b := p.flights.take()
	b.fill(p.items[:n], p.c.Source.Feed(), now.UnixMilli())
	b.first = p.place(&p.items[0], now)
	p.flights.add(b)
	p.setWaiting("Kafka to take more records")
	if err := p.c.Writer.Write(ctx, b.records, func(err error) { p.flights.landed(b, err) }); err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	p.items = p.items[n:]
	p.pacer.count += int64(n)
	p.mu.Lock()
	p.sent, p.waiting = p.sent+int64(n), ""
	p.mu.Unlock()
	return nil
}

// pause waits for a time, but not longer than until a resume point should be kept.
func (p *Producer) pause(ctx context.Context, d time.Duration) error {
	if p.resuming {
		d = min(d, syncEvery)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-p.flights.moved:
	}
	return nil
}

// unblock brings the resume point forward, once what lies behind it is acknowledged.
func (p *Producer) unblock(ctx context.Context) error {
	before := p.resume.Time
	if err := p.sync(); err != nil || p.resume.Time > before {
		return err
	}
	if _, _, flying, _ := p.flights.frontier(); !flying {
		return nil
	}
	p.setWaiting("acknowledgement of what is sent")
	if err := p.c.Writer.Flush(ctx); err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	return p.landing(ctx)
}

// landing waits until a batch has landed since the last look.
func (p *Producer) landing(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.flights.moved:
		return nil
	}
}

// finish waits for all acknowledgements and keeps the end as resume point.
func (p *Producer) finish(ctx context.Context) error {
	p.setDue(time.Time{}, time.Time{})
	p.setWaiting("acknowledgement of what is sent")
	if err := p.c.Writer.Flush(ctx); err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	for {
		_, _, flying, err := p.flights.frontier()
		if err != nil {
			return fmt.Errorf("send events: %w", err)
		}
		if !flying {
			p.setWaiting("")
			return p.sync()
		}
		if err := p.landing(ctx); err != nil {
			return err
		}
	}
}

// keepPoint syncs the resume point every second, and once it has a quarter of
// corrections to gain, so that the rule seldom makes sending wait.
func (p *Producer) keepPoint() error {
	acked, first, flying, err := p.flights.frontier()
	if err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	gain := flying && first-p.resume.Time > p.c.Corrections.Milliseconds()/4
	if gain || p.resuming && p.skipped+acked > p.resume.Items && time.Since(p.syncedAt) >= syncEvery {
		return p.sync()
	}
	return nil
}

// sync moves the resume point to the first item that is not acknowledged.
func (p *Producer) sync() error {
	acked, first, flying, err := p.flights.frontier()
	if err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	point := p.resume
	point.Items = p.skipped + acked
	switch {
	case flying:
		point.Time = first
	case len(p.items) > 0:
		point.Time = p.place(&p.items[0], time.Now())
	}
	if p.resuming && (point != p.resume || p.syncedAt.IsZero()) {
		if err := point.write(p.c.ResumeFile); err != nil {
			return err
		}
	}
	p.resume, p.syncedAt = point, time.Now()
	return nil
}

func (p *Producer) setDue(due, now time.Time) {
	if due.IsZero() {
		due = now
	}
	p.mu.Lock()
	p.due = due
	p.mu.Unlock()
}

func (p *Producer) setWaiting(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting != what {
		p.waiting, p.since = what, time.Now()
	}
}

// Status is what produce's progress record says now.
func (p *Producer) Status() liushui.Produce {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := liushui.Produce{Feed: p.c.Source.Feed(), Time: time.Now().UnixMilli(), Sent: p.sent, TopicID: p.c.TopicID}
	if !p.due.IsZero() {
		s.Due = p.due.UnixMilli()
	}
	if p.waiting != "" && time.Since(p.since) >= shownWaiting {
		s.Waiting = p.waiting
	}
	if w, ok := p.c.Writer.(interface{ Waiting() string }); ok && w.Waiting() != "" {
		s.Waiting = w.Waiting() // it knows better why
	}
	return s
}

// Done is how many items of the run are sent, those of earlier processes
// included, and how many it has; 0: it does not end.
func (p *Producer) Done() (sent, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.skipped + p.sent, p.c.Source.Total()
}
