package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"liushui"
)

// Outcome is what a simulation has left in the results topic, in its order.
type Outcome struct {
	Job     *liushui.Job
	Results []liushui.Record
}

// Disorder is a deterministic simulation. An engine reads Random's events from
// topics and a disk in memory, by a virtual clock, while it is stopped, killed in
// the middle of a write or of a disk operation, starved of answers and slowed
// down; syncs last, the disk fills up, writes are torn and lost where they were
// not synced, acknowledgements fail, a bit of a checkpoint turns over: all as the
// seed has it. The outcome must be the oracle's. The same seed gives the same.
func Disorder(t *testing.T, engine Engine, seed uint64) (o Outcome) {
	dir := t.TempDir()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one thing after the other
	synctest.Test(t, func(t *testing.T) {
		var err error
		if o, err = disorder(engine, seed, dir); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	})
	return o
}

func disorder(engine Engine, seed uint64, dir string) (o Outcome, err error) {
	job, err := liushui.ParseJob("disorder", RandomJob)
	if err != nil {
		return o, err
	}
	s := newStage(engine, job, dir, 1, seed)
	c := &chaos{stage: s, seed: seed}
	partitions, n := 1+s.random.IntN(4), 50+s.random.IntN(450)
	s.line.Events.Batch([]int{1, 5, 50, 500}[s.random.IntN(4)])
	for i, topic := range []*Topic{s.line.Events, s.line.Results, s.line.DeadLetters} {
		topic.Shuffle(3*seed + uint64(i) + 1)
	}
	c.disturb()
	if err := s.start(); err != nil {
		return o, err
	}
	old := map[Place]bool{}
	for i, event := range Random(seed, n, partitions) {
		if missing := int(event.Partition) + 1 - len(s.line.Events.Ends()); missing > 0 {
			s.line.Events.AddPartitions(missing)
		}
		s.send(event.Partition, event.Record)
		synctest.Wait() // one thing at a time, so that it can be played again
		old[s.sent[i]] = event.Old
		if s.random.IntN(20) == 0 {
			if err := c.strike(); err != nil {
				return o, errors.Join(fmt.Errorf("after %d events: %w", i+1, err), s.stop())
			}
		}
	}
	s.line.Events.HideEnds(false)
	if err := errors.Join(c.recover(), s.settle(), s.stop()); err != nil {
		return o, err
	}
	letters, err := deadLetters(s.line.DeadLetters.All(), GenerationOf(s.line.Results.Records(0), job))
	if err != nil {
		return o, err
	}
	for place := range letters.places("late") {
		if !old[place] {
			return o, fmt.Errorf("%v was parked as late, but was within the bounds when it was sent", place)
		}
	}
	o = Outcome{job, s.line.Results.Records(0)}
	return o, checkLog(o.Results, s.begun, s.forgotten)
}

// chaos is what happens to an engine. What the test's own goroutine does draws
// from the stage's random numbers, what happens to the engine from dice.
type chaos struct {
	*stage
	seed uint64

	mu      sync.Mutex
	dice    *rand.Rand
	moments [lanes]*rand.Rand // how long operations of the disk take
	fault   fault             // that is to come
	after   int               // so many operations of its kind
	struck  chan struct{}
	happens bool
	dir     string // the engine's files after it
	disk    *Disk
	err     error // of copying them
}

// fault is something that ends the engine.
type fault int

const (
	none        fault = iota
	writeCrash        // the machine goes off while records are appended, of which half are
	letterCrash       // the same with dead letters
	diskCrash         // it goes off before an operation of the disk
	writeFails        // records are appended, but their acknowledgement says no
	diskIsFull        // half of a write gets through, and no other until the engine ends
	faultsCount = int(diskIsFull)
)

var (
	errCrash   = errors.New("crash of the test")
	errTimeout = errors.New("the broker did not answer in time")
)

// strike lets one thing happen.
func (c *chaos) strike() error {
	if err := c.recover(); err != nil {
		return err
	}
	switch c.random.IntN(10) {
	case 0:
		return errors.Join(c.stop(), c.start())
	case 1:
		return errors.Join(c.kill(), c.damage(), c.start())
	case 2, 3, 4, 5:
		c.arm()
	case 6:
		c.line.Events.HideEnds(c.random.IntN(2) == 0)
	default:
		laneTest.sleep(time.Duration(c.random.Int64N(4e9)))
	}
	return nil
}

// disturb puts the writes of results and dead letters, and the disk, under chaos' rule.
func (c *chaos) disturb() {
	c.dice = rand.New(rand.NewPCG(c.seed, 4))
	for l := range c.moments {
		c.moments[l] = rand.New(rand.NewPCG(c.seed, uint64(5+l)))
	}
	c.line.Results.OnWrite(c.onWrite(laneResults, c.delays(), writeCrash, writeFails))
	c.line.DeadLetters.OnWrite(c.onWrite(laneDeadLetters, c.delays(), letterCrash))
	c.line.Disk.Before(c.onDisk)
}

