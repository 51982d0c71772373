package spark

import (
	"fmt"
	"testing"
	"time"

	"liushui"
)

// told is what Spark says of a batch of one partition.
func told(start, end string, fresh, duplicate, late int, metrics string) string {
	return fmt.Sprintf(`{"timestamp":"2026-01-01T00:00:00Z","durationMs":{%s},"eventTime":{"max":"2026-01-01T00:00:00Z","watermark":"2025-12-31T00:00:00Z"},
		"sources":[{"startOffset":%s,"endOffset":%s}],"stateOperators":[{"operatorName":"stateStoreSave","numRowsUpdated":7},
		{"operatorName":"dedupeWithinWatermark","numRowsUpdated":%d,"numRowsDroppedByWatermark":%d,"customMetrics":{"numDroppedDuplicateRows":%d}}]}`,
		metrics, start, end, fresh, late, duplicate)
}

func at(offset int) string { return fmt.Sprintf(`"{\"category\":{\"0\":%d}}"`, offset) }

// Each batch counts once, whatever is heard twice, and one that was not heard of
// leaves an account that adds up and says that it does not tell.
func TestLedger(t *testing.T) {
	const ran = `"addBatch":1`
	first, second := told("null", at(10), 6, 2, 1, ran), told(at(10), at(15), 5, 0, 0, ran)
	for name, test := range map[string]struct {
		texts  []string
		want   liushui.Account
		unsure bool
	}{
		"two":       {[]string{first, second}, liushui.Account{Read: 15, Counted: 11, Duplicate: 2, Late: 1, Bad: 1}, false},
		"twice":     {[]string{first, first, second, first, second}, liushui.Account{Read: 15, Counted: 11, Duplicate: 2, Late: 1, Bad: 1}, false},
		"idle":      {[]string{told(at(10), at(10), 6, 2, 1, ""), first}, liushui.Account{Read: 10, Counted: 6, Duplicate: 2, Late: 1, Bad: 1}, false},
		"no record": {[]string{first, told(at(10), at(10), 0, 0, 0, ran)}, liushui.Account{Read: 10, Counted: 6, Duplicate: 2, Late: 1, Bad: 1}, false},
		"unheard":   {[]string{first, told(at(12), at(15), 3, 0, 0, ran)}, liushui.Account{Read: 15, Counted: 11, Duplicate: 2, Late: 1, Bad: 1}, true},
	} {
		var l ledger
		l.begin(map[int32]int64{0: 0}, nil)
		for _, text := range test.texts {
			b, err := readBatch(text)
			if err != nil {
				t.Fatal(err)
			}
			l.take(&b, time.Hour)
		}
		if l.account != test.want || l.unsure != test.unsure || !l.account.Balanced() {
			t.Errorf("%s: %+v, unsure %t, want %+v, %t", name, l.account, l.unsure, test.want, test.unsure)
		}
		if want := time.Date(2025, 12, 31, 1, 0, 0, 0, time.UTC).UnixMilli(); l.watermark != want {
			t.Errorf("%s: watermark %d, want %d", name, l.watermark, want)
		}
	}
}
