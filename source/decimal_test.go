package source

import (
	"math/big"
	"strings"
	"testing"
)

// FuzzDecimal holds numbers and their exact products against math/big.
func FuzzDecimal(f *testing.F) {
	for _, seed := range [][2]string{{"1.5", "3"}, {"-2.08", "80995"}, {"1e3", "1E-4"}, {"+007.50", ".5"}, {"5.", "0"}, {"0.0001", "1"}, {"18446744073709551615", "1"},
		{"999999999999.9999", "1"}, {"0.00000000000000000001", "1"}, {"-0.0", "-1"}, {"1_000", "1"}, {"0x10", "1"}, {"1e-400", "Inf"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := parseDecimal(a)
		y, errY := parseDecimal(b)
		if errX == nil {
			checkDecimal(t, a, x)
		}
		if errX != nil || errY != nil {
			return
		}
		product := new(big.Rat).Mul(rational(t, a), rational(t, b))
		scaled := new(big.Rat).Mul(product, big.NewRat(10_000, 1))
		m, err := x.times(y)
		if err == nil && (!scaled.IsInt() || scaled.Num().Cmp(big.NewInt(int64(m))) != 0) {
			t.Fatalf("%s × %s = %s, want %s", a, b, m, product)
		}
		limit := new(big.Rat).SetInt64(1 << 61)
		if err != nil && scaled.IsInt() && new(big.Rat).Abs(scaled).Cmp(limit) < 0 {
			t.Fatalf("%s × %s: %v, but it is %s", a, b, err, product)
		}
		if got, want := x.compare(y), rational(t, a).Cmp(rational(t, b)); got != want {
			t.Fatalf("%s against %s: %d, want %d", a, b, got, want)
		}
	})
}

func checkDecimal(t *testing.T, text string, d decimal) {
	t.Helper()
	want := rational(t, text)
	got := new(big.Rat).SetFrac(new(big.Int).SetUint64(d.n), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.scale)), nil))
	if d.negative {
		got.Neg(got)
	}
	if got.Cmp(want) != 0 {
		t.Fatalf("%q is %s, want %s", text, got, want)
	}
}

func rational(t *testing.T, text string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(strings.TrimSpace(text))
	if !ok || strings.ContainsAny(text, "_xXoObBpP/") {
		t.Fatalf("%q was accepted as a number", text)
	}
	return r
}

func TestNumbersThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                       `"" is not a number`,
		"-":                      `"-" is not a number`,
		"1,5":                    `"1,5" is not a number`,
		"1.2.3":                  `"1.2.3" is not a number`,
		"12a":                    `"12a" is not a number`,
		"1e":                     `"1e" is not a number`,
		"1e+":                    `"1e+" is not a number`,
		"NaN":                    `"NaN" is not a number`,
		"99999999999999999999":   `"99999999999999999999" has too many digits`,
		"1e30":                   `"1e30" is too large`,
		"0.12345678901234567e-9": `"0.12345678901234567e-9" has too many digits`,
	} {
		if _, err := parseDecimal(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
