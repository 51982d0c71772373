package enginetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDisorderOnThePlainEngine(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { Disorder(t, plainEngine(""), seed) })
	}
}

func TestRandomRepeats(t *testing.T) {
	if d := cmp.Diff(Random(7, 300, 3), Random(7, 300, 3)); d != "" {
		t.Error(d)
	}
	if cmp.Equal(Random(7, 300, 3), Random(8, 300, 3)) {
		t.Error("two seeds give the same records")
	}
}

// TestRandomHasEverything guards the generator: a property that holds over
// events without disorder says little.
func TestRandomHasEverything(t *testing.T) {
	job := parse(t, RandomJob)
	topic := NewTopic("category", 3)
	old := 0
	for _, s := range Random(3, 5000, 3) {
		topic.Append(s.Partition, s.Record)
		if s.Old {
			old++
		}
	}
	_, account := Batch(job, topic.All(), Options{})
	for name, n := range map[string]int64{"old": int64(old), "counted": account.Counted - 3000, "duplicate": account.Duplicate, "bad": account.Bad, "ignored": 1} {
		if n <= 0 {
			t.Errorf("%s: too few; %+v", name, account)
		}
	}
}

// TestTheSuiteSeesFaults plays scripts on engines with a fault each.
func TestTheSuiteSeesFaults(t *testing.T) {
	for fault, seenBy := range map[string]string{
		"judges anew after a restart":        "crash",
		"forgets where it was":               "crash",
		"counts what is too late":            "lateness",
		"drops what is behind the watermark": "lateness",
		"loses count":                        "lateness",
		"counts duplicates":                  "duplicates",
		"has days of UTC":                    "zone_shanghai",
		"parks nothing":                      "bad",
		"waits for idle partitions":          "idle",
		"takes the newest partition":         "partitions_behind",
		"rounds":                             "numbers",
	} {
		t.Run(fault, func(t *testing.T) {
			if err := playOne(t, plainEngine(fault), seenBy); err == nil {
				t.Error("not seen")
			} else {
				t.Log(strings.SplitN(err.Error(), "\n", 2)[0])
			}
		})
	}
}
