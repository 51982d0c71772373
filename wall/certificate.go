package wall

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is the wall's own, with its key. It is read anew when its files
// change, as when it was renewed.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed [2]time.Time // of the files that were read last
}

// OpenCertificate reads a certificate and its key, in PEM.
func OpenCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	c.changed = c.changedAt()
	return c, c.read()
}

func (c *Certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read the certificate %s with the key %s: %w", c.certFile, c.keyFile, err)
	}
	if until := pair.Leaf.NotAfter; time.Now().After(until) {
		c.log.Warn("the wall's certificate has expired; browsers refuse it", "certificate", c.certFile, "until", until.Format(time.RFC3339))
	}
	c.pair = &pair
	return nil
}

// changedAt is when the files changed last; of a file that is away, never.
func (c *Certificate) changedAt() (at [2]time.Time) {
	for i, file := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(file); err == nil {
			at[i] = info.ModTime()
		}
	}
	return at
}

// get is the certificate for a handshake. Where new files cannot be used the one
// before stays.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.changedAt(); now != c.changed {
		c.changed = now
		if err := c.read(); err != nil {
			c.log.Warn("the wall goes on with the certificate that it has", "error", err)
		}
	}
	return c.pair, nil
}
