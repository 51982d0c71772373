package wall

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"liushui"
)

// board is what the wall knows: the standing of the results topic, and of each
// generation that is or may come to be shown the results that have a place on
// the wall. It is not for several goroutines at once.
type board struct {
	standing   *liushui.Standing
	generation int64 // shown; 0 = none
	shelves    map[int64]*shelf
	accounts   accounts

	next    int64 // offset of the next record, -1 = not to be checked
	newest  int64 // offset of the newest record seen, -1 = none
	marks   marks
	missing bool // the log has lost records that were needed
	reload  bool // the shown generation changed: what a store has of it is wanted
}

func newBoard() *board {
	return &board{standing: &liushui.Standing{}, shelves: map[int64]*shelf{}, newest: -1}
}

// apply takes one record of the results topic. An error speaks of this record
// alone, which is then left out.
func (b *board) apply(r *liushui.Record) error {
	if b.next >= 0 && r.Offset > b.next {
		b.missing = true
	}
	if b.next >= 0 {
		b.next = max(b.next, r.Offset+1)
	}
	b.newest = max(b.newest, r.Offset)
	b.marks.add(r.Offset, r.Time)
	switch kind := liushui.KindOf(r.Key); kind {
	case liushui.KindResult:
		return b.applyResult(r)
	case liushui.KindUnknown:
		return fmt.Errorf("record at offset %d: unknown key %.60q", r.Offset, r.Key)
	default:
		if err := b.standing.Observe(kind, r.Value); err != nil {
			return fmt.Errorf("record at offset %d: %w", r.Offset, err)
		}
		b.observed(kind)
		return nil
	}
}

func (b *board) applyResult(r *liushui.Record) error {
	if !b.wants(r.Key) {
		return nil
	}
	result, err := liushui.DecodeResult(r.Value, b.standing.Job)
	if errors.Is(err, liushui.ErrUnknownJob) {
		b.missing = true // its job record was before what the log still holds
	}
	if err != nil {
		return fmt.Errorf("record at offset %d: %w", r.Offset, err)
	}
	b.put(result)
	return nil
}

func (b *board) put(r *liushui.Result) {
	if s := b.shelves[r.Generation]; s != nil {
		s.put(r)
	}
}

// wants tells by its key whether a result can have a place on the wall, so that
// the others, which are nearly all, are not decoded.
func (b *board) wants(key []byte) bool {
	statistic, rest := cutName(key)
	window, rest := cutName(rest)
	switch string(statistic) {
	case statActivity, statCategory, statProvince:
		return string(window) == windowDay
	case statSales:
	default:
		return false
	}
	if string(window) == windowDay {
		return true
	}
	if !slices.Contains(curveWindows[:], string(window)) {
		return false
	}
	text, _ := cutName(rest)
	start, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return true // let the decoder complain
	}
	return b.reaches(string(window), start)
}

// cutName cuts the next name off a result's key: ["a","b",… gives a and ,"b",…
func cutName(key []byte) (name, rest []byte) {
	if len(key) < 2 {
		return nil, nil
	}
	name, rest, _ = bytes.Cut(key[2:], []byte{'"'})
	return name, rest
}

// reaches reports whether a window is near enough to the newest event of any
// generation for the curve.
func (b *board) reaches(window string, start int64) bool {
	oldest := int64(math.MaxInt64)
	for _, s := range b.shelves {
		if c := s.curves[window]; c != nil {
			oldest = min(oldest, s.newest-reach(c.window))
		}
	}
	if start >= oldest {
		return true
	}
	for _, s := range b.shelves {
		if c := s.curves[window]; c != nil {
			c.saw(start)
		}
	}
	return false
}

// observed follows the standing after a job or progress record.
func (b *board) observed(kind liushui.RecordKind) {
	if kind == liushui.KindProduce {
		return
	}
	current, _ := b.standing.Current()
	for _, number := range b.standing.Generations() {
		if b.shelves[number] == nil && number >= b.oldest(current) {
			b.shelves[number] = newShelf(b.standing.Job(number))
		}
		if s := b.shelves[number]; s != nil {
			for _, p := range b.standing.Engines(number) {
				s.moved(p.Time, p.Newest)
				b.accounts.take(p)
			}
		}
	}
	if current != b.generation {
		b.generation, b.reload = current, true
		maps.DeleteFunc(b.shelves, func(number int64, _ *shelf) bool { return number < b.oldest(current) })
	}
}

// oldest is the lowest generation that is of use while current is shown: lower
// ones only where current does not cover all windows.
func (b *board) oldest(current int64) int64 {
	if b.standing.CompleteFrom(current) == 0 {
		return current
	}
	numbers := b.standing.Generations()
	at := slices.Index(numbers, current)
	return numbers[max(0, at-1)]
}

// shown is the generation shown for windows that begin at start, 0 = none.
func (b *board) shown(start int64) int64 {
	if start >= b.standing.CompleteFrom(b.generation) {
		return b.generation
	}
	return b.standing.Shown(start)
}

// state is how firm a result is, or where r is nil a window of a generation in
// which nothing happened.
func (b *board) state(r *liushui.Result, generation, end int64) liushui.State {
	if r == nil {
		r = &liushui.Result{Generation: generation, End: end}
	}
	return b.standing.State(r)
}

// furthest is the newest progress of the engine whose data are the freshest in
// the shown generation, or nil.
func (b *board) furthest() *liushui.Progress {
	var best *liushui.Progress
	var bestTime int64
	for _, p := range b.standing.Engines(b.generation) {
		at := p.Judged
		if lag, known, _ := p.Lag(); known && lag == 0 || p.Judged == 0 {
			at = max(at, p.Time)
		}
		if best == nil || at > bestTime {
			best, bestTime = p, at
		}
	}
	return best
}
