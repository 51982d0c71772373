package native

import (
	"context"
	"errors"
	"fmt"

	"liushui"
)

// resultsWriter is the way to the topic of results; where that is another one
// now, it says how to mend it.
type resultsWriter struct{ liushui.Writer }

func (r resultsWriter) Write(ctx context.Context, records []liushui.Record, done func(error)) error {
	return withResultsMend(r.Writer.Write(ctx, records, done))
}

func (r resultsWriter) Flush(ctx context.Context) error { return withResultsMend(r.Writer.Flush(ctx)) }

func withResultsMend(err error) error {
	if errors.Is(err, liushui.ErrOtherTopic) || errors.Is(err, liushui.ErrGone) {
		return fmt.Errorf("%w; the results that it held are lost: `liushui process --from earliest` computes them anew from the log, and sends all of them again", err)
	}
	return err
}
