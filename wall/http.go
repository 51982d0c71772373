package wall

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// noTime leaves out Last-Modified: the page's files are told apart by hash.
var noTime time.Time

// policy lets the page use nothing but what this server gives.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// strictTransport is for a wall with a certificate, for 30 days: it holds for
// every port of the machine's name, so it is to pass when the certificate goes.
const strictTransport = "max-age=2592000"

// Handler serves the page, the live stream, the API and the metrics.
func (w *Wall) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", w.page)
	mux.HandleFunc("/api/v1/live", w.live)
	mux.HandleFunc("/api/v1/statistics", w.statistics)
	mux.HandleFunc("/api/v1/statistics/{name}", w.rows)
	mux.HandleFunc("/api/v1/statistics/{name}/corrections", w.corrections)
	mux.HandleFunc("/api/v1/health", w.health)
	mux.HandleFunc("/api/v1/me", w.me)
	mux.HandleFunc("/api/", func(out http.ResponseWriter, r *http.Request) {
		problem(out, http.StatusNotFound, "there is no "+r.URL.Path+"; want /api/v1/statistics, /api/v1/statistics/NAME, /api/v1/statistics/NAME/corrections, /api/v1/live, /api/v1/health or /api/v1/me")
	})
	mux.HandleFunc("/healthz", func(out http.ResponseWriter, _ *http.Request) { plain(out, http.StatusOK, "ok") })
	mux.HandleFunc("/readyz", w.ready)
	mux.HandleFunc("/metrics", w.metrics)
	if w.config.Access != nil {
		mux.HandleFunc("GET "+loginPath, w.login)
		mux.HandleFunc("POST "+loginPath, w.loggedIn)
		mux.HandleFunc("POST "+logoutPath, w.logout)
	}
	return w.guard(w.gate(mux))
}

// looks reports whether a request only looks.
func looks(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// takes reports whether the wall takes a request that does more than look.
func (w *Wall) takes(r *http.Request) bool {
	return w.config.Access != nil && r.Method == http.MethodPost && (r.URL.Path == loginPath || r.URL.Path == logoutPath)
}

// guard refuses what no page of ours would ask, and sets the headers that every
// answer has.
func (w *Wall) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		header := out.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "same-origin") // with none, browsers send forms without an origin to check
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		if r.TLS != nil {
			header.Set("Strict-Transport-Security", strictTransport)
		}
		switch {
		case !looks(r) && !w.takes(r):
			header.Set("Allow", "GET, HEAD")
			problem(out, http.StatusMethodNotAllowed, r.Method+" is not allowed; the wall is read with GET")
		case looks(r) && r.ContentLength != 0:
			header.Set("Connection", "close")
			problem(out, http.StatusBadRequest, "a request has no body here")
		case !w.answersTo(r):
			problem(out, http.StatusMisdirectedRequest, fmt.Sprintf("this wall listens on this machine only and does not answer to the name %.80q; use 127.0.0.1 or localhost, or start it with --allow-host and that name", r.Host))
		case r.Header.Get("Sec-Fetch-Site") == "cross-site" && strings.HasPrefix(r.URL.Path, "/api/") && r.Header.Get("Sec-Fetch-Mode") != "navigate":
			problem(out, http.StatusForbidden, "pages of other sites may not read this wall")
		case w.crossing.Check(r) != nil:
			problem(out, http.StatusForbidden, "pages of other sites may change nothing here; open the wall itself")
		default:
			next.ServeHTTP(out, r)
		}
	})
}

// answersTo checks the name that a request to a loopback address uses, so that
// no site can reach the wall by letting its own name resolve to 127.0.0.1.
func (w *Wall) answersTo(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		return true
	}
	at, err := netip.ParseAddrPort(local.String())
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return host == "localhost" || slices.ContainsFunc(w.config.Hosts, func(name string) bool { return strings.EqualFold(name, host) })
}

// Serve answers on ln until ctx is done, then ends live streams and open
// requests within 5 s.
func (w *Wall) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler:           w.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       keepConn,
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelDebug),
	}
	listen := server.Serve
	if w.config.Certificate != nil {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: w.config.Certificate.get}
		listen = func(ln net.Listener) error { return server.ServeTLS(ln, "", "") }
	}
	w.log.Info("the wall listens", "address", w.Address(ln)+"/")
	failed := make(chan error, 1)
	go func() { failed <- listen(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the wall on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	w.viewer.close()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*time.Second)
	defer cancel()
	if err := server.Shutdown(within); err != nil {
		server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the wall on %s: %w", ln.Addr(), err)
	}
	return nil
}

// Address is how a browser reaches the wall on ln.
func (w *Wall) Address(ln net.Listener) string {
	scheme := "http://"
	if w.config.Certificate != nil {
		scheme = "https://"
	}
	return scheme + ln.Addr().String()
}

// problem answers with an error for people and programs (RFC 9457).
func problem(out http.ResponseWriter, status int, detail string) {
	out.Header().Set("Cache-Control", "no-store")
	out.Header().Set("Content-Type", "application/problem+json")
	out.WriteHeader(status)
	json.NewEncoder(out).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail})
}

func plain(out http.ResponseWriter, status int, text string) {
	out.Header().Set("Cache-Control", "no-store")
	out.Header().Set("Content-Type", "text/plain; charset=utf-8")
	out.WriteHeader(status)
	fmt.Fprintln(out, text)
}

// ready tells whether the board has been loaded.
func (w *Wall) ready(out http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	loaded := w.loaded
	w.mu.Unlock()
	if !loaded {
		plain(out, http.StatusServiceUnavailable, "the board is not loaded yet")
		return
	}
	plain(out, http.StatusOK, "ready")
}