// arm lets the engine die of something that is to come.
func (c *chaos) arm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault, c.after = fault(1+c.random.IntN(faultsCount)), c.random.IntN(20)
	c.struck, c.happens = make(chan struct{}), false
	c.dir, c.disk = c.newDir(), c.line.Disk
}

// due reports whether one of some faults happens now, or has happened. mu is held.
func (c *chaos) due(faults ...fault) (now, since bool) {
	if !slices.Contains(faults, c.fault) {
		return false, false
	}
	if c.happens {
		return false, true
	}
	if c.after--; c.after >= 0 {
		return false, false
	}
	c.happens = true
	close(c.struck)
	return true, true
}

// delays are those of a topic's acknowledgements, half of them very short.
func (c *chaos) delays() []time.Duration {
	delays := make([]time.Duration, 16)
	for i := range delays {
		delays[i] = time.Duration(1 + c.random.Int64N([]int64{1e5, 1e8}[i%2]))
	}
	return delays
}

func (c *chaos) onWrite(l lane, delays []time.Duration, faults ...fault) func([]liushui.Record) (int, error) {
	return func(records []liushui.Record) (int, error) {
		l.sleep(delays[0])
		delays = append(delays[1:], delays[0])
		c.mu.Lock()
		defer c.mu.Unlock()
		now, since := c.due(faults...)
		switch {
		case now && c.fault == writeFails:
			return len(records), errTimeout
		case now:
			c.off()
			return len(records) / 2, errCrash
		case since:
			return 0, errTimeout
		}
		return 0, nil
	}
}

func (c *chaos) onDisk(operation, name string) error {
	l := diskLane(operation, name)
	l.sleep(c.moment(l, operation))
	err := c.onDiskNow(operation)
	if err == errCrash {
		l.sleep(1) // who was severed comes to rest before the engine hears of it
	}
	return err
}

func (c *chaos) onDiskNow(operation string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, since := c.due(diskCrash, diskIsFull)
	switch {
	case now && c.fault == diskCrash:
		c.off()
		c.sever()
		return errCrash
	case since && c.fault == diskIsFull && (operation == "write" || operation == "create"):
		return ErrDiskFull
	}
	return nil
}

// diskLane is whose an operation is: journals are written by the loop, and go
// with what a checkpoint no longer needs.
func diskLane(operation, name string) lane {
	switch base := filepath.Base(name); {
	case operation == "remove", strings.HasPrefix(base, "checkpoint"), strings.HasPrefix(base, "ids-"):
		return laneSaving
	case strings.HasPrefix(base, "journal-"):
		return laneEngine
	}
	return laneDirectory
}

// moment is how long an operation of the disk takes: a sync now and then very long.
func (c *chaos) moment(l lane, operation string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if operation == "sync" && c.moments[l].IntN(40) == 0 {
		return time.Duration(c.moments[l].Int64N(6e8))
	}
	return moment(c.moments[l])
}

// off takes the disk as the crash leaves it.
func (c *chaos) off() {
	c.err = copyDir(c.line.Dir, c.dir)
	c.disk = c.line.Disk.Crash(c.dice)
}

// recover ends a fault that was armed, wherever it got to, and starts the
// engine again on what the disk then holds.
func (c *chaos) recover() error {
	c.mu.Lock()
	struck := c.struck
	c.mu.Unlock()
	if struck == nil {
		return nil
	}
	select {
	case <-struck:
	case <-time.After(laneTest.in(5 * time.Second)):
	}
	synctest.Wait() // what the engine still does at this moment comes before what the test does
	c.mu.Lock()
	happened, what := c.happens, c.fault
	if !happened {
		c.fault = none
	}
	c.struck = nil
	c.mu.Unlock()
	if !happened {
		return nil
	}
	if what == diskIsFull || what == writeFails {
		select {
		case err := <-c.ended: // by itself
			c.ended <- err
		case <-time.After(laneTest.in(5 * time.Second)):
		}
		synctest.Wait()
	}
	c.sever()
	_ = c.end() // it may say anything
	c.mu.Lock()
	c.fault = none
	c.mu.Unlock()
	if what != writeFails && what != diskIsFull {
		c.line.Dir, c.line.Disk = c.dir, c.disk
	}
	return errors.Join(c.err, c.damage(), c.start())
}

// damage turns over a bit of the newest of two checkpoints, now and then.
func (c *chaos) damage() error {
	var checkpoints []string
	for _, name := range c.line.Disk.Names() {
		if base := filepath.Base(name); strings.HasPrefix(base, "checkpoint-") && filepath.Ext(base) == "" {
			checkpoints = append(checkpoints, name)
		}
	}
	if len(checkpoints) < 2 || c.random.IntN(3) > 0 {
		return nil
	}
	return c.line.Disk.Flip(checkpoints[len(checkpoints)-1], c.random)
}
