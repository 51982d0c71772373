package wall

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"liushui"
)

// paced is a shelf that has seen event time pass at a pace.
func paced(t *testing.T, job string, pace float64) *shelf {
	t.Helper()
	s := newShelf(newLineOf(t, 0, job).job)
	for second := range int64(20) {
		s.moved(evening+second*1000, evening+int64(float64(second*1000)*pace))
	}
	return s
}

func shopJob(t *testing.T) string {
	t.Helper()
	text, ok := liushui.BuiltinJob(liushui.DefaultJob)
	if !ok {
		t.Fatal("no built-in job")
	}
	return text
}

func TestCurveWindowFollowsThePace(t *testing.T) {
	shop := shopJob(t)
	onlyMinutes := strings.Replace(shop, "[1s, 1m, 1h, 1d]\n    measures: &sales", "[1m, 1d]\n    measures: &sales", 1)
	onlyDays := strings.Replace(shop, "[1s, 1m, 1h, 1d]\n    measures: &sales", "[1d]\n    measures: &sales", 1)
	for _, c := range []struct {
		job  string
		pace float64
		held string
		want string
	}{
		{shop, 1, "", "1s"}, {shop, 5, "", "1s"}, {shop, 5.1, "", "1m"}, {shop, 60, "", "1m"}, {shop, 300, "", "1m"},
		{shop, 301, "", "1h"}, {shop, 3600, "", "1h"}, {shop, 1e6, "", "1h"},
		{shop, 5.5, "1s", "1s"}, {shop, 6.1, "1s", "1m"}, {shop, 4.5, "1m", "1m"}, {shop, 3.9, "1m", "1s"}, // it does not flap
		{shop, 290, "1h", "1h"}, {shop, 230, "1h", "1m"}, {shop, 1, "1h", "1s"},
		{onlyMinutes, 1, "", "1m"}, {onlyMinutes, 3600, "", "1m"}, {onlyDays, 1, "", ""},
	} {
		got := ""
		if s := paced(t, c.job, c.pace).chooseWindow(c.held); s != nil {
			got = s.window.Name
		}
		if got != c.want {
			t.Errorf("at pace %v, after %q: %q, want %q", c.pace, c.held, got, c.want)
		}
	}
}

func TestPaceIsOfTheLastSeconds(t *testing.T) {
	s := paced(t, shopJob(t), 3600) // catching up
	at, newest := s.paces[len(s.paces)-1].clock, s.newest
	for second := range int64(20) {
		s.moved(at+second*1000+1000, newest+second*1000+1000)
	}
	if p := s.passing(); p < 0.99 || p > 1.01 {
		t.Errorf("20 s after a catch-up the pace is %v, want 1", p)
	}
	s.moved(at+600_000, newest+600_000) // after a silence
	if p := s.passing(); p < 0.9 || p > 1.1 {
		t.Errorf("after a silence the pace is %v, want 1", p)
	}
}

