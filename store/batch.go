package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"liushui"
)

// A batch is what records of the results topic come to: of each cell the newest
// result, of each job and progress the newest record, and the standing after them.
type batch struct {
	standing *liushui.Standing
	keep     *keeper
	kept     map[keptKey]keptRecord
	targets  map[targetKey]*cells
	id       []byte // of a cell, used again and again

	unknown, bad int64
	wrong        *liushui.Record // the first one left out
	wrongReason  error
}

type keptKey struct {
	generation int64
	key        string
}

type keptRecord struct {
	offset int64
	value  []byte
}

type targetKey struct {
	generation int64
	statistic  string
}

// cells are the results of one generation and statistic.
type cells struct {
	statistic  *liushui.Statistic
	job        *liushui.Job
	superseded int64 // from this start on a higher generation is shown
	index      map[string]int
	results    []*liushui.Result

	corrections map[*liushui.Result]*correction // of results
}

func newBatch(standing *liushui.Standing, keep *keeper) *batch {
	return &batch{standing: standing, keep: keep, kept: map[keptKey]keptRecord{}, targets: map[targetKey]*cells{}}
}

// add takes a record. One that cannot be used is counted.
func (b *batch) add(r *liushui.Record) {
	var err error
	switch kind := liushui.KindOf(r.Key); kind {
	case liushui.KindResult:
		err = b.addResult(r)
	case liushui.KindJob, liushui.KindProgress, liushui.KindProduce:
		err = b.addKept(kind, r)
	default:
		err = errors.New("a record of an unknown kind")
	}
	if err == nil {
		return
	}
	if errors.Is(err, liushui.ErrUnknownJob) {
		b.unknown++
	} else {
		b.bad++
	}
	if b.wrong == nil {
		b.wrong, b.wrongReason = r, err
	}
}

// addKept observes a job or progress record. Of two job records of a generation the first is kept.
func (b *batch) addKept(kind liushui.RecordKind, r *liushui.Record) error {
	var of struct {
		Generation int64
		Engine     string
	}
	if err := json.Unmarshal(r.Value, &of); err != nil {
		return fmt.Errorf("read %s: %w", r.Key, err)
	}
	key := keptKey{of.Generation, string(r.Key)}
	switch kind {
	case liushui.KindJob:
		if b.standing.Job(of.Generation) != nil {
			return nil
		}
	case liushui.KindProgress:
		key.key = liushui.ProgressKey(of.Engine)
		if len(of.Engine) > maxEngine {
			return fmt.Errorf("the engine's name has more than %d bytes", maxEngine)
		}
	case liushui.KindProduce:
		key.generation = 0
	}
	if !utf8.Valid(r.Value) {
		return fmt.Errorf("%s is not valid UTF-8", r.Key)
	}
	if err := b.standing.Observe(kind, r.Value); err != nil {
		return err
	}
	b.kept[key] = keptRecord{r.Offset, r.Value}
	for of, c := range b.targets {
		c.superseded = supersededFrom(b.standing, of.generation)
	}
	return nil
}

func (b *batch) addResult(r *liushui.Record) error {
	result, err := liushui.DecodeResult(r.Value, b.standing.Job)
	if err != nil {
		return err
	}
	c := b.target(result)
	if err := check(result, c.statistic); err != nil {
		return err
	}
	if result.Start >= c.superseded || b.keep.dropped(result.Generation, result.Window, result.Start) {
		return nil
	}
	b.id = result.AppendKey(b.id[:0])
	i, ok := c.index[string(b.id)]
	switch {
	case !ok:
		c.index[string(b.id)] = len(c.results)
		c.results = append(c.results, result)
		c.correct(result, nil, r.Time)
	case result.Newer(c.results[i]):
		c.correct(result, c.results[i], r.Time)
		c.results[i] = result
	}
	return nil
}

// correct notes that a result changes a row after it was final. before is the
// result of the same cell whose place it takes in the batch, or nil.
func (c *cells) correct(r, before *liushui.Result, time int64) {
	held := c.corrections[before]
	delete(c.corrections, before)
	if !corrects(r) {
		return
	}
	if held == nil {
		held = &correction{first: before, at: time}
	}
	if c.corrections == nil {
		c.corrections = map[*liushui.Result]*correction{}
	}
	held.last = time
	c.corrections[r] = held
}

func (b *batch) target(r *liushui.Result) *cells {
	key := targetKey{r.Generation, r.Statistic}
	c := b.targets[key]
	if c == nil {
		job := b.standing.Job(r.Generation)
		c = &cells{statistic: job.Statistic(r.Statistic), job: job, superseded: supersededFrom(b.standing, r.Generation), index: map[string]int{}}
		b.targets[key] = c
	}
	return c
}

// maxEngine is the longest name of an engine, in bytes.
const maxEngine = 64

// check refuses a result that its table could not hold as it is.
func check(r *liushui.Result, s *liushui.Statistic) error {
	if _, ok := s.Window(r.Window); !ok {
		return fmt.Errorf("result of %s has the window %.20q, which its job does not have", s.Name, r.Window)
	}
	switch {
	case r.Start < 0 || r.Start >= r.End || r.End > maxTime:
		return fmt.Errorf("result of %s is of a time from %d to %d", s.Name, r.Start, r.End)
	case r.Version < 0 || r.Repair < 0 || r.Late < liushui.LateUnknown:
		return fmt.Errorf("result of %s has version %d, repair %d, late %d", s.Name, r.Version, r.Repair, r.Late)
	case len(r.Engine) > maxEngine:
		return fmt.Errorf("result of %s: the engine's name has more than %d bytes", s.Name, maxEngine)
	}
	for i, k := range r.Key {
		if len(k) > liushui.MaxDimension && utf8.RuneCountInString(k) > liushui.MaxDimension {
			return fmt.Errorf("result of %s: %s has more than %d characters", s.Name, s.By[i], liushui.MaxDimension)
		}
	}
	return nil
}

// maxTime is the last time that all databases can show: the end of the year 9999.
const maxTime = 253402300799000

// sorted are the results in the order of their table's key, which databases like best.
func (c *cells) sorted(t *table) []*liushui.Result {
	places := make([]int, len(t.fields))
	for i, field := range t.fields {
		places[i] = slices.Index(c.statistic.By, field)
	}
	slices.SortFunc(c.results, func(a, b *liushui.Result) int {
		if n := strings.Compare(a.Window, b.Window); n != 0 {
			return n
		}
		if a.Start != b.Start {
			if a.Start < b.Start {
				return -1
			}
			return 1
		}
		for _, i := range places {
			if n := strings.Compare(a.Key[i], b.Key[i]); n != 0 {
				return n
			}
		}
		return 0
	})
	return c.results
}
