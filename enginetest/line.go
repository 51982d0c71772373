package enginetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing/synctest"
	"time"

	"liushui"
	"liushui/reconcile"
)

// Line is what an engine is started on.
type Line struct {
	Job                          *liushui.Job
	Dir                          string // where it keeps its state, below which Disk has
	Disk                         *Disk  // what it keeps in memory, if it can
	Events, Results, DeadLetters *Topic
}

// OpenEvents reads the events from offsets on; topicID, where not empty, must be
// the topic's, else ErrOtherTopic.
func (l *Line) OpenEvents(_ context.Context, offsets map[int32]int64, topicID string) (liushui.Reader, error) {
	if topicID != "" && topicID != l.Events.ID() {
		return nil, liushui.ErrOtherTopic
	}
	return l.Events.Reader(offsets), nil
}

// OpenResults reads the results from their start; topicID as in OpenEvents.
func (l *Line) OpenResults(_ context.Context, topicID string) (liushui.Reader, error) {
	if topicID != "" && topicID != l.Results.ID() {
		return nil, liushui.ErrOtherTopic
	}
	return l.Results.Reader(nil), nil
}

// Engine runs an engine on a line until ctx is done, then stops it cleanly and
// returns nil or ctx's error. Every run must begin where the one before it in
// the same directory ended.
type Engine func(ctx context.Context, l *Line) error

// stage runs an engine on a line and watches what comes out.
type stage struct {
	engine Engine
	line   Line
	random *rand.Rand
	dirs   string  // holds one directory a life of the engine
	lives  int     // directories made
	sent   []Place // the events in the order in which they were sent

	cancel context.CancelFunc // nil while no engine runs
	ended  chan error
	since  int64 // end of the results when the engine began

	begun     []int64 // ends of the results when an engine began
	forgotten []int64 // ends of the results when the engine lost its state
}

func newStage(engine Engine, job *liushui.Job, dirs string, partitions int, seed uint64) *stage {
	s := &stage{engine: engine, dirs: dirs, random: rand.New(rand.NewPCG(seed, 2)), line: Line{
		Job:         job,
		Disk:        NewDisk(),
		Events:      NewTopic(liushui.TopicEvents, partitions),
		Results:     NewTopic(liushui.TopicResults, 1),
		DeadLetters: NewTopic(liushui.TopicDeadLetters, 1),
	}}
	s.line.Dir = s.newDir()
	return s
}

func (s *stage) newDir() string {
	s.lives++
	return filepath.Join(s.dirs, fmt.Sprintf("life-%d", s.lives))
}

func (s *stage) send(partition int32, r liushui.Record) {
	s.sent = append(s.sent, Place{Partition: partition, Offset: s.line.Events.Append(partition, r)})
}

func (s *stage) start() error {
	if s.cancel != nil {
		return nil
	}
	if err := os.MkdirAll(s.line.Dir, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, line := make(chan error, 1), s.line
	s.cancel, s.ended, s.since = cancel, ended, s.line.Results.Ends()[0]
	s.begun = append(s.begun, s.since)
	go func() { ended <- s.engine(ctx, &line) }()
	synctest.Wait()
	return nil
}

// endsWithin is how long an engine may take to end, by the clock.
const endsWithin = time.Minute

// end cancels the engine and returns what its run returned.
func (s *stage) end() error {
	s.cancel()
	s.cancel = nil
	select {
	case err := <-s.ended:
		synctest.Wait()
		return err
	case <-time.After(endsWithin):
		return fmt.Errorf("the engine did not end within %s", endsWithin)
	}
}

// stop stops the engine cleanly; if it came to say anything, its last progress must say so.
func (s *stage) stop() error {
	if s.cancel == nil {
		return nil
	}
	if err := s.end(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the engine stopped with: %w", err)
	}
	p, err := newestProgress(s.line.Results.Records(0)[s.since:])
	if err == nil && p != nil && !p.Stopped {
		return fmt.Errorf("after a clean stop the last progress record does not say stopped: %+v", p)
	}
	return err
}

// kill ends the engine as a crash would: what is under way is lost, and it goes
// on from the files as they are at this moment.
func (s *stage) kill() error {
	if s.cancel == nil {
		return nil
	}
	dir := s.newDir()
	if err := copyDir(s.line.Dir, dir); err != nil {
		return err
	}
	s.sever()
	s.line.Disk = s.line.Disk.Crash(s.random)
	_ = s.end() // it may say anything
	s.line.Dir = dir
	return nil
}

func (s *stage) sever() {
	s.line.Events.Sever()
	s.line.Results.Sever()
	s.line.DeadLetters.Sever()
}

// copyDir copies files as they are at one moment: again, when they changed
// meanwhile.
func copyDir(from, to string) error {
	for range 1000 {
		before, err := listing(from)
		copied := os.CopyFS(to, os.DirFS(from))
		after, errAfter := listing(from)
		err = errors.Join(err, copied, errAfter)
		if err == nil && after == before {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s never holds still", from)
}

func listing(dir string) (string, error) {
	var list strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			fmt.Fprintln(&list, path, info.Size(), info.ModTime())
		}
		return err
	})
	return list.String(), err
}