// curveOf is a board's curve in words: a payment count or - for a point in which
// nothing happened, from the first point on; a gap is a blank; * is firm.
func curveOf(c *curve, columns *columns) string {
	var words []string
	last := int64(0)
	for _, p := range c.points {
		for last != 0 && p.start > last+c.window.Size {
			last += c.window.Size
			words = append(words, "")
		}
		last = p.start
		word := "-"
		if p.result != nil {
			f := columns.read(p.result)
			word = fmt.Sprint(f[2].N)
		}
		if p.state != liushui.Provisional {
			word += "*"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestCurveFillsOnlyWhatIsKnownToBeEmpty(t *testing.T) {
	l := newLine(t, evening)
	pay := func(second int64) {
		l.fold(liushui.Event{ID: fmt.Sprint(l.partition), Type: "pay", Time: evening + second*1000 + 500, User: "u", Amount: 1, HasAmount: true})
	}
	view := func(second int64) {
		l.fold(liushui.Event{ID: fmt.Sprint(l.partition), Type: "view", Time: evening + second*1000 + 500, User: "u"})
	}
	b := newBoard()
	c := &curve{}
	step := func(want string, edit ...func(*liushui.Progress)) {
		t.Helper()
		l.clock += 1000
		l.progress(edit...)
		apply(t, b, l.take())
		drawn := b.drawCurve(c)
		if got := curveOf(drawn, b.shelves[b.generation].sales); got != want {
			t.Errorf("the curve is %q, want %q", got, want)
		}
		c = drawn
	}
	behind := func(p *liushui.Progress) {
		lag := int64(500)
		p.Partitions[0].Lag, p.Judged = &lag, p.Time-3000
	}
	l.sendJob()
	step("")
	view(0)
	step("") // no sale was ever: there is no curve to draw
	pay(2)
	step("1")
	view(5)
	step("1 - -") // second 5 is still filling: it is not known to be empty
	pay(5)
	step("1 - - 1")
	pay(8)
	pay(8)
	step("1 - - 1 - - 2")
	pay(11)
	step("1 - - 1 - - 2   1", behind) // results between may be held back
	step("1 - - 1 - - 2 - - 1")
	pay(14)
	step("1* -* - 1 - - 2 - - 1   1", behind) // the watermark is at 4.5
	l.newest += 9_000
	step("1* -* -* 1* -* -* 2* -* -* 1* -*  1", func(p *liushui.Progress) { behind(p) })
}

func TestCurveKeepsItsLength(t *testing.T) {
	l := newLine(t, evening)
	b := newBoard()
	l.sendJob()
	c := &curve{}
	for second := range int64(2 * curveKeep) {
		l.clock = evening + second*1000
		l.fold(liushui.Event{ID: fmt.Sprint(second), Type: "pay", Time: l.clock, Amount: 1, HasAmount: true})
		l.progress()
		apply(t, b, l.take())
		c = b.drawCurve(c)
	}
	if n := len(c.points); n != curveKeep {
		t.Errorf("%d points, want %d", n, curveKeep)
	}
	if first, want := c.points[0].start, evening+curveKeep*1000; first != want {
		t.Errorf("the first point is at %d, want %d", first, want)
	}
	if n := len(b.shelves[b.generation].curves["1s"].held); n > 2*curveKeep+1 {
		t.Errorf("%d results held", n)
	}
}

func TestTickAmendsTheCurve(t *testing.T) {
	at := func(start int64, state liushui.State) point {
		return point{start: start * 1000, state: state, text: fmt.Appendf(nil, `{"t":%d,"s":%q}`, start*1000, state)}
	}
	c := func(points ...point) *curve {
		return &curve{window: liushui.Window{Name: "1s", Size: 1000}, points: points}
	}
	p, f := liushui.Provisional, liushui.Final
	old := c(at(1, f), at(2, p), at(3, p))
	for _, x := range []struct {
		name  string
		new   *curve
		want  string
		reset bool
	}{
		{"nothing", c(at(1, f), at(2, p), at(3, p)), "", false},
		{"one more", c(at(1, f), at(2, p), at(3, p), at(4, p)), "4", false},
		{"one firm", c(at(1, f), at(2, f), at(3, p)), "2", false},
		{"first left", c(at(2, p), at(3, p), at(4, p)), "4", false},
		{"all left", c(at(9, p)), "9", false},
		{"one earlier", c(at(0, f), at(1, f), at(2, p), at(3, p)), "0", false},
		{"one in the middle gone", c(at(1, f), at(3, p)), "1 3", true},
		{"the last gone", c(at(1, f), at(2, p)), "1 2", true},
		{"all gone", c(), "", true},
	} {
		points, reset := x.new.changed(old)
		var starts []string
		for _, p := range points {
			starts = append(starts, fmt.Sprint(p.start/1000))
		}
		if got := strings.Join(starts, " "); got != x.want || reset != x.reset {
			t.Errorf("%s: changed %q, reset %t; want %q, %t", x.name, got, reset, x.want, x.reset)
		}
	}
	other := c(at(1, p))
	other.window.Name = "1m"
	if _, reset := other.changed(old); !reset {
		t.Error("another window size is no amendment")
	}
}

// client merges frames as the page does.
type client struct{ sections map[string]json.RawMessage }

func (c *client) take(t *testing.T, f []byte) {
	t.Helper()
	_, data, _ := strings.Cut(string(f), "\ndata: ")
	var got map[string]json.RawMessage
	if err := json.Unmarshal([]byte(data), &got); err != nil {
		t.Fatal(err)
	}
	if c.sections == nil {
		c.sections = map[string]json.RawMessage{}
	}
	for name, text := range got {
		if name == "curve" {
			text = merged(t, c.sections["curve"], text)
		}
		c.sections[name] = text
	}
}

type clientCurve struct {
	Window    string                       `json:"window"`
	Step      int64                        `json:"step"`
	Keep      int                          `json:"keep"`
	Watermark int64                        `json:"watermark"`
	Reset     bool                         `json:"reset"`
	Points    []map[string]json.RawMessage `json:"points"`
}

func merged(t *testing.T, held, change json.RawMessage) json.RawMessage {
	t.Helper()
	var old, c clientCurve
	if err := json.Unmarshal(change, &c); err != nil {
		t.Fatal(err)
	}
	if held != nil && !c.Reset {
		if err := json.Unmarshal(held, &old); err != nil {
			t.Fatal(err)
		}
	}
	byStart := map[string]int{}
	points := old.Points
	for i, p := range points {
		byStart[string(p["t"])] = i
	}
	for _, p := range c.Points {
		if i, ok := byStart[string(p["t"])]; ok {
			points[i] = p
		} else {
			points = append(points, p)
		}
	}
	c.Points = points[max(0, len(points)-c.Keep):]
	c.Reset = true
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTicksAddUpToTheSnapshot(t *testing.T) {
	w := newWall(t, Config{})
	load(t, w)
	l := newLine(t, time.Now().UnixMilli())
	l.sendJob()
	page := &client{}
	page.take(t, w.hub.newest.Load().snapshot.plain())
	for second := range int64(400) {
		l.clock += 1000
		switch {
		case second%7 == 0:
			l.busy(uint64(second), l.clock-300, 3)
		case second > 200:
			l.fold(liushui.Event{ID: fmt.Sprint(second), Type: "pay", Time: l.clock + (second-200)*60_000, Amount: 10_000, HasAmount: true})
		}
		l.progress()
		w.Apply(l.take())
		w.tick()
		page.take(t, w.hub.newest.Load().tick.plain())
	}
	whole := &client{}
	whole.take(t, w.hub.newest.Load().snapshot.plain())
	for name, want := range whole.sections {
		if got := page.sections[name]; string(got) != string(want) {
			t.Errorf("%s by ticks:\n%.600s\nby snapshot:\n%.600s", name, got, want)
		}
	}
}
