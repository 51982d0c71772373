package spark

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"liushui"
)

// batch is what Spark tells of one.
type batch struct {
	Timestamp      time.Time
	DurationMs     map[string]int64
	EventTime      map[string]time.Time // watermark at its start; max of its own events
	Sources        []struct{ StartOffset, EndOffset placed }
	StateOperators []struct {
		OperatorName                              string
		NumRowsUpdated, NumRowsDroppedByWatermark int64
		CustomMetrics                             map[string]int64
	}
}

// placed are offsets by topic and partition. Spark writes them as JSON in a text;
// there are none before the first batch.
type placed map[string]map[string]int64

func (p *placed) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		b = []byte(text)
	}
	if !json.Valid(b) {
		return nil // not known yet
	}
	return json.Unmarshal(b, (*map[string]map[string]int64)(p))
}

func readBatch(text string) (b batch, err error) {
	if err = json.Unmarshal([]byte(text), &b); err != nil {
		return b, fmt.Errorf("read what Spark says of a batch: %w", err)
	}
	return b, nil
}

// offsets of the one source, by partition.
func (b *batch) offsets(of func(start, end placed) placed) map[int32]int64 {
	all := map[int32]int64{}
	for _, s := range b.Sources {
		for _, parts := range of(s.StartOffset, s.EndOffset) {
			for text, offset := range parts {
				if number, err := strconv.ParseInt(text, 10, 32); err == nil {
					all[int32(number)] = offset
				}
			}
		}
	}
	return all
}

func starts(start, _ placed) placed { return start }
func ends(_, end placed) placed     { return end }

// ledger adds up what the batches of a query say. Each is taken once, known by
// its offsets: they go on where those of the one before ended.
type ledger struct {
	from      map[int32]int64 // first offsets that the generation counts
	offsets   map[int32]int64 // next to read
	account   liushui.Account
	newest    int64
	watermark int64
	judged    int64
	unsure    bool // a batch was not heard of: what became of its records is not known
}

// begin goes on from the last progress record of the generation.
func (l *ledger) begin(from map[int32]int64, before *liushui.Progress) {
	*l = ledger{from: from, offsets: maps.Clone(from)}
	if before == nil {
		return
	}
	for _, part := range before.Partitions {
		l.from[part.Partition], l.offsets[part.Partition] = part.From, part.Offset
	}
	l.account, l.newest, l.watermark, l.judged = before.Account, before.Newest, before.Watermark, before.Judged
	l.unsure = slices.Contains(before.Unknown, unknownParts)
}

// take adds a batch of the results' query.
func (l *ledger) take(b *batch, corrections time.Duration) {
	if _, ran := b.DurationMs["addBatch"]; !ran {
		return // a sign of life, no batch
	}
	if at := b.EventTime["watermark"].UnixMilli(); at > 0 {
		l.watermark = max(l.watermark, at+corrections.Milliseconds())
	}
	if at, ok := b.EventTime["max"]; ok {
		l.newest = max(l.newest, at.UnixMilli())
	}
	begun, ended := b.offsets(starts), b.offsets(ends)
	read, fresh, missed := int64(0), false, false
	for number, end := range ended {
		start, ok := begun[number]
		if !ok {
			start = l.from[number]
		}
		at := l.offsets[number]
		read += max(end-at, 0)
		fresh = fresh || end > at
		missed = missed || end > at && start != at || end <= at && end > start
		l.offsets[number] = max(at, end)
	}
	if !fresh {
		return // seen before, or without records
	}
	l.judged = max(l.judged, b.Timestamp.UnixMilli())
	l.account.Read += read
	if missed {
		l.unsure = true
		l.account.Counted += read
		return
	}
	for _, o := range b.StateOperators {
		if o.OperatorName != "dedupeWithinWatermark" {
			continue
		}
		duplicate := o.CustomMetrics["numDroppedDuplicateRows"]
		l.account.Counted += o.NumRowsUpdated
		l.account.Duplicate += duplicate
		l.account.Late += o.NumRowsDroppedByWatermark
		l.account.Bad += read - o.NumRowsUpdated - duplicate - o.NumRowsDroppedByWatermark
	}
}

// unknownParts is said of an account of which only the number read is sure.
const unknownParts = "account: a batch was not heard of; its records stand in counted"

// unknown is what this engine cannot tell.
func (l *ledger) unknown(job *liushui.Job) []string {
	all := []string{"corrected", "too_large", "feed", "partitions.newest"}
	if l.unsure {
		all = append(all, unknownParts)
	}
	if !foldsAll(job) {
		all = append(all, "account.ignored: stands in counted")
	}
	return all
}

// foldsAll reports whether no event of a job is ignored: some measure takes each.
func foldsAll(job *liushui.Job) bool {
	return slices.ContainsFunc(job.Statistics, func(s *liushui.Statistic) bool {
		return slices.ContainsFunc(s.Measures, func(m liushui.Measure) bool { return len(m.Where) == 0 })
	})
}
