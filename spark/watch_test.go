package spark

import (
	"errors"
	"log/slog"
	"testing"

	"liushui"
)

// What a person must mend ends the engine; what may mend itself is tried again.
func TestQueriesThatDoNotStart(t *testing.T) {
	for message, ends := range map[string]bool{
		`No FileSystem for scheme "nosuch"`:                            true,
		"mkdir of file:/proc/checkpoints failed":                       true,
		"Failed to find data source: kafka":                            true,
		"Job aborted during the commit of checkpoint 7: executor lost": false,
	} {
		e := &Engine{c: Config{Log: slog.New(slog.DiscardHandler)}, conn: &connection{}}
		q := &query{name: "results"}
		err := e.cannotStart(q, &sparkError{Message: message})
		if errors.Is(err, liushui.ErrMisuse) != ends || (err != nil) != ends || q.next.IsZero() != ends {
			t.Errorf("%s: %v, next at %s", message, err, q.next)
		}
	}
}
