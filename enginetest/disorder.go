package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"liushui"
)

// Disorder runs an engine on Random's events while it is stopped, killed in the
// middle of a write, starved of answers and slowed down, all as the seed has
// it, and compares the outcome with the oracle's.
func Disorder(t *testing.T, engine Engine, seed uint64) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		if err := disorder(engine, seed, dir); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	})
}

func disorder(engine Engine, seed uint64, dir string) (err error) {
	job, err := liushui.ParseJob("disorder", RandomJob)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 2))
	partitions := 1 + random.IntN(4)
	s := newStage(engine, job, dir, 1)
	s.line.Events.Batch([]int{1, 5, 50, 500}[random.IntN(4)])
	c := &chaos{stage: s, random: random}
	c.slowDown()
	if err := s.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	old := map[Place]bool{}
	for i, event := range Random(seed, 200+random.IntN(600), partitions) {
		if missing := int(event.Partition) + 1 - len(s.line.Events.Ends()); missing > 0 {
			s.line.Events.AddPartitions(missing)
		}
		s.send(event.Partition, event.Record)
		old[s.sent[i]] = event.Old
		if random.IntN(20) == 0 {
			if err := c.strike(); err != nil {
				return fmt.Errorf("after %d events: %w", i+1, err)
			}
		}
	}
	s.line.Events.HideEnds(false)
	if err := c.recover(); err != nil {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	letters, err := deadLetters(s.line.DeadLetters.All(), GenerationOf(s.line.Results.Records(0), job))
	if err != nil {
		return err
	}
	for place := range letters.places("late") {
		if !old[place] {
			return fmt.Errorf("%v was parked as late, but was within the bounds when it was sent", place)
		}
	}
	return checkLog(s.line.Results.Records(0), s.begun, s.forgotten)
}

// chaos is what happens to an engine.
type chaos struct {
	*stage
	random *rand.Rand

	mu     sync.Mutex
	crash  int           // writes until the crash; 0 = none is to come
	delays []int         // of acknowledgements, ms, in turn
	dir    string        // the engine's files at the crash
	err    error         // of copying them
	struck chan struct{} // closed at the crash
}

var errCrash = errors.New("crash of the test")

// strike lets one thing happen.
func (c *chaos) strike() error {
	if err := c.recover(); err != nil {
		return err
	}
	switch c.random.IntN(8) {
	case 0:
		return errors.Join(c.stop(), c.start())
	case 1:
		return errors.Join(c.kill(), c.start())
	case 2, 3:
		c.armCrash()
	case 4:
		c.line.Events.HideEnds(c.random.IntN(2) == 0)
	default:
		time.Sleep(time.Duration(c.random.IntN(4000)) * time.Millisecond)
	}
	return nil
}

// slowDown puts the writes of results and dead letters under chaos' rule.
func (c *chaos) slowDown() {
	for range 16 {
		c.delays = append(c.delays, max(0, c.random.IntN(200)-100))
	}
	for _, topic := range []*Topic{c.line.Results, c.line.DeadLetters} {
		topic.OnWrite(c.onWrite)
	}
}

func (c *chaos) onWrite(records []liushui.Record) (int, error) {
	c.mu.Lock()
	delay := c.delays[0]
	c.delays = append(c.delays[1:], delay)
	strikes := false
	if c.crash > 0 {
		c.crash--
		strikes = c.crash == 0
	}
	dead := c.struck != nil && c.crash == 0
	if strikes {
		c.err = copyDir(c.line.Dir, c.dir)
		close(c.struck)
	}
	c.mu.Unlock()
	switch {
	case strikes:
		return len(records) / 2, errCrash
	case dead:
		return 0, errCrash
	}
	time.Sleep(time.Duration(delay) * time.Millisecond)
	return 0, nil
}

// armCrash lets the engine die in one of the writes to come.
func (c *chaos) armCrash() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crash, c.dir, c.struck = 1+c.random.IntN(10), c.newDir(), make(chan struct{})
}

// recover ends a crash that was armed, wherever it got to, and starts the
// engine again on the files as they were.
func (c *chaos) recover() error {
	c.mu.Lock()
	struck := c.struck
	c.mu.Unlock()
	if struck == nil {
		return nil
	}
	select {
	case <-struck:
	case <-time.After(5 * time.Second):
	}
	c.mu.Lock()
	happened := c.crash == 0
	c.crash, c.struck = 0, nil
	c.mu.Unlock()
	if !happened {
		return nil
	}
	c.sever()
	_ = c.end() // it may say anything
	c.line.Dir = c.dir
	return errors.Join(c.err, c.start())
}
