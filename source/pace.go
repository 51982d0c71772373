package source

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Pace is how fast items are sent. The zero value sends as fast as they are taken.
type Pace struct {
	Speed float64 // times real; 0: not bound by time
	Rate  float64 // items a second; 0: not bound by number
}

// ParsePace reads --speed (a factor such as 60, or max) and --rate (such as
// 500/s, 30000/m); of the two at most one, empty: not given. Neither: speed 1.
func ParsePace(speed, rate string) (Pace, error) {
	if rate != "" {
		if speed != "" {
			return Pace{}, misuse("--speed %s and --rate %s: want one of them", speed, rate)
		}
		n, ok := parseRate(rate)
		if !ok {
			return Pace{}, misuse("--rate %s: want a number of events a second, such as 500/s", rate)
		}
		return Pace{Rate: n}, nil
	}
	switch speed {
	case "":
		return Pace{Speed: 1}, nil
	case "max":
		return Pace{}, nil
	}
	n, ok := parsePositive(strings.TrimSuffix(speed, "x"))
	if !ok {
		return Pace{}, misuse("--speed %s: want times real, such as 60, or max", speed)
	}
	return Pace{Speed: n}, nil
}

func parseRate(s string) (float64, bool) {
	number, unit, _ := strings.Cut(s, "/")
	n, ok := parsePositive(number)
	switch unit {
	case "", "s":
		return n, ok
	case "m":
		return n / 60, ok
	case "h":
		return n / 3600, ok
	}
	return 0, false
}

func parsePositive(s string) (float64, bool) {
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && n >= 1e-3 && n <= 1e9
}

// pacer tells when items are due, counted from the first.
type pacer struct {
	Pace
	begin time.Time // the first item's
	first int64     // its place, ms
	count int64     // items that were due before the next
}

func (p *pacer) start(now time.Time, at int64) { p.begin, p.first, p.count = now, at, 0 }

// due is when the item `ahead` items behind the next one, at a place, is to be
// sent; zero: at once.
func (p *pacer) due(at int64, ahead int) time.Time {
	seconds := 0.0
	switch {
	case p.Rate > 0:
		seconds = float64(p.count+int64(ahead)) / p.Rate
	case p.Speed > 0:
		seconds = float64(at-p.first) / 1000 / p.Speed
	default:
		return time.Time{}
	}
	return p.begin.Add(time.Duration(min(seconds*float64(time.Second), math.MaxInt64/2)))
}
