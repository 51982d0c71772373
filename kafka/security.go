package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"liushui"
)

// Security is what a Kafka wants beside its address. The zero value is a
// connection without TLS and without a user.
type Security struct {
	TLS      bool   // also where one of the files is named
	CAFile   string // PEM of the authorities to trust; default: the system's
	CertFile string // PEM of our own certificate; read again for every connection
	KeyFile  string // PEM of its key
	SASL     string // one of SASLMechanisms, or empty
	User     string
	Password string
}

// SASLMechanisms are the ways to prove who we are.
var SASLMechanisms = []string{"plain", "scram-sha-256", "scram-sha-512"}

// dialWait bounds how long one connection takes to come about, TLS included.
const dialWait = 2 * time.Second

func (s *Security) wantsTLS() bool { return s.TLS || s.CAFile != "" || s.CertFile != "" }

// dialer is how connections are made.
func (s *Security) dialer() (dialer, error) {
	d := dialer{certFile: s.CertFile}
	if s.wantsTLS() {
		var err error
		d.tls, err = s.config()
		return d, err
	}
	if s.KeyFile != "" {
		return d, fmt.Errorf("--kafka-tls-key %s: a key without a certificate; name that with --kafka-tls-cert: %w", s.KeyFile, liushui.ErrMisuse)
	}
	return d, nil
}

// mechanism is how a user logs in; nil: there is none.
func (s *Security) mechanism() (sasl.Mechanism, error) {
	if s.SASL == "" {
		if s.User != "" {
			return nil, fmt.Errorf("--kafka-user %s: say how it proves who it is with --kafka-sasl %s: %w", s.User, strings.Join(SASLMechanisms, "|"), liushui.ErrMisuse)
		}
		return nil, nil
	}
	if s.User == "" || s.Password == "" {
		return nil, fmt.Errorf("--kafka-sasl %s: wants --kafka-user, and its password in --kafka-password-file or LIUSHUI_KAFKA_PASSWORD: %w", s.SASL, liushui.ErrMisuse)
	}
	switch s.SASL {
	case "plain":
		return saslplain.Auth{User: s.User, Pass: s.Password}.AsMechanism(), nil
	case "scram-sha-256":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("--kafka-sasl %s: want %s: %w", s.SASL, strings.Join(SASLMechanisms, ", "), liushui.ErrMisuse)
}

// config is that of TLS, without the name of the server.
func (s *Security) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CAFile != "" {
		text, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--kafka-tls-ca: %w: %w", err, liushui.ErrMisuse)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--kafka-tls-ca %s: holds no certificate in PEM: %w", s.CAFile, liushui.ErrMisuse)
		}
	}
	if s.CertFile == "" {
		return config, nil
	}
	if s.KeyFile == "" {
		return nil, fmt.Errorf("--kafka-tls-cert %s: name its key with --kafka-tls-key: %w", s.CertFile, liushui.ErrMisuse)
	}
	if _, err := s.certificate(); err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.certificate() }
	return config, nil
}

func (s *Security) certificate() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--kafka-tls-cert %s with --kafka-tls-key %s: %w: %w", s.CertFile, s.KeyFile, err, liushui.ErrMisuse)
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) || now.Before(pair.Leaf.NotBefore) {
		return nil, fmt.Errorf("--kafka-tls-cert %s: it is valid from %s to %s; renew it, or mend the clock here: %w",
			s.CertFile, pair.Leaf.NotBefore.Format(time.DateTime), pair.Leaf.NotAfter.Format(time.DateTime), liushui.ErrMisuse)
	}
	return &pair, nil
}

// dialer connects to brokers; the zero value without TLS.
type dialer struct {
	tls      *tls.Config // nil: without
	certFile string
}

// dial is how the client library connects. An error of TLS that only people
// mend is told as one.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil || d.tls == nil {
		return conn, err
	}
	config := d.tls.Clone()
	if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
		conn.Close()
		return nil, err
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, d.explain(address, err)
	}
	return secured, nil
}

// mendable is an error that only people mend, in their words.
type mendable struct{ text string }

func (e *mendable) Error() string { return e.text }
func (e *mendable) Unwrap() error { return liushui.ErrMisuse }

// explain says what a handshake's error means for people. Others stay as they are.
func (d *dialer) explain(address string, err error) error {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var verification *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &mendable{fmt.Sprintf("the certificate of Kafka at %s is valid from %s to %s: renew it there, or mend the clock here",
			address, invalid.Cert.NotBefore.Format(time.DateTime), invalid.Cert.NotAfter.Format(time.DateTime))}
	case errors.As(err, &name):
		names := name.Certificate.DNSNames
		for _, ip := range name.Certificate.IPAddresses {
			names = append(names, ip.String())
		}
		return &mendable{fmt.Sprintf("the certificate of Kafka at %s is for %s: let --brokers and advertised.listeners name it so",
			address, strings.Join(names, ", "))}
	case errors.As(err, &verification):
		return &mendable{fmt.Sprintf("the certificate of Kafka at %s is not trusted here (%s): name the file of its authority with --kafka-tls-ca",
			address, verification.Err)}
	case errors.As(err, &header):
		return noTLS(address)
	case isAlert(err):
		return d.refused(address, err)
	}
	return err
}

func noTLS(address string) error {
	return &mendable{fmt.Sprintf("Kafka at %s speaks no TLS there: leave out --kafka-tls and its kin, or name in --brokers the port that does", address)}
}

// refused is for an alert from the other side.
func (d *dialer) refused(address string, alert error) error {
	if d.certFile == "" {
		return &mendable{fmt.Sprintf("Kafka at %s wants a certificate of ours: name it with --kafka-tls-cert and --kafka-tls-key (%s)", address, alert)}
	}
	return &mendable{fmt.Sprintf("Kafka at %s refuses our certificate %s: is it signed by an authority that Kafka trusts? (%s)", address, d.certFile, alert)}
}

// isAlert reports whether the other side has ended TLS, saying why.
func isAlert(err error) bool {
	var said *net.OpError
	return errors.As(err, &said) && said.Op == "remote error"
}
