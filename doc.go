// Package liushui is the vocabulary of the line: events, jobs, windows,
// results, money, and the contracts Reader, Writer and Engine that its parts
// meet at. It does no I/O.
//
//	CSV / generator ─► topic category ─► engine ─► topic category_results ─► store, wall
//
// One package stands for each outside technology around it (source, kafka,
// native, store, wall); cmd/liushui ties them together, and up.go there is the
// line in order.
package liushui

import "errors"

// Errors that a caller may ask for with errors.Is.
var (
	// ErrMisuse marks what the user must mend in a flag, file or address: exit code 2.
	ErrMisuse = errors.New("misuse")
	// ErrOtherTopic means that a topic was deleted and made again: what was kept belongs to another log.
	ErrOtherTopic = errors.New("the topic is not the one that was read before")
	// ErrGone means that offsets which are still needed are no longer, or not yet, in the log.
	ErrGone = errors.New("the log does not hold this offset")
	// ErrDirectoryInUse means that another process works on the same data directory.
	ErrDirectoryInUse = errors.New("the data directory is in use by another process")
	// ErrBad marks a record that is not an event; see system.md section 2.
	ErrBad = errors.New("bad record")
	// ErrTooLarge means that a sum does not fit its type; it is sent as null.
	ErrTooLarge = errors.New("too large")
)
