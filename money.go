package liushui

import (
	"fmt"
	"math/bits"
	"strconv"
)

// Money is an amount in ten-thousandths of the currency's unit: 178.76 is
// 1787600. It is never a float.
type Money int64

// MoneyScale is how many Money make one whole unit.
const MoneyScale = 10_000

// MaxAmount is the largest amount of one event: 10^12.
const MaxAmount Money = 1_000_000_000_000 * MoneyScale

// MaxQuantity is the largest quantity of one event: 10^9.
const MaxQuantity = 1_000_000_000

// ParseMoney reads a JSON number by its value: 1.50000 and 1.5e0 are 1.5,
// 1.23456 is refused, as is what does not fit. It is strict about the form of
// JSON numbers (no leading plus, no leading zeros, digits on both sides of the
// point).
func ParseMoney[T string | []byte](s T) (Money, error) {
	n, err := parseDecimal(s, 4)
	return Money(n), err
}

// ParseWhole reads a JSON number whose value is a whole number: 3, 3.0 and 30e-1.
func ParseWhole[T string | []byte](s T) (int64, error) { return parseDecimal(s, 0) }

// parseDecimal returns the value of the JSON number s times 10^places.
func parseDecimal[T string | []byte](s T, places int) (int64, error) {
	i, negative := 0, false
	if i < len(s) && s[i] == '-' {
		negative = true
		i++
	}
	first := i
	var n uint64
	point, seen, zeros := 0, false, 0 // digits after the point; a point was seen; trailing zeros not yet in n
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !seen && i > first {
			seen = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		if seen {
			point++
		}
		if c == '0' {
			zeros++ // kept apart, so that a long tail of zeros never overflows
			continue
		}
		if zeros > 20 && n > 0 {
			return 0, fmt.Errorf("number %.40q: %w", string(s), ErrTooLarge)
		}
		for n > 0 && zeros > 0 && n <= 1<<60 {
			n, zeros = n*10, zeros-1
		}
		if n > 1<<60 {
			return 0, fmt.Errorf("number %.40q: %w", string(s), ErrTooLarge)
		}
		n, zeros = n*10+uint64(c-'0'), 0
	}
	digits := i - first
	if seen {
		digits--
	}
	if digits == 0 || s[i-1] == '.' || s[first] == '0' && digits > 1 && s[first+1] != '.' {
		return 0, fmt.Errorf("number %.40q: not a decimal number", string(s))
	}
	exponent := 0
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		var ok bool
		if exponent, ok = parseExponent(s[i+1:]); !ok {
			return 0, fmt.Errorf("number %.40q: not a decimal number", string(s))
		}
		i = len(s)
	}
	if i != len(s) {
		return 0, fmt.Errorf("number %.40q: not a decimal number", string(s))
	}
	if n == 0 {
		return 0, nil
	}
	shift := exponent - point + zeros + places
	if shift < 0 {
		return 0, fmt.Errorf("number %.40q: more than %d decimal places", string(s), places)
	}
	for ; shift > 0; shift-- {
		hi, lo := bits.Mul64(n, 10)
		if hi != 0 || lo > 1<<63 {
			return 0, fmt.Errorf("number %.40q: %w", string(s), ErrTooLarge)
		}
		n = lo
	}
	switch {
	case negative && n <= 1<<63:
		return -int64(n), nil
	case !negative && n < 1<<63:
		return int64(n), nil
	}
	return 0, fmt.Errorf("number %.40q: %w", string(s), ErrTooLarge)
}

// parseExponent reads the digits after an e; what is far outside int64's range
// is held at ±100,000, which no number of 64 KiB can make up for.
func parseExponent[T string | []byte](s T) (int, bool) {
	i, negative := 0, false
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		negative = s[0] == '-'
		i++
	}
	if i == len(s) {
		return 0, false
	}
	n := 0
	for ; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n = n*10 + int(s[i]-'0'); n > 100_000 {
			n = 100_000
		}
	}
	if negative {
		n = -n
	}
	return n, true
}

// AppendText appends the shortest decimal text with at least two places:
// 178.76, 3.00, -0.0001.
func (m Money) AppendText(b []byte) ([]byte, error) { return appendMoney(b, m, 2), nil }

// String is the text of AppendText.
func (m Money) String() string { return string(appendMoney(nil, m, 2)) }

func appendMoney(b []byte, m Money, atLeast int) []byte {
	u := uint64(m)
	if m < 0 {
		b = append(b, '-')
		u = -u
	}
	b = strconv.AppendUint(b, u/MoneyScale, 10)
	fraction := u % MoneyScale
	b = append(b, '.', byte('0'+fraction/1000), byte('0'+fraction/100%10), byte('0'+fraction/10%10), byte('0'+fraction%10))
	for drop := 4 - atLeast; drop > 0 && b[len(b)-1] == '0'; drop-- {
		b = b[:len(b)-1]
	}
	return b
}

// Sum is a 128-bit running sum. The zero value is 0.
type Sum struct {
	Hi int64
	Lo uint64
}

// Add adds n; 2^64 additions fit.
func (s *Sum) Add(n int64) {
	var carry uint64
	s.Lo, carry = bits.Add64(s.Lo, uint64(n), 0)
	s.Hi += n>>63 + int64(carry)
}

// AddSum adds another sum.
func (s *Sum) AddSum(o Sum) {
	var carry uint64
	s.Lo, carry = bits.Add64(s.Lo, o.Lo, 0)
	s.Hi += o.Hi + int64(carry)
}

// Int64 is the sum, and whether it fits int64.
func (s Sum) Int64() (int64, bool) {
	n := int64(s.Lo)
	return n, s.Hi == n>>63
}
