package wall

import (
	"bufio"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"liushui/dev"
)

// secured serves a wall with TLS, and makes a client that does not check its name.
func secured(t *testing.T, pair dev.KeyPair, log *slog.Logger) (url string, client *http.Client) {
	t.Helper()
	certificate, err := OpenCertificate(pair.Cert, pair.Key, log)
	if err != nil {
		t.Fatal(err)
	}
	w := newWall(t, Config{Certificate: certificate, Access: people(), Log: log})
	load(t, w)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := w.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); parts.Wait() })
	return w.Address(ln), &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
}

// said is a log that a test reads.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// copied copies a certificate to where the wall reads it; at tells its times apart.
func copied(t *testing.T, from dev.KeyPair, to dev.KeyPair, at time.Time) {
	t.Helper()
	for source, target := range map[string]string{from.Cert: to.Cert, from.Key: to.Key} {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(target, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	c, err := dev.MakeCertificates(dir)
	if err != nil {
		t.Fatal(err)
	}
	ours := dev.KeyPair{Cert: filepath.Join(dir, "wall.pem"), Key: filepath.Join(dir, "wall.key")}
	began := time.Now().Add(-time.Hour)
	copied(t, c.Server, ours, began)
	log := &said{}
	url, client := secured(t, ours, slog.New(slog.NewTextHandler(log, nil)))
	ask := func(path string, edit ...func(*http.Request)) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range edit {
			e(r)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer
	}

	answer := ask("/login", post("name", "li", "password", testPassword), header("Origin", url))
	if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Strict-Transport-Security") != "max-age=2592000" {
		t.Errorf("%s %s, %v", answer.Proto, answer.Status, answer.Header)
	}
	if cookie := answer.Cookies()[0]; !cookie.Secure || !cookie.HttpOnly {
		t.Errorf("the cookie is %s", cookie)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	with(t, answer)(r)
	live, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Body.Close()
	if next(t, bufio.NewReader(live.Body), "snapshot"); live.ProtoMajor != 2 {
		t.Errorf("the stream is %s", live.Proto)
	}
	if err := Ready(t.Context(), strings.TrimPrefix(url, "https://")); err != nil {
		t.Errorf("the health check over TLS: %v", err)
	}
	if answer, err := http.Get("http://" + strings.TrimPrefix(url, "https://") + "/"); err != nil || answer.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %v, %v", answer, err)
	}

	name := func() string { return ask("/healthz").TLS.PeerCertificates[0].Subject.CommonName }
	if got := name(); got != "server" {
		t.Errorf("the certificate is of %s", got)
	}
	copied(t, c.OtherName, ours, began.Add(time.Minute)) // renewed
	if got := name(); got != "elsewhere" {
		t.Errorf("the renewed certificate is of %s", got)
	}
	if err := os.WriteFile(ours.Cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "elsewhere" || strings.Count(log.String(), "goes on with the certificate that it has") != 1 {
		t.Errorf("with half a file the certificate is of %s, and the log says\n%s", got, log.String())
	}
	copied(t, c.Expired, ours, began.Add(2*time.Minute))
	if got := name(); got != "expired" || !strings.Contains(log.String(), "the wall's certificate has expired") {
		t.Errorf("the certificate is of %s, and the log says\n%s", got, log.String())
	}
}

func TestPlainWallsSendNoStrictTransport(t *testing.T) {
	s := serve(t, Config{}, false)
	if answer, _ := get(t, s, "/"); answer.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("a wall without TLS sends %v", answer.Header)
	}
}
