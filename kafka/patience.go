package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"liushui"
)

// patience is how long a question is asked again while no broker answers it:
// brokers restart.
const patience = 30 * time.Second

// patiently asks until there is an answer, an error that will not pass, or no
// patience left.
func patiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for began, fails := time.Now(), 1; ; fails++ {
		answer, err := ask()
		if err != nil && ctx.Err() != nil {
			return answer, ctx.Err()
		}
		if err == nil || !passes(err) || time.Since(began) > patience {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, ctx.Err()
		case <-time.After(backoff(fails)):
		}
	}
}

// passes reports whether an error is of a kind that brokers get over: all that
// has to do with connections, and what they themselves call so.
func passes(err error) bool {
	for _, lasting := range []error{liushui.ErrMisuse, liushui.ErrGone, liushui.ErrOtherTopic, kgo.ErrClientClosed, context.Canceled} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	var said *kerr.Error
	return !errors.As(err, &said) || said.Retriable
}
