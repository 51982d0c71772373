package dev

import (
	"crypto/tls"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// The listeners are what they are called.
func TestListenersOfASecureKafka(t *testing.T) {
	for _, release := range []string{Kafka43, Kafka39} {
		t.Run(release, func(t *testing.T) {
			k := Kafka(t, release)
			simple := kgo.SASL(plain.Auth{User: k.User, Pass: k.Password}.AsMechanism())
			login := kgo.SASL(scram.Auth{User: k.User, Pass: k.Password}.AsSha512Mechanism())
			trusting := &tls.Config{InsecureSkipVerify: true}
			pair, err := tls.LoadX509KeyPair(k.Certificates.Client.Cert, k.Certificates.Client.Key)
			if err != nil {
				t.Fatal(err)
			}
			known := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}}
			for name, options := range map[string][]kgo.Opt{
				ListenTLS: {kgo.DialTLSConfig(trusting)}, ListenMTLS: {kgo.DialTLSConfig(known)}, ListenExpired: {kgo.DialTLSConfig(trusting)},
				ListenOther: {kgo.DialTLSConfig(trusting)}, ListenSASL: {login}, ListenSASLTLS: {kgo.DialTLSConfig(trusting), simple},
			} {
				c, err := kgo.NewClient(append(options, kgo.SeedBrokers(k.Listener(name)))...)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.Ping(t.Context()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
