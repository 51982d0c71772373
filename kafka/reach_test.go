package kafka

import "testing"

func TestReach(t *testing.T) {
	for name, c := range map[string]struct {
		offsets []int64
		lost    bool // at the last
	}{
		"batches":                              {[]int64{0, 1, 2, 3, 4}, false},
		"others write between":                 {[]int64{5, 6, 9, 20, 21}, false},
		"an empty log":                         {[]int64{5, 6, 0}, true},
		"a shorter log":                        {[]int64{5, 6, 7, 6}, true},
		"kept already, without its place":      {[]int64{5, 6, -1, 0, 1}, false},
		"what follows that":                    {[]int64{5, 6, -1, 0, 1, 7, 8}, false},
		"what follows that, in a shorter log":  {[]int64{5, 6, -1, 0, 1, 6}, true},
		"one record kept, without its place":   {[]int64{5, -1, 6}, false},
		"the first one kept without its place": {[]int64{-1, 0, 1, 40}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := &reach{}
			for i, offset := range c.offsets {
				want := c.lost && i == len(c.offsets)-1
				if got := !p.take(offset); got != want {
					t.Errorf("at offset %d: lost %v, want %v", offset, got, want)
				}
			}
		})
	}
}
