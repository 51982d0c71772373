package spark

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "liushui/spark/proto"
)

type answering = grpc.ServerStreamingServer[pb.ExecutePlanResponse]

var (
	gone         = status.Error(codes.Unavailable, "the connection broke")
	disconnected = fault(codes.Internal, "INVALID_CURSOR.DISCONNECTED", "[INVALID_CURSOR.DISCONNECTED] The cursor is invalid.", "")
	unheardOf    = fault(codes.Internal, "INVALID_HANDLE.OPERATION_NOT_FOUND", "[INVALID_HANDLE.OPERATION_NOT_FOUND] The handle is invalid.", "")
	noSession    = fault(codes.Internal, "INVALID_HANDLE.SESSION_NOT_FOUND", "[INVALID_HANDLE.SESSION_NOT_FOUND] The handle is invalid.", "")
	changed      = fault(codes.Internal, "INVALID_HANDLE.SESSION_CHANGED", "[INVALID_HANDLE.SESSION_CHANGED] The existing Spark server driver instance has restarted.", "")
)

func TestAnExecutionIsFollowedThroughBreaks(t *testing.T) {
	for name, test := range map[string]struct {
		answers []func(answering) error
		calls   string
		want    string // the status's message; "" = an error
		fault   string
	}{
		"nothing breaks":                {[]func(answering) error{says(nil, isActive("r1"), complete("r2"))}, "execute, release", "r1", ""},
		"the answer and no end":         {[]func(answering) error{says(nil, isActive("r1")), says(nil, complete("r2"))}, "execute, reattach after r1, release", "r1", ""},
		"a break in the middle":         {[]func(answering) error{says(gone, isActive("r1")), says(nil, isActive("r2"), complete("r3"))}, "execute, reattach after r1, release", "r2", ""},
		"a break after two":             {[]func(answering) error{says(gone, isActive("r1"), isActive("r2")), says(nil, complete("r3"))}, "execute, reattach after r2, release", "r2", ""},
		"a break before the first":      {[]func(answering) error{says(gone), says(nil, isActive("r1"), complete("r2"))}, "execute, reattach after , release", "r1", ""},
		"another holds the cursor":      {[]func(answering) error{says(disconnected, isActive("r1")), says(disconnected), says(nil, complete("r2"))}, "execute, reattach after r1, reattach after r1, release", "r1", ""},
		"it never came to the server":   {[]func(answering) error{says(gone), says(unheardOf), says(nil, isActive("r1"), complete("r2"))}, "execute, reattach after , execute, release", "r1", ""},
		"neither it nor the session":    {[]func(answering) error{says(gone), says(noSession), says(nil, isActive("r1"), complete("r2"))}, "execute, reattach after , execute, release", "r1", ""},
		"it was heard and is forgotten": {[]func(answering) error{says(gone, isActive("r1")), says(unheardOf)}, "execute, reattach after r1, release", "", "INVALID_HANDLE.OPERATION_NOT_FOUND"},
		"the server started anew":       {[]func(answering) error{says(gone, isActive("r1")), says(changed)}, "execute, reattach after r1, release", "", "INVALID_HANDLE.SESSION_CHANGED"},
		"many ends":                     {append(slices.Repeat([]func(answering) error{says(nil)}, 5), says(nil, isActive("r1"), complete("r2"))), "execute" + strings.Repeat(", reattach after ", 5) + ", release", "r1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeSpark{answers: test.answers}
				s := f.serve(t)
				got, err := s.status(t.Context(), queryID{"q", "r"})
				if (err == nil) != (test.want != "") || got.Message != test.want || test.fault != "" && !hasClass(err, test.fault) {
					t.Errorf("got %+v, %v; want %q, %s", got, err, test.want, test.fault)
				}
				if lost(err) != (test.fault == "INVALID_HANDLE.SESSION_CHANGED") {
					t.Errorf("lost: %v", err)
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				if calls := strings.Join(f.calls, ", "); calls != test.calls {
					t.Errorf("calls: %s; want %s", calls, test.calls)
				}
				if slices.Sort(f.ops); f.ops[0] == "" || f.ops[0] != f.ops[len(f.ops)-1] {
					t.Errorf("one execution has the ids %v", f.ops)
				}
			})
		})
	}
}

// The server's own id of the session comes with the first answer and is sent back.
func TestTheServersIdIsSentBack(t *testing.T) {
	f := &fakeSpark{answers: []func(answering) error{says(nil, isActive("r1"), complete("r2")), says(nil, isActive("r1"), complete("r2"))}}
	s := f.serve(t)
	for range 2 {
		if _, err := s.status(t.Context(), queryID{}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"", "server-1"}; !slices.Equal(f.saw, want) || s.identity().Server != "server-1" {
		t.Errorf("it was sent %q and kept %q; want %q", f.saw, s.identity().Server, want)
	}
}

func TestBreaksAreWaitedOutAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSpark{answers: slices.Repeat([]func(answering) error{says(gone)}, 1000)}
		s := f.serve(t)
		began := time.Now()
		_, err := s.status(t.Context(), queryID{ID: "q"})
		if took := time.Since(began); !away(err) || took != answerTime {
			t.Errorf("after %s: %v", took, err)
		}
		if want := "ask for the query q: no answer from Spark at sc://fake:15002 within 1m0s: the connection broke"; err == nil || err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(f.times); n < 15 || n > 25 {
			t.Errorf("%d attempts in a minute", n)
		}
		for i := 1; i < len(f.times); i++ {
			wait := f.times[i].Sub(f.times[i-1])
			if least := min(firstWait<<(i-1), longestWait); wait < least || wait > least*5/4 {
				t.Errorf("wait %d is %s; want %s and up to a quarter more", i, wait, least)
			}
		}
	})
}

// A server ends each stream on purpose now and then; that slows nothing down.
func TestEndsOfStreamsAreNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSpark{answers: append(slices.Repeat([]func(answering) error{says(nil)}, 50), says(nil, isActive("r1"), complete("r2")))}
		began := time.Now()
		if _, err := f.serve(t).status(t.Context(), queryID{}); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 50*2*firstWait*5/4 {
			t.Errorf("fifty ends took %s", took)
		}
	})
}

func TestACallerWhoGivesUpIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSpark{answers: slices.Repeat([]func(answering) error{says(gone)}, 1000)}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := f.serve(t).status(ctx, queryID{}); !errors.Is(err, context.DeadlineExceeded) || away(err) || time.Since(began) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// dyingConn is a connection that falls dead without a sign: what is written is
// lost, and nothing comes any more.
type dyingConn struct {
	net.Conn
	dead *atomic.Bool
}

func (c dyingConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.dead.Load() {
			return n, err
		}
	}
}

func (c dyingConn) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Each call has its deadline, and the next goes over a new connection.
func TestADeadConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		dials := 0
		s := (&fakeSpark{}).serve(t, func(conn net.Conn) net.Conn {
			if dials++; dials > 1 {
				return conn
			}
			return dyingConn{conn, &dead}
		})
		if _, err := s.version(t.Context()); err != nil {
			t.Fatal(err)
		}
		dead.Store(true)
		began := time.Now()
		if _, err := s.version(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); dials != 2 || took < attemptTime || took > attemptTime+longestWait {
			t.Errorf("%d connections in %s", dials, took)
		}
	})
}

func TestASilentServerIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSpark{version: func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }}
		s := f.serve(t)
		began := time.Now()
		_, err := s.version(t.Context())
		if !away(err) || time.Since(began) != answerTime || !strings.HasSuffix(err.Error(), "within 1m0s: it is silent") {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}
