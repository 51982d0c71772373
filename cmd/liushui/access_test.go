package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"liushui/dev"
)

const viewerToken = "0123456789abcdef0123456789abcdef"

// secret writes a file that only its owner reads.
func secret(t *testing.T, name, text string) string {
	t.Helper()
	path := file(t, filepath.Join(t.TempDir(), name), text)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// typed runs a command line with an input.
func typed(t *testing.T, input string, args ...string) (out string, err error) {
	t.Helper()
	var written, said output
	p := &program{env: map[string]string{}, stdin: strings.NewReader(input), stdout: &written, stderr: newScreen(&said)}
	root := p.command()
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	if said.String() != "" {
		t.Errorf("liushui %s says %q", strings.Join(args, " "), said.String())
	}
	return written.String(), err
}

func TestUserMakesALine(t *testing.T) {
	line, err := typed(t, "moon over water\nsecond line\n", "user", "li", "--role", "operator")
	if err != nil || !strings.HasPrefix(line, "li:operator:$argon2id$") || strings.Count(line, "\n") != 1 || strings.Contains(line, "moon") {
		t.Errorf("%v: %q", err, line)
	}
	if line, err := typed(t, "moon over water", "user", "王芳"); err != nil || !strings.HasPrefix(line, "王芳:viewer:$argon2id$") {
		t.Errorf("without an end of the line, %v: %q", err, line)
	}
	if line, err := typed(t, "short\n", "user", "li"); err == nil || line != "" {
		t.Errorf("a short password: %v: %q", err, line)
	}
}

// browser is somebody who keeps cookies and follows links.
type browser struct {
	t *testing.T
	http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}}
}

// sees asks for an address, or sends a form there, and tells where that ends.
func (b *browser) sees(address string, form url.Values) (status int, at, body string) {
	b.t.Helper()
	ask := func() (*http.Response, error) { return b.Get(address) }
	if form != nil {
		ask = func() (*http.Response, error) { return b.PostForm(address, form) }
	}
	answer, err := ask()
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, answer.Request.URL.RequestURI(), string(text)
}

// TestServeAsksWhoIsThere is the way from `liushui user` to the wall, by plain HTTP
// and by TLS, and over a restart.
func TestServeAsksWhoIsThere(t *testing.T) {
	t.Parallel()
	line, err := typed(t, "moon over water\n", "user", "li", "--role", "operator")
	if err != nil {
		t.Fatal(err)
	}
	c, err := dev.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	users, token := secret(t, "users", line), secret(t, "token", viewerToken+"\n")
	for scheme, more := range map[string][]string{"http": nil, "https": {"--tls-cert", c.Server.Cert, "--tls-key", c.Server.Key}} {
		address := freePort(t)
		wall := scheme + "://" + address
		args := append([]string{"serve", "--listen", address, "--brokers", freePort(t), "--users-file", users, "--viewer-token-file", token}, more...)
		serve := launch(t, args...)
		serve.prints("the wall is at " + wall + "\n")
		person, screen, stranger := newBrowser(t), newBrowser(t), newBrowser(t)
		if _, at, _ := stranger.sees(wall+"/", nil); at != "/login" {
			t.Errorf("%s: a stranger is at %s", scheme, at)
		}
		if status, _, _ := stranger.sees(wall+"/api/v1/live", nil); status != http.StatusUnauthorized {
			t.Errorf("%s: a stranger's stream: %d", scheme, status)
		}
		if status, at, _ := person.sees(wall+"/login", url.Values{"name": {"li"}, "password": {"moon over water"}, "next": {"/?lang=zh"}}); status != http.StatusOK || at != "/?lang=zh" {
			t.Errorf("%s: li is at %s, %d", scheme, at, status)
		}
		if status, at, _ := screen.sees(wall+"/?kiosk=1&token="+viewerToken, nil); status != http.StatusOK || at != "/?kiosk=1" {
			t.Errorf("%s: the screen is at %s, %d", scheme, at, status)
		}
		eventually(t, "serve is at work", func() bool { return command(t, "health", "serve", "--listen", address).code == exitFine })
		serve.stop()

		again := launch(t, args...)
		again.prints("the wall is at " + wall + "\n")
		for b, want := range map[*browser]string{person: `{"open":false,"name":"li","role":"operator"}`, screen: `{"open":false,"role":"viewer"}`} {
			if _, _, me := b.sees(wall+"/api/v1/me", nil); strings.TrimSpace(me) != want {
				t.Errorf("%s: after a restart the wall sees %s, want %s", scheme, me, want)
			}
		}
		for _, s := range []*launched{serve, again} {
			said := s.out.String() + s.errOut.String()
			for _, secret := range []string{viewerToken, "moon over water", "$argon2id$"} {
				if strings.Contains(said, secret) {
					t.Errorf("%s: serve tells a secret:\n%s", scheme, said)
				}
			}
		}
		again.stop()
	}
}

