package source

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"liushui"
)

// decimal is n / 10^scale, exactly.
type decimal struct {
	negative bool
	n        uint64
	scale    int // 0 to maxScale
}

// maxScale keeps 10^scale inside uint64.
const maxScale = 19

var powers = func() (p [maxScale + 1]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

var (
	errNotNumber = errors.New("is not a number")
	errTooLong   = errors.New("has too many digits")
	errPlaces    = errors.New("has more than 4 decimal places")
	errTooLarge  = errors.New("is too large")
	errNotWhole  = errors.New("is not a whole number")
)

// parseDecimal reads a number as spreadsheets write it: blanks around it, a
// plus sign, leading zeros and a missing digit beside the point are accepted
// (unlike in JSON), grouping and currency signs are not.
func parseDecimal(s string) (d decimal, err error) {
	s = strings.TrimSpace(s)
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		d.negative = s[i] == '-'
		i++
	}
	digits, point := 0, -1
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && point < 0 {
			point = digits
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		if d.n > (1<<64-1-9)/10 {
			return d, fmt.Errorf("%.40q %w", s, errTooLong)
		}
		d.n = d.n*10 + uint64(c-'0')
		digits++
	}
	if digits == 0 {
		return d, fmt.Errorf("%.40q %w", s, errNotNumber)
	}
	if point >= 0 {
		d.scale = digits - point
	}
	if i < len(s) {
		exponent, ok := parseExponent(s[i:])
		if !ok {
			return d, fmt.Errorf("%.40q %w", s, errNotNumber)
		}
		d.scale -= exponent
	}
	return d.normal(s)
}

// parseExponent reads e+05.
func parseExponent(s string) (n int, ok bool) {
	if len(s) < 2 || len(s) > 5 || s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	negative := s[0] == '-'
	if s[0] == '-' || s[0] == '+' {
		s = s[1:]
	}
	if s == "" {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// normal cuts zeros at the end of the decimals, and brings the scale to 0 to maxScale.
func (d decimal) normal(s string) (decimal, error) {
	if d.n == 0 {
		return decimal{}, nil
	}
	for d.scale > 0 && d.n%10 == 0 {
		d.n, d.scale = d.n/10, d.scale-1
	}
	for d.scale < 0 {
		if d.n > (1<<64-1)/10 {
			return d, fmt.Errorf("%.40q %w", s, errTooLarge)
		}
		d.n, d.scale = d.n*10, d.scale+1
	}
	if d.scale > maxScale {
		return d, fmt.Errorf("%.40q %w", s, errTooLong)
	}
	return d, nil
}

// whole is the value of a whole number.
func (d decimal) whole() (int64, error) {
	if d.scale > 0 {
		return 0, errNotWhole
	}
	if d.n > 1<<62 {
		return 0, errTooLarge
	}
	if d.negative {
		return -int64(d.n), nil
	}
	return int64(d.n), nil
}

// times is the exact product.
func (d decimal) times(e decimal) (liushui.Money, error) {
	hi, lo := bits.Mul64(d.n, e.n)
	n, err := exact(hi, lo, d.scale+e.scale)
	if err != nil {
		return 0, err
	}
	if d.negative != e.negative {
		n = -n
	}
	return liushui.Money(n), nil
}

// exact is (hi·2^64 + lo) / 10^scale in ten-thousandths.
func exact(hi, lo uint64, scale int) (int64, error) {
	for scale > 4 {
		quotient, remainder := hi/10, hi%10
		hi = quotient
		if lo, remainder = bits.Div64(remainder, lo, 10); remainder != 0 {
			return 0, errPlaces
		}
		scale--
	}
	up, low := bits.Mul64(lo, powers[4-scale])
	if hi != 0 || up != 0 || low > 1<<62 {
		return 0, errTooLarge
	}
	return int64(low), nil
}

// compare is -1, 0 or 1.
func (d decimal) compare(e decimal) int {
	if d.negative != e.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	dHi, dLo := bits.Mul64(d.n, powers[e.scale])
	eHi, eLo := bits.Mul64(e.n, powers[d.scale])
	c := 0
	switch {
	case dHi < eHi || dHi == eHi && dLo < eLo:
		c = -1
	case dHi > eHi || dLo > eLo:
		c = 1
	}
	if d.negative {
		c = -c
	}
	return c
}
