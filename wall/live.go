package wall

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// writeLimit is how long a viewer may take for one frame.
const writeLimit = 5 * time.Second

// sendBuffer bounds, in bytes, what the kernel keeps for a viewer: one that
// reads slowly is to get the newest frame next, not minutes of old ones.
const sendBuffer = 32 << 10

// viewers are the live streams that are open.
type viewers struct {
	open    atomic.Int64
	once    sync.Once
	closing chan struct{} // closed when all are to end
}

func (v *viewers) close() { v.once.Do(func() { close(v.closing) }) }

// live streams frames: a snapshot first, then ticks; a snapshot again after any
// frame that the viewer was too slow for.
func (w *Wall) live(out http.ResponseWriter, r *http.Request) {
	if w.viewer.open.Add(1) > int64(w.config.MaxViewers) {
		w.viewer.open.Add(-1)
		out.Header().Set("Retry-After", "10")
		problem(out, http.StatusServiceUnavailable, "too many viewers; try again in a while")
		return
	}
	defer w.viewer.open.Add(-1)
	header := out.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store, no-transform")
	header.Set("X-Accel-Buffering", "no")
	header.Set("Vary", "Accept-Encoding")
	deflated := acceptsGzip(r)
	if deflated {
		header.Set("Content-Encoding", "gzip")
	}
	out.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	limitSendBuffer(r.Context())
	s := stream{out: out, control: http.NewResponseController(out), deflated: deflated}
	if deflated {
		out.Write(gzipHeader) // an error shows at the next write
	}
	w.follow(r.Context(), &s)
}

// follow sends frames until the viewer, or the wall, is gone.
func (w *Wall) follow(ctx context.Context, s *stream) {
	f := w.hub.newest.Load()
	if s.send(f.snapshot) != nil {
		return
	}
	for {
		select {
		case <-f.after:
		case <-ctx.Done():
			return
		case <-w.viewer.closing:
			return
		}
		newest := w.hub.newest.Load()
		next := newest.tick
		if skipped := newest.seq - f.seq - 1; skipped > 0 {
			next = newest.snapshot
			w.meters.skipped.Add(int(skipped))
		}
		if err := s.send(next); err != nil {
			w.meters.cut.Inc()
			return
		}
		f = newest
	}
}

// stream writes to one viewer.
type stream struct {
	out      http.ResponseWriter
	control  *http.ResponseController
	deflated bool
}

func (s *stream) send(t text) error {
	body := t.plain
	if s.deflated {
		body = t.deflated
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	if _, err := s.out.Write(body()); err != nil {
		return err
	}
	return s.control.Flush()
}

// acceptsGzip reports whether the answer may be gzip.
func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
			refused := strings.Trim(strings.TrimPrefix(strings.TrimSpace(quality), "q="), "0.") == "" && quality != ""
			if strings.EqualFold(strings.TrimSpace(name), "gzip") && !refused {
				return true
			}
		}
	}
	return false
}

type connKey struct{}

// keepConn lets limitSendBuffer find a request's connection.
func keepConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func limitSendBuffer(ctx context.Context) {
	conn := ctx.Value(connKey{})
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetWriteBuffer(sendBuffer) // without it a slow viewer is only further behind
	}
}
