package liushui

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestParseWindow(t *testing.T) {
	for text, size := range map[string]int64{
		"1s": 1000, "5s": 5000, "10s": 10_000, "30s": 30_000, "1m": minuteMS, "15m": 15 * minuteMS, "30m": 30 * minuteMS, "1h": hourMS, "6h": 6 * hourMS, "12h": 12 * hourMS, "1d": dayMS,
	} {
		w, err := ParseWindow(text)
		if err != nil || w.Name != text || w.Size != size || w.Day() != (text == "1d") {
			t.Errorf("%s: %+v %v", text, w, err)
		}
	}
	for _, text := range []string{"", "s", "1", "0s", "-1s", "+1s", "01s", "7s", "60s", "7m", "60m", "5h", "24h", "2d", "1w", "1ms", "1 m", "1S", "1.5h", "99999999999999999999s", "１s"} {
		if w, err := ParseWindow(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, w)
		}
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func window(t testing.TB, name string) Window {
	t.Helper()
	w, err := ParseWindow(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestSpan: windows at changes of the zone's offset, as UTC.
func TestSpan(t *testing.T) {
	tests := []struct {
		name, zone, window, at, start, end string
	}{
		{"second", "Asia/Shanghai", "1s", "2020-02-01T03:04:05.999Z", "2020-02-01T03:04:05Z", "2020-02-01T03:04:06Z"},
		{"Shanghai's midnight", "Asia/Shanghai", "1d", "2020-01-31T16:00:00Z", "2020-01-31T16:00:00Z", "2020-02-01T16:00:00Z"},
		{"a millisecond before", "Asia/Shanghai", "1d", "2020-01-31T15:59:59.999Z", "2020-01-30T16:00:00Z", "2020-01-31T16:00:00Z"},
		{"Shanghai's summer time of 1986 begins at 2:00", "Asia/Shanghai", "1d", "1986-05-03T20:00:00Z", "1986-05-03T16:00:00Z", "1986-05-04T15:00:00Z"},
		{"and ends", "Asia/Shanghai", "1d", "1986-09-13T20:00:00Z", "1986-09-13T15:00:00Z", "1986-09-14T16:00:00Z"},
		{"Shanghai's summer time of 1940 skips midnight", "Asia/Shanghai", "1d", "1940-06-01T10:00:00Z", "1940-05-31T16:00:00Z", "1940-06-01T15:00:00Z"},
		{"a half hour's zone", "Asia/Kolkata", "1h", "2020-02-01T00:15:00Z", "2020-01-31T23:30:00Z", "2020-02-01T00:30:00Z"},
		{"three quarters", "Asia/Kathmandu", "1h", "2020-02-01T00:20:00Z", "2020-02-01T00:15:00Z", "2020-02-01T01:15:00Z"},
		{"23 hours", "America/Los_Angeles", "1d", "2026-03-08T20:00:00Z", "2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z"},
		{"25 hours", "America/Los_Angeles", "1d", "2026-11-01T20:00:00Z", "2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z"},
		{"the hour shown twice, first", "America/Los_Angeles", "1h", "2026-11-01T08:30:00Z", "2026-11-01T08:00:00Z", "2026-11-01T09:00:00Z"},
		{"the hour shown twice, second", "America/Los_Angeles", "1h", "2026-11-01T09:30:00Z", "2026-11-01T09:00:00Z", "2026-11-01T10:00:00Z"},
		{"six hours cut by the change", "America/Los_Angeles", "6h", "2026-03-08T09:00:00Z", "2026-03-08T08:00:00Z", "2026-03-08T10:00:00Z"},
		{"and the rest of them", "America/Los_Angeles", "6h", "2026-03-08T11:00:00Z", "2026-03-08T10:00:00Z", "2026-03-08T13:00:00Z"},
		{"24.5 hours", "Australia/Lord_Howe", "1d", "2026-04-04T20:00:00Z", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"},
		{"23.5 hours", "Australia/Lord_Howe", "1d", "2026-10-03T20:00:00Z", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"},
		{"half an hour shown twice", "Australia/Lord_Howe", "1h", "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"},
		{"midnight skipped", "America/Sao_Paulo", "1d", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"the hour before midnight shown twice", "America/Sao_Paulo", "1d", "2019-02-17T02:30:00Z", "2019-02-16T02:00:00Z", "2019-02-17T03:00:00Z"},
		{"midnight skipped", "Asia/Beirut", "1d", "2022-03-27T12:00:00Z", "2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"},
		{"the hour before midnight shown twice", "Asia/Beirut", "1d", "2022-10-29T21:30:00Z", "2022-10-28T21:00:00Z", "2022-10-29T22:00:00Z"},
		{"clocks back to yesterday a minute after midnight", "America/St_Johns", "1d", "2000-10-29T03:00:00Z", "2000-10-29T02:30:00Z", "2000-10-30T03:30:00Z"},
		{"a date that was skipped", "Pacific/Apia", "1d", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"the date after it", "Pacific/Apia", "1d", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"midnight shown twice", "America/Havana", "1d", "2026-11-01T04:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"before 1970", "UTC", "1m", "1960-01-01T00:00:59.999Z", "1960-01-01T00:00:00Z", "1960-01-01T00:01:00Z"},
	}
	for _, test := range tests {
		t.Run(test.zone+" "+test.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, test.at)
			if err != nil {
				t.Fatal(err)
			}
			start, end := NewCalendar(zone(t, test.zone)).Span(window(t, test.window), at.UnixMilli())
			show := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
			if show(start) != test.start || show(end) != test.end {
				t.Errorf("%s – %s, want %s – %s", show(start), show(end), test.start, test.end)
			}
		})
	}
}

var manyZones = []string{
	"UTC", "Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "America/Los_Angeles", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Beirut", "Asia/Gaza", "Africa/Cairo",
	"America/St_Johns", "Pacific/Apia", "America/Havana", "America/Asuncion", "Asia/Amman", "Atlantic/Azores", "America/Scoresbysund", "Asia/Pyongyang", "Antarctica/Troll", "Europe/Dublin",
}

// someTimes are moments around changes of the zone's offset since 1970, and others.
func someTimes(z *time.Location, random *rand.Rand) []int64 {
	var times []int64
	for at := time.Unix(0, 0); ; {
		_, change := at.In(z).ZoneBounds()
		if change.IsZero() || change.Year() > 2030 {
			break
		}
		for range 12 {
			times = append(times, change.UnixMilli()+random.Int64N(4*dayMS)-2*dayMS)
		}
		times = append(times, change.UnixMilli()-1, change.UnixMilli())
		at = change
	}
	for range 100 {
		times = append(times, random.Int64N(60*365*dayMS))
	}
	return times
}

// TestWindowsTileTime: a window holds its time, its neighbours begin where it
// ends, it is a local unit, and a day is the union of its smaller windows.
func TestWindowsTileTime(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, name := range manyZones {
		z := zone(t, name)
		c := NewCalendar(z)
		for _, at := range someTimes(z, random) {
			dayStart, dayEnd := c.Span(window(t, "1d"), at)
			for _, size := range []string{"1s", "1m", "15m", "1h", "6h", "1d"} {
				w := window(t, size)
				start, end := c.Span(w, at)
				fault := func(text string) {
					t.Errorf("%s %s at %s: %s: %s – %s", name, size, time.UnixMilli(at).In(z), text, time.UnixMilli(start).In(z), time.UnixMilli(end).In(z))
				}
				if at < start || at >= end {
					fault("does not hold its time")
				}
				if !w.Day() && end-start > w.Size || end-start > 26*hourMS {
					fault("is too long")
				}
				for _, other := range []int64{start, end - 1} {
					if s, e := c.Span(w, other); s != start || e != end {
						fault("has another form seen from its border")
					}
				}
				if s, _ := c.Span(w, end); s != end {
					fault("the next one does not begin at its end")
				}
				if _, e := c.Span(w, start-1); e != start {
					fault("the one before does not end at its start")
				}
				if start < dayStart || end > dayEnd {
					fault("reaches over its day")
				}
			}
		}
	}
}

// TestCalendarKeepsNothingWrong: a calendar that jumps about says the same as new ones.
func TestCalendarKeepsNothingWrong(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	for _, name := range manyZones {
		z := zone(t, name)
		c := NewCalendar(z)
		times := someTimes(z, random)
		random.Shuffle(len(times), func(i, j int) { times[i], times[j] = times[j], times[i] })
		for _, at := range times[:min(len(times), 300)] {
			for _, size := range []string{"1d", "1h"} {
				start, end := c.Span(window(t, size), at)
				if s, e := NewCalendar(z).Span(window(t, size), at); s != start || e != end {
					t.Fatalf("%s %s at %d: %d – %d, a new calendar says %d – %d", name, size, at, start, end, s, e)
				}
			}
		}
	}
}

func TestSpanAllocatesNothing(t *testing.T) {
	c, minute, day := NewCalendar(zone(t, "America/Los_Angeles")), window(t, "1m"), window(t, "1d")
	at := int64(1580486400000)
	if n := testing.AllocsPerRun(100, func() { at += 1000; c.Span(minute, at); c.Span(day, at) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
