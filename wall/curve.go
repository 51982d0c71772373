package wall

import (
	"math"
	"slices"
	"strconv"

	"liushui"
)

// paceOver is the span of clock that the pace of event time is measured over, ms.
const paceOver = 15_000

// The curve takes the smallest window of which at most passLimit pass in a
// second of clock. Around that, it stays with the one it has.
const (
	passLimit = 5.0
	passStay  = 6.0
	passEnter = 4.0
)

// fewResults is how many windows with results make a size worth showing while
// the pace is unknown.
const fewResults = 30

// passing is how much event time passes in a unit of clock, 0 while unknown.
func (s *shelf) passing() float64 {
	if len(s.paces) < 2 {
		return 0
	}
	first, last := s.paces[0], s.paces[len(s.paces)-1]
	return float64(last.newest-first.newest) / float64(last.clock-first.clock)
}

// chooseWindow picks the curve's window; held is the one shown so far.
func (s *shelf) chooseWindow(held string) *series {
	var sizes []*series
	for _, name := range curveWindows {
		if c := s.curves[name]; c != nil {
			sizes = append(sizes, c)
		}
	}
	passing := s.passing()
	switch {
	case len(sizes) == 0:
		return nil
	case passing == 0:
		return chooseByResults(sizes, s.curves[held])
	}
	for _, c := range sizes {
		limit := passLimit
		switch shown := s.curves[held]; {
		case shown == c:
			limit = passStay
		case shown != nil && c.window.Size < shown.window.Size:
			limit = passEnter
		}
		if passing*1000/float64(c.window.Size) <= limit {
			return c
		}
	}
	return sizes[len(sizes)-1]
}

// chooseByResults picks a window while the pace is unknown, as it is of a replay
// that ended before the wall began.
func chooseByResults(sizes []*series, held *series) *series {
	if held != nil {
		return held
	}
	for _, c := range sizes {
		if len(c.held) >= fewResults {
			return c
		}
	}
	return sizes[0]
}

// point is a window on the curve, with its JSON.
type point struct {
	start  int64
	result *liushui.Result // nil: nothing happened in it
	state  liushui.State
	text   []byte
}

// curve is the drawn series.
type curve struct {
	window    liushui.Window
	watermark int64
	points    []point // ascending
}

// drawCurve walks back from the newest event over the windows to show. Points
// that did not change since the last drawing keep their text.
func (b *board) drawCurve(last *curve) *curve {
	s := b.shelves[b.generation]
	if s == nil || s.newest == 0 {
		return &curve{}
	}
	c := s.chooseWindow(last.window.Name)
	if c == nil {
		return &curve{}
	}
	drawn := &curve{window: c.window, watermark: b.standing.Watermark(b.generation)}
	var old []point
	if last.window.Name == c.window.Name {
		old = last.points
	}
	s.empty = max(s.empty, b.emptyUntil(s))
	first, at := b.first(c.window.Name), s.newest
	for n := 0; n < curveKeep && at >= first; n++ {
		start, end := s.calendar.Span(c.window, at)
		at = start - 1
		for len(old) > 0 && old[len(old)-1].start > start {
			old = old[:len(old)-1]
		}
		p, from := b.point(c.window.Name, start, end)
		switch {
		case from == nil || from.sales == nil || p.result == nil && end > s.empty:
			continue
		case len(old) > 0 && old[len(old)-1].same(&p):
			p.text = old[len(old)-1].text
		default:
			p.text = p.appendJSON(from.sales)
		}
		drawn.points = append(drawn.points, p)
	}
	slices.Reverse(drawn.points)
	return drawn
}

// emptyUntil is the event time up to which a window without a result is empty:
// the newest event, or the watermark while the engine is behind and may hold
// results back.
func (b *board) emptyUntil(s *shelf) int64 {
	p := b.furthest()
	if p == nil {
		return 0
	}
	if lag, known, _ := p.Lag(); (!known || lag > 0) && p.Time-p.Judged > 1000 {
		return b.standing.Watermark(b.generation)
	}
	return s.newest
}

// first is the start of the earliest window of a size that is known to have had a result.
func (b *board) first(window string) int64 {
	first := int64(math.MaxInt64)
	for number, s := range b.shelves {
		if c := s.curves[window]; number <= b.generation && c != nil && c.first != 0 {
			first = min(first, c.first)
		}
	}
	return first
}

// point finds the shown result of a window, and the shelf it is from: nil where
// no generation covers the window.
func (b *board) point(window string, start, end int64) (point, *shelf) {
	shown := b.shown(start)
	s := b.shelves[shown]
	if s == nil {
		return point{}, nil
	}
	p := point{start: start}
	if c := s.curves[window]; c != nil {
		p.result = c.held[start]
	}
	p.state = b.state(p.result, shown, end)
	return p, s
}

// same reports whether p and q show the same.
func (p *point) same(q *point) bool {
	return p.start == q.start && p.result == q.result && p.state == q.state
}

func (p *point) appendJSON(c *columns) []byte {
	text := strconv.AppendInt([]byte(`{"t":`), p.start, 10)
	text = append(text, `,"v":`...)
	f := c.read(p.result)
	text = f.appendJSON(text)
	text = append(text, `,"s":"`...)
	text = append(text, p.state...)
	return append(text, `"}`...)
}

// appendJSON writes the section: all points, or those that changed since last.
func (c *curve) appendJSON(text []byte, points []point, reset bool) []byte {
	text = append(text, `{"window":"`...)
	text = append(text, c.window.Name...)
	text = append(text, `","step":`...)
	text = strconv.AppendInt(text, c.window.Size, 10)
	text = append(text, `,"keep":`...)
	text = strconv.AppendInt(text, curveKeep, 10)
	text = append(text, `,"watermark":`...)
	text = strconv.AppendInt(text, c.watermark, 10)
	text = append(text, `,"reset":`...)
	text = strconv.AppendBool(text, reset)
	text = append(text, `,"points":[`...)
	for i := range points {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, points[i].text...)
	}
	return append(text, "]}"...)
}

// changed are the points of c that last has not, or has otherwise; with reset
// they are all points, as last cannot be amended.
func (c *curve) changed(last *curve) (points []point, reset bool) {
	if c.window.Name != last.window.Name {
		return c.points, true
	}
	old := last.points
	for len(c.points) > 0 && len(old) > 0 && old[0].start < c.points[0].start {
		old = old[1:] // left the curve
	}
	for i := range c.points {
		p := &c.points[i]
		switch {
		case len(old) == 0 || old[0].start > p.start:
			points = append(points, *p)
		case old[0].start < p.start:
			return c.points, true // one is no longer shown
		default:
			if !old[0].same(p) {
				points = append(points, *p)
			}
			old = old[1:]
		}
	}
	if len(old) > 0 {
		return c.points, true
	}
	return points, false
}
