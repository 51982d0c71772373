package liushui

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestParseMoney(t *testing.T) {
	const bad = math.MinInt64 + 1 // stands for an error
	zeros := strings.Repeat("0", 70)
	tests := []struct {
		text string
		want Money
	}{
		{"0", 0}, {"-0", 0}, {"-0.0000", 0}, {"0e5", 0}, {"0e-99999999999", 0}, {"0.00000e400", 0},
		{"1", 10000}, {"178.76", 1787600}, {"1.5", 15000}, {"1.50000", 15000}, {"1.5e0", 15000}, {"15E-1", 15000}, {"0.15e+1", 15000},
		{"-1.5", -15000}, {"0.0001", 1}, {"1e-4", 1}, {"100e-6", 1}, {"0.00010", 1}, {"10.0001", 100001}, {"1000.0000", 10000000},
		{"1e12", MaxAmount}, {"1000000000000", MaxAmount}, {"1" + zeros + "e-70", 10000}, {"0." + zeros + "1e71", 10000},
		{"922337203685477.5807", math.MaxInt64}, {"9223372036854775807e-4", math.MaxInt64}, {"-922337203685477.5808", math.MinInt64},
		{"1.0" + zeros, 10000}, {"12" + zeros + ".000e-70", 120000},

		{"922337203685477.5808", bad}, {"-922337203685477.5809", bad}, {"1e15", bad}, {"18446744073709551616e-4", bad}, {"1" + zeros, bad}, {"1e999999999999", bad},
		{"1.23456", bad}, {"0.00001", bad}, {"1e-5", bad}, {"1e-999999999999", bad}, {"1." + zeros + "1", bad}, {"1" + zeros + "1", bad}, {"1" + zeros + "1e-75", bad},
		{"", bad}, {"-", bad}, {"+1", bad}, {".5", bad}, {"-.5", bad}, {"1.", bad}, {"1.e5", bad}, {"01", bad}, {"-01", bad}, {"00", bad}, {"01.5", bad},
		{"1e", bad}, {"1e+", bad}, {"1e5.0", bad}, {"1 ", bad}, {" 1", bad}, {"1.2.3", bad}, {"--1", bad}, {"0x10", bad}, {"1_000", bad}, {"NaN", bad}, {"Infinity", bad}, {"1,5", bad}, {"１", bad},
	}
	for _, test := range tests {
		got, err := ParseMoney(test.text)
		if err != nil {
			got = bad
		}
		if got != test.want {
			t.Errorf("%.40q: %d (%v), want %d", test.text, got, err, test.want)
		}
	}
}

func TestParseTellsTooLargeFromMalformed(t *testing.T) {
	for text, tooLarge := range map[string]bool{"1e15": true, "9223372036854775808": true, "1e-5": false, "x": false} {
		if _, err := ParseMoney(text); errors.Is(err, ErrTooLarge) != tooLarge {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParseWhole(t *testing.T) {
	for text, want := range map[string]int64{"3": 3, "3.0": 3, "30e-1": 3, "3e2": 300, "1580486400000": 1580486400000, "-9223372036854775808": math.MinInt64} {
		if got, err := ParseWhole(text); err != nil || got != want {
			t.Errorf("%s: %d %v", text, got, err)
		}
	}
	for _, text := range []string{"3.5", "3e-1", "9223372036854775808", "x"} {
		if got, err := ParseWhole([]byte(text)); err == nil {
			t.Errorf("%s: %d, want an error", text, got)
		}
	}
}

func TestMoneyText(t *testing.T) {
	for m, want := range map[Money]string{
		0: "0.00", 1: "0.0001", -1: "-0.0001", 10: "0.001", 100: "0.01", 1000: "0.10", 10000: "1.00", 1787600: "178.76", 15005: "1.5005",
		math.MaxInt64: "922337203685477.5807", math.MinInt64: "-922337203685477.5808",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d: %s, want %s", int64(m), got, want)
		}
		if back, err := ParseMoney(want); err != nil || back != m {
			t.Errorf("%s reads back as %d, %v", want, back, err)
		}
	}
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// byValue is the plain form of parseDecimal.
func byValue(text string, places int) (int64, bool) {
	if !jsonNumber.MatchString(text) {
		return 0, false
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if strings.Trim(mantissa, "-0.") == "" {
		return 0, true
	}
	if e, err := strconv.Atoi(exponent); exponent != "" && (err != nil || e > 100_000 || e < -100_000) {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)))
	return r.Num().Int64(), r.IsInt() && r.Num().IsInt64()
}

func sameByValue(t *testing.T, text string) {
	t.Helper()
	want, ok := byValue(text, 4)
	if got, err := ParseMoney(text); ok != (err == nil) || ok && int64(got) != want {
		t.Errorf("money %.80q: %d (%v), want %d %t", text, got, err, want, ok)
	}
	want, ok = byValue(text, 0)
	if got, err := ParseWhole([]byte(text)); ok != (err == nil) || ok && got != want {
		t.Errorf("whole %.80q: %d (%v), want %d %t", text, got, err, want, ok)
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, seed := range []string{"0", "-1.50", "178.76", "1e12", "1.23456", "9223372036854775807", "100000000000000000000001e-20", "0.000000000000000000001e21", "01", "1e", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 70_000 {
			sameByValue(t, text)
		}
	})
}

// TestNumbersOfManyForms makes numbers that are hard to read: runs of zeros and
// exponents around the borders of int64.
func TestNumbersOfManyForms(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	digits := func(most int) string {
		var s strings.Builder
		for s.Len() < most {
			if random.IntN(3) > 0 {
				s.WriteString(strings.Repeat("0", random.IntN(most-s.Len()+1)))
			} else {
				s.WriteByte(byte('1' + random.IntN(9)))
			}
			if random.IntN(6) == 0 {
				break
			}
		}
		return s.String()
	}
	for range 40_000 {
		text := strings.TrimLeft(digits(26), "0")
		if text == "" || random.IntN(5) == 0 {
			text = "0"
		}
		if random.IntN(2) == 0 {
			text += "." + digits(26)
		}
		if random.IntN(2) == 0 {
			text += "e" + strconv.Itoa(random.IntN(60)-30)
		}
		if random.IntN(4) == 0 {
			text = "-" + text
		}
		sameByValue(t, text)
	}
}

func TestMoneyRoundTrips(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		m := Money(random.Uint64() >> random.IntN(64))
		if back, err := ParseMoney(m.String()); err != nil || back != m {
			t.Fatalf("%d as %s reads back as %d, %v", int64(m), m, back, err)
		}
	}
}

func TestSum(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	check := func(s Sum, want *big.Int) {
		t.Helper()
		n, fits := s.Int64()
		if fits != want.IsInt64() || fits && n != want.Int64() {
			t.Fatalf("%+v: %d %t, want %s", s, n, fits, want)
		}
	}
	for range 300 {
		var s Sum
		total := new(big.Int)
		for range 200 {
			n := int64(random.Uint64()) >> random.IntN(63)
			if random.IntN(8) == 0 {
				n = []int64{math.MaxInt64, math.MinInt64, -1, 0}[random.IntN(4)]
			}
			if random.IntN(10) == 0 {
				s.AddSum(s)
				total.Add(total, total)
				if total.BitLen() > 120 { // 128 bits are promised
					s, total = Sum{}, new(big.Int)
				}
			}
			s.Add(n)
			check(s, total.Add(total, big.NewInt(n)))
		}
	}
	check(Sum{}, new(big.Int))
}
