package liushui

import (
	"fmt"
	"strconv"
	"time"
)

// Window is a window size: 1s, 1m, 1h, 1d and other sizes that divide the
// next unit evenly (5s, 15m, 6h).
type Window struct {
	Name string // as written in the job: "1m"
	Size int64  // ms; a day's nominal 86,400,000
}

// Day reports whether the window is the business day, whose length varies with the zone.
func (w Window) Day() bool { return w.Size == dayMS }

const (
	minuteMS = 60_000
	hourMS   = 60 * minuteMS
	dayMS    = 24 * hourMS
)

// ParseWindow reads a window size.
func ParseWindow(s string) (Window, error) {
	bad := fmt.Errorf("window %q: want 1s, 1m, 1h, 1d or another size that divides a minute, an hour or a day evenly, such as 5s, 15m, 6h", s)
	if len(s) < 2 {
		return Window{}, bad
	}
	n, err := strconv.Atoi(s[:len(s)-1])
	if err != nil || n < 1 || s[0] == '0' || s[0] == '+' {
		return Window{}, bad
	}
	unit, next := int64(0), 0
	switch s[len(s)-1] {
	case 's':
		unit, next = 1000, 60
	case 'm':
		unit, next = minuteMS, 60
	case 'h':
		unit, next = hourMS, 24
	case 'd':
		unit, next = dayMS, 2
	default:
		return Window{}, bad
	}
	if n >= next || next%n != 0 {
		return Window{}, bad
	}
	return Window{s, int64(n) * unit}, nil
}

// Calendar cuts time into windows of one zone. It keeps the newest spans, so it
// is not for several goroutines at once.
type Calendar struct {
	zone   *time.Location
	offset int64 // of the span [from, to), ms
	from   int64
	to     int64
	day    [2]int64
}

// NewCalendar returns the calendar of a zone.
func NewCalendar(zone *time.Location) *Calendar { return &Calendar{zone: zone} }

// Zone is the calendar's zone.
func (c *Calendar) Zone() *time.Location { return c.zone }

// Span returns the window [start, end) that holds t, all in ms. Windows begin
// at the zone's own second, minute, hour and midnight. A change of the zone's
// offset inside a window below a day ends it and begins another.
func (c *Calendar) Span(w Window, t int64) (start, end int64) {
	if w.Size == dayMS {
		if t < c.day[0] || t >= c.day[1] {
			c.day = c.daySpan(t)
		}
		return c.day[0], c.day[1]
	}
	if t < c.from || t >= c.to {
		c.locate(t)
	}
	local := t + c.offset
	into := local % w.Size
	if into < 0 {
		into += w.Size
	}
	start = t - into
	return max(start, c.from), min(start+w.Size, c.to)
}

// locate finds the span of one offset around t.
func (c *Calendar) locate(t int64) {
	at := time.UnixMilli(t).In(c.zone)
	_, seconds := at.Zone()
	from, to := at.ZoneBounds()
	c.offset, c.from, c.to = int64(seconds)*1000, -1<<62, 1<<62
	if !from.IsZero() {
		c.from = from.UnixMilli()
	}
	if !to.IsZero() {
		c.to = to.UnixMilli()
	}
}

func (c *Calendar) daySpan(t int64) [2]int64 {
	y, m, d := time.UnixMilli(t).In(c.zone).Date()
	start, end := c.midnight(y, m, d), c.midnight(y, m, d+1)
	for t >= end { // clocks went back over midnight, and the next day had begun already
		d++
		start, end = end, c.midnight(y, m, d+1)
	}
	return [2]int64{start, end}
}

// midnight is the first instant of a local date; where midnight itself is
// skipped by a change of offset, the instant of that change.
func (c *Calendar) midnight(y int, m time.Month, d int) int64 {
	noon := time.Date(y, m, d, 12, 0, 0, 0, c.zone)
	_, _, day := noon.Date()
	at := time.Date(y, m, d, 0, 0, 0, 0, c.zone)
	if at.Day() != day { // midnight does not exist, and Go chose the instant before it
		_, to := at.ZoneBounds()
		return to.UnixMilli()
	}
	// Midnight may occur twice, or Go may have chosen an instant after a skipped one: take the earliest.
	if from, _ := at.ZoneBounds(); !from.IsZero() && at.Sub(from) < 24*time.Hour {
		if before := from.Add(-time.Millisecond); before.In(c.zone).Day() == day {
			_, seconds := before.Zone()
			return time.Date(y, m, d, 0, 0, 0, 0, time.FixedZone("", seconds)).UnixMilli()
		}
		if from.Day() == day {
			return from.UnixMilli()
		}
	}
	return at.UnixMilli()
}
