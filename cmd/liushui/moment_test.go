package main

import (
	"testing"

	"liushui"
)

// TestMoment is which progress record of an engine can be compared with.
func TestMoment(t *testing.T) {
	type said struct {
		at, offset int64
		stopped    bool
	}
	for name, test := range map[string]struct {
		said    []said
		want    int64 // time of the record; 0: none
		settled bool
	}{
		"one alone":                    {[]said{{1000, 5, false}}, 0, false},
		"at work":                      {[]said{{1000, 5, false}, {2000, 6, false}, {3000, 7, false}, {5000, 8, false}, {8500, 9, false}}, 2000, false},
		"not long at work":             {[]said{{1000, 5, false}, {5000, 6, false}}, 0, false},
		"at rest for six seconds":      {[]said{{1000, 5, false}, {2000, 6, false}, {4000, 6, false}, {8000, 6, false}}, 8000, true},
		"at rest, but not long enough": {[]said{{1000, 5, false}, {2000, 6, false}, {7000, 6, false}}, 1000, false},
		"stopped":                      {[]said{{1000, 5, false}, {1500, 6, true}}, 1500, true},
		"at work again":                {[]said{{1000, 5, true}, {9000, 6, false}}, 1000, false},
	} {
		t.Run(name, func(t *testing.T) {
			past := &pastProgress{}
			for _, s := range test.said {
				past.add(&liushui.Progress{Time: s.at, Stopped: s.stopped, Partitions: []liushui.PartitionProgress{{Offset: s.offset}}})
			}
			got, settled := past.choose()
			if got == nil {
				got = &liushui.Progress{}
			}
			if got.Time != test.want || settled != test.settled {
				t.Errorf("the record of %d, settled %t; want that of %d, %t", got.Time, settled, test.want, test.settled)
			}
		})
	}
}
