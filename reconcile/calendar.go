package reconcile

import (
	"time"

	"liushui"
)

// Calendar finds windows by looking at the clock on the wall of a zone, minute
// by minute: since 2000 no zone has changed its offset within a minute. It is
// not for several goroutines at once.
type Calendar struct {
	zone  *time.Location
	days  map[string]int64      // local date → its first minute; 0 = the zone skipped the date
	spans map[minuteOf]interval // found before, of windows of a minute and more
}

// minuteOf is a minute of a window size: windows begin and end with minutes.
type minuteOf struct{ size, minute int64 }

type interval struct{ start, end int64 }

// NewCalendar returns the calendar of a zone.
func NewCalendar(zone *time.Location) *Calendar {
	return &Calendar{zone, map[string]int64{}, map[minuteOf]interval{}}
}

const (
	minute = int64(60_000)
	day    = 24 * 60 * minute
)

// At is the time on the zone's clock.
func (c *Calendar) At(t int64) time.Time { return time.UnixMilli(t).In(c.zone) }

func (c *Calendar) offset(t int64) int64 {
	_, seconds := c.At(t).Zone()
	return int64(seconds) * 1000
}

// Span is the window [start, end) that holds t.
func (c *Calendar) Span(w liushui.Window, t int64) (start, end int64) {
	if w.Size < minute {
		return c.find(w, t)
	}
	at := minuteOf{w.Size, t - t%minute}
	found, known := c.spans[at]
	if !known {
		found.start, found.end = c.find(w, t)
		if len(c.spans) > 100_000 {
			clear(c.spans)
		}
		c.spans[at] = found
	}
	return found.start, found.end
}

func (c *Calendar) find(w liushui.Window, t int64) (start, end int64) {
	if w.Name == "1d" {
		return c.day(t)
	}
	local := t + c.offset(t)
	start = t - local%w.Size
	end = start + w.Size
	// A window does not reach over a change of the zone's offset.
	for at := t - t%minute; at > start; at -= minute {
		if c.offset(at-1) != c.offset(t) {
			start = at
			break
		}
	}
	for at := t - t%minute + minute; at < end; at += minute {
		if c.offset(at) != c.offset(t) {
			end = at
			break
		}
	}
	return start, end
}

// day is the business day: from the first minute of a date to the first minute
// of the next one that there is.
func (c *Calendar) day(t int64) (start, end int64) {
	y, m, d := c.At(t).Date()
	for next := 1; ; next-- {
		if start = c.first(y, m, d+next); start != 0 && start <= t {
			for after := next + 1; ; after++ {
				if end = c.first(y, m, d+after); end > start {
					return start, end
				}
			}
		}
	}
}

// first is the first minute whose local date is the given one, 0 where there is none.
func (c *Calendar) first(y int, m time.Month, d int) int64 {
	midnight := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	date := midnight.Format(time.DateOnly)
	if first, known := c.days[date]; known {
		return first
	}
	c.days[date] = 0
	// No zone is more than 16 hours from UTC.
	for at := midnight.UnixMilli() - 16*60*minute; at < midnight.UnixMilli()+16*60*minute; at += minute {
		if c.At(at).Format(time.DateOnly) == date {
			c.days[date] = at
			break
		}
	}
	return c.days[date]
}