// settle waits until the engine has judged all that was sent, its results are
// the oracle's, and one more progress record has told how it stands; after a
// while it says what still differs.
func (s *stage) settle() error {
	const patience = 2 * time.Minute
	var differences []string
	var agreed time.Time
	for begun := time.Now(); time.Since(begun) < patience; laneTest.sleep(100 * time.Millisecond) {
		synctest.Wait()
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("the engine ended by itself: %w", err)
		default:
		}
		var err error
		if !agreed.IsZero() {
			if p, err := newestProgress(s.line.Results.Records(0)); err != nil || p.Time > agreed.UnixMilli() {
				return err
			}
			continue
		}
		if differences, err = s.differences(); err != nil {
			return err
		}
		if differences == nil {
			agreed = time.Now()
		}
	}
	if differences == nil {
		return fmt.Errorf("no further progress record within %s", patience)
	}
	const most = 20
	if len(differences) > most {
		differences = append(differences[:most], fmt.Sprintf("… and %d more", len(differences)-most))
	}
	return fmt.Errorf("after %s the results are not the oracle's:\n  %s", patience, strings.Join(differences, "\n  "))
}

// differences compares results, account and dead letters with the oracle's; nil: there are none.
func (s *stage) differences() ([]string, error) {
	results := s.line.Results.Records(0)
	progress, err := newestProgress(results[s.since:])
	switch {
	case err != nil:
		return nil, err
	case progress == nil || progress.Generation != GenerationOf(results, s.line.Job):
		return []string{"no progress record yet"}, nil
	}
	if behind := s.behind(progress); behind != "" {
		return []string{behind}, nil
	}
	letters, err := deadLetters(s.line.DeadLetters.All(), progress.Generation)
	if err != nil {
		return nil, err
	}
	o, events := Options{Late: letters.places("late"), CompleteFrom: progress.CompleteFrom}, s.events()
	table, account := Batch(s.line.Job, events, o)
	got, err := TableOf(results, s.line.Job)
	if err != nil {
		return nil, err
	}
	lines := Diff(table, got)
	if progress.Account != account {
		lines = append(lines, fmt.Sprintf("account %+v, want %+v", progress.Account, account))
	}
	lines = append(lines, s.diffNewest(progress, events)...)
	lines = append(lines, s.diffCommitted(progress)...)
	return append(lines, s.diffLetters(letters, events, o)...), nil
}

// diffNewest compares what the progress record says of time with the newest accepted events.
func (s *stage) diffNewest(p *liushui.Progress, events []liushui.Record) (lines []string) {
	newest := map[int32]int64{}
	judge(Options{}.computation(s.line.Job), events, func(r liushui.Record, e *reconcile.Event, v Verdict) {
		if v != Bad {
			newest[r.Partition] = max(newest[r.Partition], e.Time)
		}
	})
	all := int64(0)
	for _, part := range p.Partitions {
		all = max(all, newest[part.Partition])
		if part.Newest != newest[part.Partition] {
			lines = append(lines, fmt.Sprintf("the newest event of partition %d is %d, want %d", part.Partition, part.Newest, newest[part.Partition]))
		}
	}
	if p.Newest != all {
		lines = append(lines, fmt.Sprintf("the newest event is %d, want %d", p.Newest, all))
	}
	if p.TopicID != s.line.Events.ID() {
		lines = append(lines, fmt.Sprintf("the topic is %s, want %s", p.TopicID, s.line.Events.ID()))
	}
	return lines
}

// diffCommitted looks for offsets that the engine gave up though it may need them: it
// keeps an older checkpoint, so never those that it has not judged.
func (s *stage) diffCommitted(p *liushui.Progress) (lines []string) {
	committed := s.line.Events.Committed("liushui-" + p.Engine)
	for _, part := range p.Partitions {
		if committed[part.Partition] > part.Offset {
			lines = append(lines, fmt.Sprintf("partition %d: committed %d, judged %d", part.Partition, committed[part.Partition], part.Offset))
		}
	}
	return lines
}

// diffLetters compares what was parked with what should be.
func (s *stage) diffLetters(got letters, events []liushui.Record, o Options) (lines []string) {
	verdicts := Judge(s.line.Job, events, o)
	for _, r := range events {
		place := PlaceOf(r)
		letter, parked := got[place]
		switch v := verdicts[place]; {
		case v == Bad && !parked:
			lines = append(lines, fmt.Sprintf("not parked as bad: %v %.80s", place, r.Value))
		case parked && letter.reason != string(v):
			lines = append(lines, fmt.Sprintf("parked as %s, is %s: %v %.80s", letter.reason, v, place, r.Value))
		case parked && letter.value != string(r.Value):
			lines = append(lines, fmt.Sprintf("parked with another value: %v %.80q, want %.80q", place, letter.value, r.Value))
		}
	}
	return lines
}

// behind says where the engine has not yet come to the end of the events.
func (s *stage) behind(p *liushui.Progress) string {
	ends := s.line.Events.Ends()
	for _, part := range p.Partitions {
		if part.Offset != ends[part.Partition] {
			return fmt.Sprintf("partition %d was judged up to %d of %d", part.Partition, part.Offset, ends[part.Partition])
		}
		delete(ends, part.Partition)
	}
	for partition, end := range ends {
		if end > 0 {
			return fmt.Sprintf("partition %d was not read", partition)
		}
	}
	return ""
}

// events are the records that were sent and are still in the log, in the order of sending.
func (s *stage) events() []liushui.Record {
	byPlace := map[Place]liushui.Record{}
	for _, r := range s.line.Events.All() {
		byPlace[PlaceOf(r)] = r
	}
	var events []liushui.Record
	for _, place := range s.sent {
		if r, held := byPlace[place]; held {
			events = append(events, r)
		}
	}
	return events
}
