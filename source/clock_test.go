package source

import (
	"testing"
	"time"
)

// FuzzTimes holds the fast reader of times against the standard library's.
func FuzzTimes(f *testing.F) {
	layouts := []string{"2006-01-02 15:04:05", "2006/01/02 15:04", "20060102150405", "02.01.2006", "2006-01-02T15:04:05.000", "01/02/2006 15"}
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"Asia/Shanghai", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			f.Fatal(err)
		}
		zones = append(zones, zone)
	}
	for _, seed := range []string{"2020-02-29 23:59:18", "2011-12-30 00:00:00", "2020-03-29 01:30:00", "2020-11-01 01:30:00", "2020-10-04 02:15:00", "20200229235918",
		"2020-02-29T23:59:18.250", "29.02.2020", "2020-13-01 00:00:00", "0000-01-01 00:00:00", "2020-02-29 3:04:05", "2020-02-29 23:59:18.5", "9999-12-31 23:59:59"} {
		f.Add(seed, "2020-10-25 01:30:00", uint8(0), uint8(2))
	}
	f.Fuzz(func(t *testing.T, first, second string, layout, zone uint8) {
		c := newClock(timeSpec{Layout: layouts[int(layout)%len(layouts)], zone: zones[int(zone)%len(zones)]})
		if !c.fixed {
			t.Fatal("not a layout of fixed width")
		}
		for _, text := range []string{first, second} { // the second finds what the first made the clock remember
			if len(text) > 0 && (text[0] <= ' ' || text[len(text)-1] <= ' ' || text[0] > '~' || text[len(text)-1] > '~') {
				continue // blanks around are cut
			}
			want, err := time.ParseInLocation(c.Layout, text, c.zone)
			got, ok := c.read(text, 1)
			if ok != (err == nil) || ok && got != want.UnixMilli() {
				t.Fatalf("%q: %d, %v; want %d, %v", text, got, ok, want.UnixMilli(), err)
			}
		}
	})
}

func TestEveryHourOfZonesThatChange(t *testing.T) {
	for _, name := range []string{"Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		c := newClock(timeSpec{Layout: "2006-01-02 15:04", zone: zone})
		for at := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2021; at = at.Add(10 * time.Minute) {
			text := at.Format(c.Layout)
			want, err := time.ParseInLocation(c.Layout, text, zone)
			if got, ok := c.read(text, 1); err != nil || !ok || got != want.UnixMilli() {
				t.Fatalf("%s %s: %d, want %d", name, text, got, want.UnixMilli())
			}
		}
	}
}