// TestUpAsksWhoIsThere holds `up` to the same.
func TestUpAsksWhoIsThere(t *testing.T) {
	t.Parallel()
	up := launch(t, upArgs(t, filepath.Join(t.TempDir(), "data"), "--viewer-token-file", secret(t, "token", viewerToken))...)
	up.prints("the wall is at ")
	_, rest, _ := strings.Cut(up.out.String(), "the wall is at ")
	wall, _, _ := strings.Cut(rest, "\n")
	if status, at, body := newBrowser(t).sees(wall+"/", nil); at != "/login" || !strings.Contains(body, `name="token"`) {
		t.Errorf("a stranger is at %s, %d:\n%s", at, status, body)
	}
	if status, at, _ := newBrowser(t).sees(wall+"/?token="+viewerToken, nil); status != http.StatusOK || at != "/" {
		t.Errorf("a screen is at %s, %d", at, status)
	}
	up.stop()
}

// elsewhere is an address that is not this machine's: whoever gets as far as to
// listen there was not refused for lack of a list, and listens nowhere.
const elsewhere = "192.0.2.1:8080"

func wouldListen(r result) bool {
	return r.code == exitFailure && strings.Contains(r.errOut, "liushui: --listen "+elsewhere+": bind: ")
}

func TestServeForOthers(t *testing.T) {
	t.Parallel()
	line, err := typed(t, "moon over water\n", "user", "li")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c, err := dev.MakeCertificates(dir)
	if err != nil {
		t.Fatal(err)
	}
	users, token := secret(t, "users", line), secret(t, "token", viewerToken)
	open := file(t, filepath.Join(dir, "open"), viewerToken)
	const plain, readable, expired = "the wall speaks no TLS", "everybody on this machine can read --viewer-token-file ", "the wall's certificate has expired"
	for _, c := range []struct {
		args string
		env  string
		says string // the one thing that it warns of
	}{
		{args: "--public"},
		{env: "LIUSHUI_PUBLIC=true"},
		{args: "--users-file " + users, says: plain},
		{args: "--viewer-token-file " + token, says: plain},
		{env: "LIUSHUI_VIEWER_TOKEN=" + viewerToken, says: plain},
		{args: "--users-file " + users + " --tls-cert " + c.Server.Cert + " --tls-key " + c.Server.Key},
		{args: "--users-file " + users + " --tls-cert " + c.Expired.Cert + " --tls-key " + c.Expired.Key, says: expired},
		{args: "--viewer-token-file " + open + " --tls-cert " + c.Server.Cert + " --tls-key " + c.Server.Key, says: readable + open},
	} {
		r := commandWith(t, []string{c.env}, append([]string{"serve", "--listen", elsewhere}, strings.Fields(c.args)...)...)
		if !wouldListen(r) {
			t.Errorf("%s %s: it exits with %d: %s", c.env, c.args, r.code, r.errOut)
		}
		for _, warning := range []string{plain, readable, expired} {
			if got, want := strings.Contains(r.errOut, warning), c.says != "" && strings.HasPrefix(c.says, warning); got != want || !strings.Contains(r.errOut, c.says) {
				t.Errorf("%s %s: it should say only %q, but says\n%s", c.env, c.args, c.says, r.errOut)
			}
		}
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:0": true, "[::1]:8080": true, "localhost:8080": true, "[::ffff:127.0.0.1]:80": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "192.168.1.7:8080": false, "wall.example.com:8080": false, "localhost.example.com:80": false, "[::ffff:0.0.0.0]:80": false,
	} {
		listen := addressFlag(address)
		if got := listen.loopback(); got != want {
			t.Errorf("%s: only this machine reaches it: %t", address, got)
		}
	}
}
