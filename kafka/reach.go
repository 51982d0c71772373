package kafka

import (
	"fmt"

	"liushui"
)

// reach is how far a partition's acknowledged records reach.
type reach struct{ next, end int64 }

// take moves to a record that was acknowledged at an offset; false means that
// the partition ends before records that were acknowledged earlier: they are lost.
// The records of a batch follow each other. A broker may acknowledge a batch that
// it had kept already without its place: then it begins at -1.
func (p *reach) take(offset int64) bool {
	within := offset == p.next
	p.next = offset + 1
	if !within && offset >= 0 && offset < p.end {
		return false
	}
	p.end = max(p.end, p.next)
	return true
}

// placed sees that a topic does not go back, as after a power cut or where a
// replica that lacked records became the leader. The client library only goes on.
func (w *writer) placed(partition int32, offset int64) error {
	for int(partition) >= len(w.reached) {
		w.reached = append(w.reached, reach{})
	}
	p := &w.reached[partition]
	end := p.end
	if p.take(offset) {
		return nil
	}
	return fmt.Errorf("topic %s, partition %d has gone back to offset %d, but was written up to %d: %d records are lost, as after a power cut: %w",
		w.topic, partition, offset, end, end-offset, liushui.ErrGone)
}
