package reconcile

import (
	"math/rand/v2"
	"testing"
	"time"

	"liushui"
)

// TestCalendarsAgree holds the oracle's calendar against the one of the root
// package, which engines use, all over the years and at every change of offset.
func TestCalendarsAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{
		"UTC", "Asia/Shanghai", "Asia/Kolkata", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu",
		"America/Sao_Paulo", "Asia/Beirut", "America/St_Johns", "Pacific/Apia", "Africa/Cairo", "Asia/Gaza",
		"America/Asuncion", "Asia/Pyongyang", "Antarctica/Casey", "America/Havana", "Atlantic/Azores",
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			var times []int64
			for at := time.UnixMilli(liushui.MinTime); at.Year() < 2027; {
				_, change := at.In(zone).ZoneBounds()
				if change.IsZero() || change.Year() >= 2027 {
					break
				}
				for _, hours := range []int64{-25, -24, -2, -1, 0, 1, 2, 23, 24, 25} {
					times = append(times, change.UnixMilli()+hours*3_600_000-1, change.UnixMilli()+hours*3_600_000)
				}
				times = append(times, change.UnixMilli()+random.Int64N(7_200_000)-3_600_000)
				at = change
			}
			for range 20 {
				times = append(times, liushui.MinTime+random.Int64N(27*365*day))
			}
			oracle, root := NewCalendar(zone), liushui.NewCalendar(zone)
			for _, window := range []string{"1s", "30s", "1m", "15m", "1h", "6h", "12h", "1d"} {
				w, err := liushui.ParseWindow(window)
				if err != nil {
					t.Fatal(err)
				}
				for _, at := range times {
					start, end := oracle.Span(w, at)
					rootStart, rootEnd := root.Span(w, at)
					if start != rootStart || end != rootEnd || at < start || at >= end {
						t.Fatalf("%s at %s: oracle %s – %s, root %s – %s", window, oracle.At(at), oracle.At(start), oracle.At(end), oracle.At(rootStart), oracle.At(rootEnd))
					}
				}
			}
		})
	}
}
