package enginetest

import (
	"time"

	"liushui"
)

// calendar finds windows by looking at the clock on the wall of a zone, minute
// by minute: since 2000 no zone has changed its offset within a minute.
type calendar struct {
	zone *time.Location
	days map[string]int64 // local date → its first minute; 0 = the zone skipped the date
}

func newCalendar(zone *time.Location) *calendar { return &calendar{zone, map[string]int64{}} }

const (
	minute = int64(60_000)
	day    = 24 * 60 * minute
)

func (c *calendar) at(t int64) time.Time { return time.UnixMilli(t).In(c.zone) }

func (c *calendar) offset(t int64) int64 {
	_, seconds := c.at(t).Zone()
	return int64(seconds) * 1000
}

// span is the window [start, end) that holds t.
func (c *calendar) span(w liushui.Window, t int64) (start, end int64) {
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
func (c *calendar) day(t int64) (start, end int64) {
	y, m, d := c.at(t).Date()
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
func (c *calendar) first(y int, m time.Month, d int) int64 {
	midnight := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	date := midnight.Format(time.DateOnly)
	if first, known := c.days[date]; known {
		return first
	}
	c.days[date] = 0
	// No zone is more than 16 hours from UTC.
	for at := midnight.UnixMilli() - 16*60*minute; at < midnight.UnixMilli()+16*60*minute; at += minute {
		if c.at(at).Format(time.DateOnly) == date {
			c.days[date] = at
			break
		}
	}
	return c.days[date]
}
