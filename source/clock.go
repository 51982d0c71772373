package source

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"liushui"
)

// timeSpec is where an event's time comes from: a column or a template, read
// by a layout in a zone, or as unix time.
type timeSpec struct {
	given bool

	Column   string
	Template string
	Layout   string         // in Go's form
	written  string         // Layout as it stands in the file
	unit     int64          // ms a unit, of unix times; 0: Layout
	Spread   bool           // the time of day is made from seed and row number
	Seed     uint64         //
	Plus     int64          // ms added
	zone     *time.Location //
	zoneName string
	unitName string
	spread   string
	plus     string
}

func (s *timeSpec) UnmarshalYAML(unmarshal func(any) error) error {
	var f struct {
		Column   string `yaml:"column"`
		Template string `yaml:"template"`
		Layout   string `yaml:"layout"` // yyyy-MM-dd HH:mm:ss, or Go's 2006-01-02 15:04:05
		Unit     string `yaml:"unit"`   // s or ms since 1970 UTC
		Zone     string `yaml:"zone"`   // default: the mapping's
		Spread   string `yaml:"spread"` // day
		Seed     uint64 `yaml:"seed"`
		Plus     string `yaml:"plus"`
	}
	if err := unmarshal(&f); err != nil {
		return err
	}
	*s = timeSpec{given: true, Column: f.Column, Template: f.Template, Layout: f.Layout, Seed: f.Seed,
		zoneName: f.Zone, unitName: f.Unit, spread: f.Spread, plus: f.Plus}
	return nil
}

func (s *timeSpec) check(zone *time.Location) (err error) {
	if (s.Column == "") == (s.Template == "") {
		return errors.New("want a column or a template")
	}
	if s.zone = zone; s.zoneName != "" {
		if s.zone, err = loadZone(s.zoneName); err != nil {
			return err
		}
	}
	switch s.unitName {
	case "":
	case "s":
		s.unit = 1000
	case "ms":
		s.unit = 1
	default:
		return fmt.Errorf("unit: %q; want s or ms", s.unitName)
	}
	if (s.Layout == "") == (s.unit == 0) {
		return errors.New(`want a layout such as "yyyy-MM-dd HH:mm:ss", or a unit: s or ms`)
	}
	s.written = s.Layout
	if s.Layout, err = goLayout(s.Layout); err != nil {
		return err
	}
	switch s.spread {
	case "":
	case "day":
		s.Spread = true
	default:
		return fmt.Errorf("spread: %q; want day", s.spread)
	}
	if s.plus != "" {
		d, err := time.ParseDuration(s.plus)
		if err != nil || d%time.Millisecond != 0 {
			return fmt.Errorf("plus: %q; want a time such as 10m, 1h or -30s", s.plus)
		}
		s.Plus = d.Milliseconds()
	}
	return nil
}

// letters of the form that Java, Spark and spreadsheets know, longest first.
var letters = strings.NewReplacer(
	"yyyy", "2006", "yy", "06", "MMMM", "January", "MMM", "Jan", "MM", "01", "M", "1", "dd", "02", "d", "2",
	"HH", "15", "H", "15", "hh", "03", "h", "3", "mm", "04", "m", "4", "ss", "05", "s", "5",
	"SSSSSS", "000000", "SSS", "000", "XXX", "Z07:00", "XX", "Z0700", "xxx", "-07:00", "xx", "-0700",
	"EEEE", "Monday", "EEE", "Mon", "a", "PM")

// goLayout turns yyyy-MM-dd HH:mm:ss into Go's form, and leaves Go's own as it is.
func goLayout(layout string) (string, error) {
	if layout == "" || strings.Contains(layout, "06") && !strings.Contains(layout, "yy") {
		return layout, nil
	}
	if !strings.Contains(layout, "yy") {
		return "", fmt.Errorf("layout: %q has no year; want one such as yyyy-MM-dd HH:mm:ss (a year that the file lacks goes into a template)", layout)
	}
	var b strings.Builder
	for i, part := range strings.Split(layout, "'") { // 'T' is a letter as it stands
		if i%2 == 0 {
			part = letters.Replace(part)
		}
		b.WriteString(part)
	}
	return b.String(), nil
}

// clock reads times of one spec. It keeps the newest span of one offset, so it
// is for one goroutine.
type clock struct {
	timeSpec
	places   places
	fixed    bool  // places describes the layout
	offset   int64 // ms that the zone is ahead of UTC in [from, to), itself ms UTC
	from, to int64
}

func newClock(s timeSpec) *clock {
	c := &clock{timeSpec: s}
	c.places, c.fixed = findPlaces(s.Layout)
	return c
}

// read returns the time in ms that text and the row's number stand for.
func (c *clock) read(text string, row int64) (int64, bool) {
	var t int64
	var ok bool
	if c.unit != 0 {
		t, ok = parseUnix(strings.TrimSpace(text), c.unit)
	} else {
		t, ok = c.parse(text)
	}
	if !ok {
		return 0, false
	}
	if c.Spread {
		t = c.spreadOver(t, row)
	}
	return t + c.Plus, true
}

// parseUnix reads unix time in units of ms; decimals of seconds are accepted.
func parseUnix(s string, unit int64) (int64, bool) {
	n := int64(0)
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' || i == 14 {
			return parseUnixDecimal(s, unit)
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n * unit, s != ""
}

func parseUnixDecimal(s string, unit int64) (int64, bool) {
	d, err := parseDecimal(s)
	if err != nil {
		return 0, false
	}
	ms, err := d.times(decimal{n: uint64(unit)})
	return int64(ms / liushui.MoneyScale), err == nil && ms%liushui.MoneyScale == 0
}

func (c *clock) parse(text string) (int64, bool) {
	if c.fixed {
		if local, ok := c.places.read(text); ok {
			return c.toUTC(local), true
		}
	}
	t, err := time.ParseInLocation(c.Layout, strings.TrimSpace(text), c.zone)
	if err != nil {
		return 0, false
	}
	return t.UnixMilli(), true
}

const day = 24 * 60 * 60 * 1000

// toUTC turns local ms into ms UTC. Near a change of the zone's offset it asks the zone.
func (c *clock) toUTC(local int64) int64 {
	if t := local - c.offset; t >= c.from && t < c.to {
		return t
	}
	at := time.UnixMilli(local).UTC()
	t := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), c.zone)
	_, seconds := t.Zone()
	from, to := t.ZoneBounds()
	c.offset, c.from, c.to = int64(seconds)*1000, -1<<62, 1<<62
	if !from.IsZero() {
		c.from = from.UnixMilli() + day // ambiguous and skipped times lie near the bounds
	}
	if !to.IsZero() {
		c.to = to.UnixMilli() - day
	}
	return t.UnixMilli()
}

// spreadOver gives a day a time of day: the row's number and the seed decide it.
func (c *clock) spreadOver(t, row int64) int64 {
	y, m, d := time.UnixMilli(t).In(c.zone).Date()
	begin := time.Date(y, m, d, 0, 0, 0, 0, c.zone).UnixMilli()
	end := time.Date(y, m, d+1, 0, 0, 0, 0, c.zone).UnixMilli()
	return begin + int64(mix(c.Seed^mix(uint64(row)))%uint64(end-begin))
}

// mix is SplitMix64's finisher: the same number on every machine.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// wanted says in words what read accepts.
func (c *clock) wanted() string {
	switch c.unit {
	case 0:
		return fmt.Sprintf("a time of the form %s", c.written)
	case 1:
		return "unix milliseconds"
	}
	return "unix seconds"
}
