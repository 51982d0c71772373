package dev

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certificates are files in PEM: an authority, another that nobody trusts, and
// what they signed for servers on loopback and for clients.
type Certificates struct {
	CA, OtherCA string

	Server      KeyPair
	Expired     KeyPair // of a server, the day before yesterday
	OtherName   KeyPair // of a server that is called elsewhere.example
	OtherSaid   KeyPair // of a server, by OtherCA
	Client      KeyPair
	OldClient   KeyPair // expired
	FalseClient KeyPair // by OtherCA
}

// KeyPair is a certificate and its key; Both holds them in one file, as Java
// wants them.
type KeyPair struct{ Cert, Key, Both string }

// MakeCertificates makes all of them in a folder.
func MakeCertificates(dir string) (c *Certificates, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c = &Certificates{}
	ours, err := newAuthority(dir, "authority")
	if err != nil {
		return nil, err
	}
	other, err := newAuthority(dir, "stranger")
	if err != nil {
		return nil, err
	}
	c.CA, c.OtherCA = ours.file, other.file
	servers, err := newKey() // RSA: MySQL 8.0.12 knows no other
	if err != nil {
		return nil, err
	}
	clients, err := newKey()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for _, want := range []struct {
		pair  *KeyPair
		by    *authority
		name  string
		host  string
		until time.Time
	}{
		{&c.Server, ours, "server", "localhost", now.Add(day)},
		{&c.Expired, ours, "expired", "localhost", now.Add(-2 * day)},
		{&c.OtherName, ours, "elsewhere", "elsewhere.example", now.Add(day)},
		{&c.OtherSaid, other, "false-server", "localhost", now.Add(day)},
		{&c.Client, ours, "client", "", now.Add(day)},
		{&c.OldClient, ours, "old-client", "", now.Add(-2 * day)},
		{&c.FalseClient, other, "false-client", "", now.Add(day)},
	} {
		key := servers
		if want.host == "" {
			key = clients
		}
		if *want.pair, err = want.by.sign(want.name, want.host, key, want.until); err != nil {
			return nil, err
		}
	}
	return c, nil
}

const day = 24 * time.Hour

func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

type authority struct {
	dir, file   string
	certificate *x509.Certificate
	key         *rsa.PrivateKey
	signed      int64
}

func newAuthority(dir, name string) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &authority{dir: dir, key: key, certificate: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "liushui test " + name},
		NotBefore: time.Now().Add(-30 * day), NotAfter: time.Now().Add(30 * day),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	pair, err := a.write(name, a.certificate, key)
	if err != nil {
		return nil, err
	}
	a.file = pair.Cert
	return a, nil
}

// sign makes a certificate for a server of that name and 127.0.0.1, unless it
// is elsewhere; or for a client.
func (a *authority) sign(name, host string, key *rsa.PrivateKey, until time.Time) (KeyPair, error) {
	a.signed++
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(100 + a.signed), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-10 * day), NotAfter: until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if host != "" {
		certificate.DNSNames, certificate.ExtKeyUsage = []string{host}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if host == "localhost" {
		certificate.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	return a.write(name, certificate, key)
}

// write signs a certificate and writes it and its key into files.
func (a *authority) write(name string, certificate *x509.Certificate, key *rsa.PrivateKey) (pair KeyPair, err error) {
	signed, err := x509.CreateCertificate(rand.Reader, certificate, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return pair, fmt.Errorf("sign a certificate for %s: %w", name, err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	pair = KeyPair{filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key"), filepath.Join(a.dir, name+".pem")}
	for path, text := range map[string][]byte{pair.Cert: cert, pair.Key: private, pair.Both: append(private, cert...)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return pair, err
		}
	}
	return pair, nil
}
