package source

import "strings"

// places are where the digits of a layout of fixed width stand, so that times
// are read without a general parser. -1: the layout has none.
type places struct {
	layout string // with 0 for every digit
	year, month, day,
	hour, minute, second, milli int
}

// findPlaces describes a layout of yyyy, MM, dd and, optionally, HH, mm, ss and
// three decimals; ok is false for any other.
func findPlaces(layout string) (p places, ok bool) {
	rest := []byte(layout)
	take := func(digits string) int {
		i := strings.Index(string(rest), digits)
		if i >= 0 {
			for j := range digits {
				rest[i+j] = '\x00'
			}
		}
		return i
	}
	p.year, p.milli = take("2006"), -1
	if i := take(".000"); i >= 0 {
		p.milli = i + 1
		rest[i] = '.'
	}
	p.hour, p.month, p.day, p.minute, p.second = take("15"), take("01"), take("02"), take("04"), take("05")
	if p.year < 0 || p.month < 0 || p.day < 0 || p.minute >= 0 && p.hour < 0 || p.second >= 0 && p.minute < 0 ||
		p.milli >= 0 && p.milli != p.second+3 {
		return p, false
	}
	for i, b := range rest {
		switch {
		case b == 0:
			rest[i] = '0'
		case b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' && b != 'T' || b >= 'a' && b <= 'z' || b == '_':
			return p, false // may be a place of the general parser's
		}
	}
	p.layout = string(rest)
	return p, true
}

// read returns local ms since 1970; ok is false where the general parser must judge.
func (p *places) read(s string) (ms int64, ok bool) {
	if len(s) != len(p.layout) {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		want := p.layout[i]
		if want == '0' {
			if s[i] < '0' || s[i] > '9' {
				return 0, false
			}
		} else if s[i] != want {
			return 0, false
		}
	}
	two := func(i int) int64 { return int64(s[i]-'0')*10 + int64(s[i+1]-'0') }
	y, m, d := two(p.year)*100+two(p.year+2), two(p.month), two(p.day)
	if y == 0 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, false
	}
	ms = daysSince1970(y, m, d) * day
	if p.hour >= 0 {
		h := two(p.hour)
		if h > 23 {
			return 0, false
		}
		ms += h * 3_600_000
	}
	if p.minute >= 0 {
		n := two(p.minute)
		if n > 59 {
			return 0, false
		}
		ms += n * 60_000
	}
	if p.second >= 0 {
		n := two(p.second)
		if n > 59 {
			return 0, false
		}
		ms += n * 1000
	}
	if p.milli >= 0 {
		ms += int64(s[p.milli]-'0')*100 + two(p.milli+1)
	}
	return ms, true
}

func daysIn(y, m int64) int64 {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts days of the Gregorian calendar, years that begin in March.
func daysSince1970(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	return 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 719469
}
