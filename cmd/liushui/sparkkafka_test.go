package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"liushui/dev"
)

// Spark reaches a Kafka that wants a user, or a certificate, by the same flags as
// the other programs.
func TestSparkReachesASecureKafka(t *testing.T) {
	k := dev.Kafka(t, dev.Kafka43)
	c := k.Certificates
	password := file(t, filepath.Join(t.TempDir(), "password"), k.Password)
	for name, test := range map[string]struct {
		listener string
		flags    []string
	}{
		"user": {dev.ListenSASLTLS, []string{"--kafka-sasl", "scram-sha-512", "--kafka-user", k.User, "--kafka-password-file", password}},
		// A key in the form that openssl used to write.
		"certificate": {dev.ListenMTLS, []string{"--kafka-tls-cert", c.Client.Cert, "--kafka-tls-key", oldKey(t, c.Client.Key)}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newSparkLine(t, k.Listener(test.listener), dev.Spark(t, dev.Spark42).Addr)
			p := makePayments(t, 300)
			kafka := append(test.flags, "--kafka-tls-ca", c.CA, "--topic", "spark_"+name, "--results", "spark_"+name+"_results")
			must(t, command(t, slices.Concat([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--speed", "max"}, p.feed, kafka)...))
			must(t, command(t, l.process(append(kafka, "--exit-when-done")...)...))
			r := must(t, command(t, slices.Concat([]string{"reconcile", "--brokers", l.kafka}, kafka)...))
			contains(t, r.out+r.errOut, "no differences")
		})
	}
}

// oldKey is a key in the form of its own kind (PKCS #1), not PKCS #8.
func oldKey(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	old := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey))}
	return file(t, filepath.Join(t.TempDir(), "key.pem"), string(pem.EncodeToMemory(old)))
}
