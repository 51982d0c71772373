package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liushui"
	"liushui/dev"
)

// A server is spoken to in TLS, and only if it is who it says. What is wrong is
// said at once, with how to mend it.
func TestTLS(t *testing.T) {
	c, err := dev.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	nothing := filepath.Join(t.TempDir(), "nothing.pem")
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			shown := dev.KeyPair{Cert: filepath.Join(dir, "shown.crt"), Key: filepath.Join(dir, "shown.key")}
			show(t, shown, c.Server)
			server := start(t, "--ssl-ca="+c.CA, "--ssl-cert="+shown.Cert, "--ssl-key="+shown.Key)
			dsn := server.Database(t)

			s := begun(t, Config{DSN: dsn, CAFile: c.CA})
			var variable, cipher string
			if err := s.write.QueryRow("SHOW STATUS LIKE 'Ssl_cipher'").Scan(&variable, &cipher); err != nil || cipher == "" {
				t.Errorf("the connection has cipher %q, %v", cipher, err)
			}
			begun(t, Config{DSN: dsn}) // as the server takes it
			begun(t, Config{DSN: dsn + "?tls=true", CAFile: c.CA})

			refused := func(what string, config Config, words ...string) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				s, err := Open(ctx, config)
				if err == nil {
					s.Close()
					t.Errorf("%s: opened", what)
					return
				}
				for _, word := range words {
					if !strings.Contains(err.Error(), word) || !errors.Is(err, liushui.ErrMisuse) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
						t.Errorf("%s: %v, want misuse: %s", what, err, word)
					}
				}
			}
			refused("another authority", Config{DSN: dsn, CAFile: c.OtherCA}, "is not trusted here", "--database-tls-ca")
			refused("the system's authorities", Config{DSN: dsn, TLS: true}, "is not trusted here", "--database-tls-ca")
			refused("a wrong password", Config{DSN: dsn, CAFile: c.CA, Password: "hush"}, "check user and password")
			refused("no file", Config{DSN: dsn, CAFile: nothing}, "--database-tls-ca: open "+nothing)
			refused("no certificate", Config{DSN: dsn, CAFile: c.Server.Key}, "--database-tls-ca "+c.Server.Key, "PEM")
			refused("trust in anybody", Config{DSN: dsn + "?tls=skip-verify", CAFile: c.CA}, "tls=skip-verify")
			refused("a file", Config{DSN: "sqlite:" + filepath.Join(dir, "x.db"), TLS: true}, "--database-tls: SQLite is a file")
			for _, wrong := range []struct {
				pair  dev.KeyPair
				words []string
			}{
				{c.Expired, []string{"the server's certificate is valid from", "renew it there"}},
				{c.OtherName, []string{"name the server in the database address as its certificate does"}},
			} {
				show(t, shown, wrong.pair)
				server.Kill()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
				refused(wrong.pair.Cert, Config{DSN: dsn, CAFile: c.CA}, wrong.words...)
			}
			if err := server.Run("SET GLOBAL require_secure_transport = ON"); err != nil {
				t.Fatal(err)
			}
			refused("no TLS", Config{DSN: dsn}, "add --database-tls")
		})
	}
}

// show makes a certificate the one that the server shows at its next start.
func show(t *testing.T, as, pair dev.KeyPair) {
	t.Helper()
	for to, from := range map[string]string{as.Cert: pair.Cert, as.Key: pair.Key} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
