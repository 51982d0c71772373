// Package source makes events: from a CSV file by a mapping, or from a seeded
// generator; and sends them in their time's order, at a pace, from where an
// earlier run stopped. It knows neither Kafka nor results.
//
//	mapping + CSV ─► Replay ┐
//	                        ├─► Producer (pace, acknowledgements, resume point) ─► liushui.Writer
//	seed ─► Generator ──────┘
package source

import "liushui"

// Item is one record to be sent.
type Item struct {
	// At is the item's place on the source's clock, ms. It never falls from item
	// to item; an event's own time may lie before it (a generator's late events).
	At int64
	// Event is what is sent, unless Raw is.
	Event liushui.Event
	// Raw is sent instead, under Event.RecordKey: a record that is no event.
	Raw []byte
	// Now says that the event's time is the moment it is sent.
	Now bool
}

// Source gives items in the order of At.
type Source interface {
	// Feed is liushui.FeedReplay or FeedDemo.
	Feed() string
	// Total is how many items the whole run has; 0: it does not end.
	Total() int64
	// Next fills items from the front and returns how many; io.EOF comes alone.
	// Strings stay valid for as long as they are held, Extra and Raw until the
	// item is filled again.
	Next(items []Item) (int, error)
}

// resumable is a Source that can go on where an earlier process stopped.
type resumable interface {
	Source
	// Fingerprint names all that makes its items; empty: it cannot be resumed.
	Fingerprint() string
	// RunStart goes into the ids of laps, so a resumed run keeps it.
	RunStart() int64
	// Resume makes Next go on behind so many items of the run that began at runStart.
	Resume(runStart, items int64) error
}
