package dev

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Listeners of a SecureKafka, beside the plain one.
const (
	ListenTLS      = "TLS"
	ListenMTLS     = "MTLS"     // wants the client's certificate
	ListenExpired  = "EXPIRED"  // whose certificate has expired
	ListenOther    = "OTHER"    // whose certificate is for another name
	ListenSASL     = "LOGIN"    // PLAIN and SCRAM, without TLS
	ListenSASLTLS  = "LOGINTLS" // and with it
	saslMechanisms = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
)

// A SecureKafka is one broker that can be reached in every way.
type SecureKafka struct {
	*KafkaServer
	Certificates *Certificates
	User         string
	Password     string
}

// Listener is the address of one of its listeners.
func (k *SecureKafka) Listener(name string) string { return k.Brokers[0].Listener(name) }

// shared are the brokers of a test binary, by release.
var shared = map[string]func() (*SecureKafka, error){
	Kafka43: sync.OnceValues(func() (*SecureKafka, error) { return runSecure(Kafka43) }),
	Kafka39: sync.OnceValues(func() (*SecureKafka, error) { return runSecure(Kafka39) }),
}

// Kafka returns a broker of a release that all tests of the binary share, so
// they take topics of their own.
func Kafka(t testing.TB, release string) *SecureKafka {
	t.Helper()
	k, err := shared[release]()
	requires(t, err)
	return k
}

// runSecure starts it. The certificates are in the broker's folder, which is gone
// when it has ended.
func runSecure(release string) (*SecureKafka, error) {
	dir, err := os.MkdirTemp("", "liushui-kafka-")
	if err != nil {
		return nil, err
	}
	k := &SecureKafka{User: "shop", Password: "a password with 空 and \"'=,;"}
	if k.Certificates, err = MakeCertificates(filepath.Join(dir, "broker1", "certificates")); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	k.KafkaServer = &KafkaServer{dir: dir, temporary: true, config: KafkaConfig{
		Release: release,
		Listeners: map[string]string{ListenTLS: "SSL", ListenMTLS: "SSL", ListenExpired: "SSL", ListenOther: "SSL",
			ListenSASL: "SASL_PLAINTEXT", ListenSASLTLS: "SASL_SSL"},
		Settings: k.settings(),
	}}
	if err := k.start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := k.addUser(); err != nil {
		k.Kill()
		return nil, err
	}
	return k, nil
}

func (k *SecureKafka) settings() map[string]string {
	c := k.Certificates
	settings := map[string]string{}
	for name, pair := range map[string]KeyPair{ListenTLS: c.Server, ListenMTLS: c.Server, ListenExpired: c.Expired, ListenOther: c.OtherName, ListenSASLTLS: c.Server} {
		prefix := "listener.name." + strings.ToLower(name) + "."
		settings[prefix+"ssl.keystore.type"] = "PEM"
		settings[prefix+"ssl.keystore.location"] = pair.Both
		settings[prefix+"ssl.truststore.type"] = "PEM"
		settings[prefix+"ssl.truststore.location"] = c.CA
	}
	settings["listener.name."+strings.ToLower(ListenMTLS)+".ssl.client.auth"] = "required"
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for _, name := range []string{ListenSASL, ListenSASLTLS} {
		prefix := "listener.name." + strings.ToLower(name) + "."
		settings[prefix+"sasl.enabled.mechanisms"] = saslMechanisms
		settings[prefix+"plain.sasl.jaas.config"] = `org.apache.kafka.common.security.plain.PlainLoginModule required user_` + k.User + `="` + quote.Replace(k.Password) + `";`
		for _, kind := range []string{"scram-sha-256", "scram-sha-512"} {
			settings[prefix+kind+".sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		}
	}
	return settings
}

// addUser makes the user known to SCRAM.
func (k *SecureKafka) addUser() error {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addrs()))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} { // one at a time: Kafka 4 takes a user once a request
		altered, err := kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{
			{User: k.User, Mechanism: mechanism, Iterations: 4096, Password: k.Password}})
		if err == nil {
			err = altered.Error()
		}
		if err != nil {
			return fmt.Errorf("add the user %s: %w", k.User, err)
		}
	}
	return nil
}
