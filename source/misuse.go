package source

import (
	"errors"
	"fmt"
	"io/fs"

	"liushui"
)

// misuse is an error that the user must mend: what, where and how, in one line.
func misuse(format string, args ...any) error {
	return &misuseError{fmt.Sprintf(format, args...)}
}

type misuseError struct{ text string }

func (e *misuseError) Error() string { return e.text }
func (e *misuseError) Unwrap() error { return liushui.ErrMisuse }

// cause is what lies beneath an error of a file, without the operation and path
// that the message names already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
