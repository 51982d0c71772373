package liushui

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// State says how firm a row is.
type State string

const (
	Provisional State = "provisional"
	Final       State = "final"
	Corrected   State = "corrected" // final, with events that came late
)

// Standing is what the job and progress records of a results topic say, in the
// order of the topic: which job is newest, which generation is shown for which
// window, and what is final. Store, wall and query all judge by it. The zero
// value is ready. It is not for several goroutines at once.
type Standing struct {
	generations map[int64]*generation
	produce     *Produce
	newest      *Progress // the newest progress of any engine
}

type generation struct {
	record   JobRecord
	job      *Job
	progress map[string]*Progress // by engine
	caughtUp bool
}

// RestoreStanding builds a standing again from what a store kept of it: the
// newest job and progress records in the topic's order, and what CaughtUp said.
func RestoreStanding(records []Record, caughtUp []int64) (*Standing, error) {
	s := &Standing{}
	for _, r := range records {
		if err := s.Observe(KindOf(r.Key), r.Value); err != nil {
			return nil, err
		}
	}
	for number, g := range s.generations {
		g.caughtUp = slices.Contains(caughtUp, number)
	}
	return s, nil
}

// Clone is a copy that observes on its own.
func (s *Standing) Clone() *Standing {
	c := &Standing{generations: make(map[int64]*generation, len(s.generations)), produce: s.produce, newest: s.newest}
	for number, g := range s.generations {
		copied := *g
		copied.progress = maps.Clone(g.progress)
		c.generations[number] = &copied
	}
	return c
}

// Observe takes a record of KindJob, KindProgress or KindProduce.
func (s *Standing) Observe(kind RecordKind, value []byte) error {
	switch kind {
	case KindJob:
		var r JobRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return fmt.Errorf("read job record: %w", err)
		}
		return s.observeJob(r)
	case KindProgress:
		var p Progress
		if err := json.Unmarshal(value, &p); err != nil {
			return fmt.Errorf("read progress record: %w", err)
		}
		s.observeProgress(&p)
	case KindProduce:
		var p Produce
		if err := json.Unmarshal(value, &p); err != nil {
			return fmt.Errorf("read produce's progress record: %w", err)
		}
		s.produce = &p
	}
	return nil
}

// observeJob keeps a job record; of two with one generation the first stands.
func (s *Standing) observeJob(r JobRecord) error {
	if held := s.generations[r.Generation]; held != nil && held.job != nil {
		return nil
	}
	job, err := ParseJob("in the results topic", r.Text)
	if err != nil {
		return fmt.Errorf("job record of generation %d: %w", r.Generation, err)
	}
	g := s.generation(r.Generation)
	g.record, g.job = r, job
	s.judgeCaughtUp()
	return nil
}

func (s *Standing) generation(number int64) *generation {
	if s.generations == nil {
		s.generations = map[int64]*generation{}
	}
	g := s.generations[number]
	if g == nil {
		g = &generation{progress: map[string]*Progress{}}
		s.generations[number] = g
	}
	return g
}

func (s *Standing) observeProgress(p *Progress) {
	s.generation(p.Generation).progress[p.Engine] = p
	s.newest = p
	s.judgeCaughtUp()
}

// judgeCaughtUp marks generations whose watermark has reached that of the one
// before. The log that came in another's place may end earlier: there, having
// read it to its end is enough.
func (s *Standing) judgeCaughtUp() {
	before, first := int64(0), true
	for _, number := range s.Generations() {
		g := s.generations[number]
		if !g.caughtUp && (first || len(g.progress) > 0 && g.watermark() >= before || g.record.Replaces != 0 && g.readAll()) {
			g.caughtUp = true
		}
		before, first = max(before, g.watermark()), false
	}
}

func (g *generation) watermark() int64 {
	w := int64(0)
	for _, p := range g.progress {
		w = max(w, p.Watermark)
	}
	return w
}

// readAll reports whether an engine has judged events, and all that there were.
func (g *generation) readAll() bool {
	for _, p := range g.progress {
		if lag, known, _ := p.Lag(); known && lag == 0 && p.Newest > 0 {
			return true
		}
	}
	return false
}

