package native

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"liushui"
)

// batch judges the next records, partition by partition in offset order, all
// against the watermark at its start. It returns how many it took, and the
// batch's journal entry. An event is taken only if it is at most corrections
// ahead of the oldest next record, which may always go on: this bounds memory.
func (e *Engine) batch() (int, journalEntry) {
	entry := journalEntry{watermark: e.marks.watermark, ends: map[int32]int64{}}
	oldest, some := e.oldestNext()
	limit := int64(-none)
	if some {
		limit = oldest + e.marks.corrections
	}
	taken := 0
	for _, number := range e.marks.numbers() {
		some := 0
		for some < batchLimit {
			n, more := e.judgeSome(number, batchLimit-some, -none, limit)
			some += n
			if !more {
				break
			}
		}
		if some > 0 {
			entry.ends[number] = e.marks.partition(number).offset
			taken += some
		}
	}
	return taken, entry
}

// judgeSome judges the next records of a partition: at most a few, below the
// offset end, and up to the first event after the limit. more reports whether
// there may be others. They are all decoded first, so that the waits for memory
// overlap.
func (e *Engine) judgeSome(number int32, atMost int, end, limit int64) (n int, more bool) {
	q, p := e.intake.queue(number), e.marks.partition(number)
	records := q.some(min(atMost, len(e.ahead)), end)
	for i := range records {
		e.aheadErr[i] = e.read(&records[i], &e.ahead[i])
	}
	e.ids.touch(e.ahead[:len(records)])
	for i := range records {
		if e.aheadErr[i] == nil && e.ahead[i].time > limit {
			break
		}
		e.judge(p, &records[i], &e.ahead[i], e.aheadErr[i])
		n++
	}
	if n > 0 {
		p.offset = records[n-1].Offset + 1
		e.intake.take(number, q, n)
	}
	if n < len(records) {
		q.peeked, q.head = true, e.ahead[n].time
	}
	return n, n > 0 && n == len(records)
}

// oldestNext is the least event time among next records. A partition whose
// unread records are not fetched yet stands where its newest event was.
func (e *Engine) oldestNext() (oldest int64, some bool) {
	oldest = -none
	for _, end := range e.ends {
		if p := e.marks.partition(end.Partition); e.intake.queue(end.Partition).next() == nil && p.offset < end.End {
			oldest, some = min(oldest, p.newest), true
		}
	}
	for _, number := range e.marks.numbers() {
		q := e.intake.queue(number)
		if q.next() == nil {
			continue
		}
		if head := e.peek(q); head != none {
			oldest, some = min(oldest, head), true
		}
	}
	return oldest, some
}

// peek is the event time of a queue's first record; none where it is bad, so
// that it may be judged at once and holds nothing up.
func (e *Engine) peek(q *queue) int64 {
	if !q.peeked {
		q.peeked, q.head = true, none
		if err := e.read(q.next(), &e.ahead[0]); err == nil {
			q.head = e.ahead[0].time
		}
	}
	return q.head
}

// read decodes a record; an error says why it is bad. One of them is a time too
// far ahead of the record's Kafka time, but for replays and demos.
func (e *Engine) read(r *liushui.Record, ev *event) error {
	err := e.decoder.decode(r.Value, ev)
	if err != nil || r.Feed == liushui.FeedReplay || r.Feed == liushui.FeedDemo || ev.time <= r.Time+e.c.MaxAhead.Milliseconds() {
		return err
	}
	return fmt.Errorf("time is %s ahead of its record's, more than %s: %w",
		time.Duration(ev.time-r.Time)*time.Millisecond, e.c.MaxAhead, liushui.ErrBad)
}

// judge takes one record that was read: bad, late, duplicate, ignored or
// counted, in this order.
func (e *Engine) judge(p *partition, r *liushui.Record, ev *event, err error) {
	e.account.Read++
	e.judged = max(e.judged, r.Time)
	e.feed = r.Feed
	if err != nil {
		e.account.Bad++
		e.park(r, "bad", err.Error())
		return
	}
	if p.first == none {
		p.first = ev.time
	}
	tooLate := int64(none)
	if w := e.entryWatermark; w != none {
		tooLate = w - e.marks.corrections
	}
	e.marks.accept(p, ev.time)
	switch {
	case ev.time <= tooLate:
		e.account.Late++
		e.park(r, "late", "time "+strconv.FormatInt(ev.time, 10)+" is not after "+strconv.FormatInt(tooLate, 10)+", the watermark less the corrections")
	case !e.ids.add(ev.entry, tooLate):
		e.account.Duplicate++
	default:
		counted, late := e.folder.fold(ev, e.entryWatermark)
		if !counted {
			e.account.Ignored++
			return
		}
		e.account.Counted++
		if late {
			e.corrected++
		}
	}
}

// park queues a dead letter. The record's memory is not its own. Of one so large
// that no topic might take it with the letter's headers, the beginning is kept,
// with the header `bytes`: how many it has.
func (e *Engine) park(r *liushui.Record, reason, detail string) {
	key := append([]byte{'['}, liushui.AppendQuoted(nil, e.c.Topic)...)
	key = append(key, ',')
	key = strconv.AppendInt(key, int64(r.Partition), 10)
	key = append(key, ',')
	key = append(strconv.AppendInt(key, r.Offset, 10), ']')
	text := func(name, value string) liushui.Header { return liushui.Header{Key: name, Value: []byte(value)} }
	headers := []liushui.Header{text("reason", reason), text("detail", detail), text("engine", engineName),
		text("generation", strconv.FormatInt(e.generation, 10)), text("time", strconv.FormatInt(r.Time, 10))}
	value := r.Value
	if len(value) > liushui.MaxLetter {
		headers = append(headers, text("bytes", strconv.Itoa(len(value))))
		value = value[:liushui.MaxLetter]
	}
	e.parked = append(e.parked, liushui.Record{Key: key, Value: bytes.Clone(value), Feed: r.Feed, Headers: headers})
}
