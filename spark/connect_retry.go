package spark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "liushui/spark/proto"
)

// How long things are waited for.
const (
	attemptTime = 20 * time.Second // for one call, however long its answer is
	answerTime  = time.Minute      // for an answer over all attempts
	startTime   = 5 * time.Minute  // for a query to start: its plan is made meanwhile
	tellTime    = 5 * time.Second  // for what is only good to know
	firstWait   = 50 * time.Millisecond
	longestWait = 5 * time.Second
)

// awayError means that no answer came, however often it was asked for: another
// time one may.
type awayError struct {
	address string
	within  time.Duration
	err     error // of the last attempt that had one
}

func (e *awayError) Error() string {
	return fmt.Sprintf("no answer from Spark at %s within %s: %s", e.address, e.within, reason(e.err))
}

// away says whether the server could not be reached.
func away(err error) bool {
	var e *awayError
	return errors.As(err, &e)
}

// again marks an error after which the same is tried once more.
type again struct{ error }

// persist calls try, each time with a deadline, until it succeeds or fails in a
// way that no other attempt would mend.
func (c *connection) persist(ctx context.Context, within time.Duration, try func(context.Context, pb.SparkConnectServiceClient) error) error {
	whole, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var last error
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		conn, rpc := c.current()
		conn.ResetConnectBackoff() // the waiting is done here
		once, cancel := context.WithTimeout(whole, attemptTime)
		err := try(once, rpc)
		late := once.Err() != nil
		cancel()
		if err == nil || ctx.Err() != nil {
			return cause(ctx, err)
		}
		if late {
			c.replace(conn)
		} else if !transient(err) {
			return err
		}
		if !late || last == nil {
			last = err
		}
		if errors.Is(err, io.EOF) {
			wait = firstWait // the server had something to say until now
		}
		select {
		case <-time.After(wait + rand.N(wait/4)):
		case <-whole.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &awayError{c.address.String(), within, last}
		}
	}
}

// cause is the error of a call whose context may have ended.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// transient says whether the same call may succeed another time.
func transient(err error) bool {
	var once again
	switch s := status.Convert(err); {
	case errors.As(err, &once), errors.Is(err, io.EOF):
		return true
	case s.Code() == codes.Unavailable:
		return !distrust(err)
	case s.Code() == codes.Canceled: // replace took the connection from under it
		return true
	default:
		return classOf(s) == "INVALID_CURSOR.DISCONNECTED"
	}
}

// distrust says that the two sides of TLS do not go together: no other attempt
// would mend that.
func distrust(err error) bool {
	text := reason(err)
	return strings.Contains(text, "x509: ") || strings.Contains(text, "tls: ")
}

// reason is what went wrong, without the wrapping of gRPC.
func reason(err error) string {
	if errors.Is(err, io.EOF) {
		return "it ends every answer early"
	}
	s := status.Convert(err)
	if s.Code() == codes.DeadlineExceeded {
		return "it is silent"
	}
	text := s.Message()
	if _, quoted, ok := strings.Cut(text, "desc = "); ok {
		if inner, err := strconv.Unquote(quoted); err == nil {
			text = inner
		}
	}
	for _, wrapping := range []string{"transport: ", "Error while dialing: ", "authentication handshake failed: "} {
		text = strings.TrimPrefix(text, wrapping)
	}
	if closedAtOnce(text) {
		return "it closes the connection at once; perhaps it wants use_ssl=true"
	}
	return text
}

// closedAtOnce: by a word, or by a reset that is met while reading or writing.
func closedAtOnce(text string) bool {
	preface, ok := strings.CutPrefix(text, "error reading server preface: ")
	return ok && (preface == "EOF" || strings.HasSuffix(preface, "connection reset by peer")) ||
		strings.HasPrefix(text, "write tcp ") && strings.HasSuffix(text, "broken pipe")
}