func (g *generation) covers(start int64) bool {
	for _, p := range g.progress {
		if start < p.CompleteFrom {
			return false
		}
	}
	return true
}

// Generations are all that have a job record, lowest first.
func (s *Standing) Generations() []int64 {
	var numbers []int64
	for _, number := range slices.Sorted(maps.Keys(s.generations)) {
		if s.generations[number].job != nil {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// Job is the job of a generation, or nil.
func (s *Standing) Job(number int64) *Job {
	if g := s.generations[number]; g != nil {
		return g.job
	}
	return nil
}

// JobRecord is the record of the newest generation, or nil.
func (s *Standing) JobRecord() *JobRecord {
	numbers := s.Generations()
	if len(numbers) == 0 {
		return nil
	}
	return &s.generations[numbers[len(numbers)-1]].record
}

// Current is the highest caught-up generation, 0 where there is none, and its job.
func (s *Standing) Current() (int64, *Job) {
	numbers := s.Generations()
	for _, number := range slices.Backward(numbers) {
		if g := s.generations[number]; g.caughtUp {
			return number, g.job
		}
	}
	return 0, nil
}

// Shown is the generation whose rows are shown for windows that begin at start:
// the highest that has caught up and covers them; 0 where there is none.
func (s *Standing) Shown(start int64) int64 {
	numbers := s.Generations()
	for _, number := range slices.Backward(numbers) {
		if g := s.generations[number]; g.caughtUp && g.covers(start) {
			return number
		}
	}
	return 0
}

// Superseded reports whether rows of a generation for windows that begin at
// start may be deleted: a higher one is shown there.
func (s *Standing) Superseded(number, start int64) bool { return number < s.Shown(start) }

// CaughtUp are the generations that have caught up with the one before, lowest
// first. Once a generation has, it stays so.
func (s *Standing) CaughtUp() []int64 {
	return slices.DeleteFunc(s.Generations(), func(number int64) bool { return !s.generations[number].caughtUp })
}

// Watermark is the furthest of a generation's engines, ms; 0 = none.
func (s *Standing) Watermark(number int64) int64 {
	if g := s.generations[number]; g != nil {
		return g.watermark()
	}
	return 0
}

// CompleteFrom is the start from which a generation's windows are complete; 0 = all.
func (s *Standing) CompleteFrom(number int64) int64 {
	from := int64(0)
	if g := s.generations[number]; g != nil {
		for _, p := range g.progress {
			from = max(from, p.CompleteFrom)
		}
	}
	return from
}

// Progress returns the newest progress of any engine, or nil.
func (s *Standing) Progress() *Progress { return s.newest }

// Engines returns the newest progress of each engine of a generation, by name.
func (s *Standing) Engines(number int64) []*Progress {
	g := s.generations[number]
	if g == nil {
		return nil
	}
	var all []*Progress
	for _, name := range slices.Sorted(maps.Keys(g.progress)) {
		all = append(all, g.progress[name])
	}
	return all
}

// Produce returns produce's newest progress, or nil.
func (s *Standing) Produce() *Produce { return s.produce }

// Ended reports whether the input has ended for a generation: an engine of it
// stands exactly at the end offsets of the producer's ended.
func (s *Standing) Ended(number int64) bool {
	g := s.generations[number]
	if g == nil || s.produce == nil || len(s.produce.Ended) == 0 {
		return false
	}
	for _, p := range g.progress {
		if p.TopicID == s.produce.TopicID && endsAt(p, s.produce.Ended) {
			return true
		}
	}
	return false
}

func endsAt(p *Progress, ended map[string]int64) bool {
	if len(p.Partitions) != len(ended) {
		return false
	}
	for _, part := range p.Partitions {
		if end, ok := ended[strconv.Itoa(int(part.Partition))]; !ok || end != part.Offset {
			return false
		}
	}
	return true
}

// State is how firm a result of this generation is.
func (s *Standing) State(r *Result) State {
	if s.Watermark(r.Generation) < r.End && !s.Ended(r.Generation) {
		return Provisional
	}
	if r.Late > 0 {
		return Corrected
	}
	return Final
}
