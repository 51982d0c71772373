package native

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A dictionary gives each value one number, whatever its length and whatever
// follows it in the record, and keeps the numbers of used values over a sweep.
func TestDictionary(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	record := []byte(strings.Repeat("手机abcdefghijklm\x00", 4000))
	d := newDictionary()
	value := func() []byte {
		from, n := random.IntN(len(record)-40), random.IntN(40)
		if random.IntN(2) == 0 {
			return record[from : from+n : from+n] // nothing may be read behind it
		}
		return record[from : from+n]
	}
	numbers := map[string]uint32{"": 0}
	number := func() {
		v := value()
		got := d.number(d.word(v))
		if want, ok := numbers[string(v)]; ok && got != want {
			t.Fatalf("%q has the number %d, and had %d", v, got, want)
		}
		if d.values[got] != string(v) {
			t.Fatalf("%q has the number of %q", v, d.values[got])
		}
		numbers[string(v)] = got
	}
	for range 5 {
		for range 20_000 {
			number()
		}
		if d.size() != len(numbers)-1 {
			t.Fatalf("the dictionary holds %d values, want %d", d.size(), len(numbers)-1)
		}
		used := make([]bool, len(d.values))
		for v, n := range numbers {
			if used[n] = random.IntN(3) == 0; !used[n] && v != "" {
				delete(numbers, v)
			}
		}
		d.sweep(used)
	}
}
