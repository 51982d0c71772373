package kafka

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// retries counts what did not work with a broker and is tried again.
type retries struct{ n atomic.Int64 }

// Retries is how many requests of this client, its readers and writers, got no
// answer, and how many of their connections failed: each is tried again. What a
// broker answers, refusals included, is not counted.
func (c *Client) Retries() int64 { return c.retries.n.Load() }

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (r *retries) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	r.count(err)
}

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (r *retries) OnBrokerE2E(_ kgo.BrokerMetadata, _ int16, e kgo.BrokerE2E) { r.count(e.Err()) }

// count leaves out what ended because we ended it.
func (r *retries) count(err error) {
	if err == nil || errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "operation was canceled") { // by a dial
		return
	}
	r.n.Add(1)
}
