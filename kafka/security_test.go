package kafka_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"liushui"
	"liushui/dev"
	"liushui/kafka"
)

func onSecure(t *testing.T, test func(t *testing.T, k *dev.SecureKafka)) {
	t.Helper()
	t.Parallel()
	for _, release := range []string{dev.Kafka43, dev.Kafka39} {
		t.Run(release, func(t *testing.T) { test(t, dev.Kafka(t, release)) })
	}
}

func TestSecureConnectionsCarryRecords(t *testing.T) {
	onSecure(t, func(t *testing.T, k *dev.SecureKafka) {
		own, ca := k.Certificates.Client, k.Certificates.CA
		user := func(sasl, ca string) kafka.Security {
			return kafka.Security{SASL: sasl, User: k.User, Password: k.Password, CAFile: ca}
		}
		for name, test := range map[string]struct {
			listener string
			security kafka.Security
		}{
			"TLS":                    {dev.ListenTLS, kafka.Security{CAFile: ca}},
			"TLS of both":            {dev.ListenMTLS, kafka.Security{CAFile: ca, CertFile: own.Cert, KeyFile: own.Key}},
			"TLS of both in a file":  {dev.ListenMTLS, kafka.Security{CAFile: ca, CertFile: own.Both, KeyFile: own.Both}},
			"a certificate unasked":  {dev.ListenTLS, kafka.Security{CAFile: ca, CertFile: own.Cert, KeyFile: own.Key}},
			"plain":                  {dev.ListenSASL, user("plain", "")},
			"SCRAM-SHA-256":          {dev.ListenSASL, user("scram-sha-256", "")},
			"SCRAM-SHA-512":          {dev.ListenSASL, user("scram-sha-512", "")},
			"plain, TLS":             {dev.ListenSASLTLS, user("plain", ca)},
			"SCRAM-SHA-256 with TLS": {dev.ListenSASLTLS, user("scram-sha-256", ca)},
			"SCRAM-SHA-512 with TLS": {dev.ListenSASLTLS, user("scram-sha-512", ca)},
		} {
			t.Run(name, func(t *testing.T) {
				c, err := kafka.Connect(t.Context(), kafka.Config{Brokers: []string{k.Listener(test.listener)}, Security: test.security, Log: silent})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				topic := serving(t, k.Addrs()).category
				ensure(t, c, kafka.Topic{Name: topic, Partitions: 2})
				send(t, openWriter(t, c, topic), 0, 100)
				r := openReader(t, c, topic, kafka.From{})
				checkNumbers(t, receive(t, r, 100), 100)
				if err := r.Commit(t.Context(), "liushui-native", map[int32]int64{0: 1}); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// What is wrong is said at once, in one line with how to mend it, and never the password.
func TestInsecureConnectionsAreRefusedByName(t *testing.T) {
	onSecure(t, func(t *testing.T, k *dev.SecureKafka) {
		c := k.Certificates
		nothing, torn := filepath.Join(t.TempDir(), "nothing.pem"), filepath.Join(t.TempDir(), "torn.pem")
		if err := os.WriteFile(torn, []byte("-----BEGIN CERTIFICATE-----\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		client := func(pair dev.KeyPair) kafka.Security {
			return kafka.Security{CAFile: c.CA, CertFile: pair.Cert, KeyFile: pair.Key}
		}
		user := func(sasl, name, password string) kafka.Security {
			return kafka.Security{SASL: sasl, User: name, Password: password}
		}
		const plain = "PLAINTEXT"
		for name, test := range map[string]struct {
			listener string
			security kafka.Security
			words    []string
		}{
			"another authority":           {dev.ListenTLS, kafka.Security{CAFile: c.OtherCA}, []string{"is not trusted here", "--kafka-tls-ca"}},
			"the system's authorities":    {dev.ListenTLS, kafka.Security{TLS: true}, []string{"is not trusted here", "--kafka-tls-ca"}},
			"an expired certificate":      {dev.ListenExpired, kafka.Security{CAFile: c.CA}, []string{"the certificate of Kafka at ", "is valid from ", "renew it there"}},
			"another's certificate":       {dev.ListenOther, kafka.Security{CAFile: c.CA}, []string{"is for elsewhere.example", "--brokers"}},
			"no certificate of ours":      {dev.ListenMTLS, kafka.Security{CAFile: c.CA}, []string{"wants a certificate of ours", "--kafka-tls-cert and --kafka-tls-key"}},
			"a certificate nobody trusts": {dev.ListenMTLS, client(c.FalseClient), []string{"refuses our certificate " + c.FalseClient.Cert, "authority"}},
			"an expired one of ours":      {dev.ListenMTLS, client(c.OldClient), []string{"--kafka-tls-cert " + c.OldClient.Cert, "valid from", "renew it"}},
			"no TLS":                      {dev.ListenTLS, kafka.Security{}, []string{"speaks TLS there: add --kafka-tls"}},
			"no TLS, with a user":         {dev.ListenSASLTLS, user("plain", k.User, k.Password), []string{"speaks TLS there: add --kafka-tls"}},
			"TLS where there is none":     {plain, kafka.Security{CAFile: c.CA}, []string{"speaks no TLS there", "--brokers"}},
			"TLS where only users are":    {dev.ListenSASL, kafka.Security{CAFile: c.CA}, []string{"speaks no TLS there", "--brokers"}},
			"a wrong password":            {dev.ListenSASL, user("plain", k.User, "hush"), []string{"refuses the user or its password", "--kafka-password-file", "LIUSHUI_KAFKA_PASSWORD"}},
			"a wrong password, SHA-256":   {dev.ListenSASL, user("scram-sha-256", k.User, "hush"), []string{"refuses the user or its password", "--kafka-user"}},
			"a wrong password, SHA-512":   {dev.ListenSASL, user("scram-sha-512", k.User, "hush"), []string{"refuses the user or its password"}},
			"a wrong user":                {dev.ListenSASL, user("scram-sha-512", "nobody", "hush"), []string{"refuses the user or its password"}},
			"no user":                     {dev.ListenSASL, kafka.Security{}, []string{"wants a user: give --kafka-sasl (it takes plain, scram-sha-256, scram-sha-512), --kafka-user"}},
			"no user, with TLS":           {dev.ListenSASLTLS, kafka.Security{CAFile: c.CA}, []string{"wants a user: give --kafka-sasl"}},
			"a user where there is none":  {plain, user("plain", k.User, k.Password), []string{"asks for no user there: leave out --kafka-sasl"}},
			"no file of authorities":      {dev.ListenTLS, kafka.Security{CAFile: nothing}, []string{"--kafka-tls-ca: open " + nothing}},
			"a torn file of authorities":  {dev.ListenTLS, kafka.Security{CAFile: torn}, []string{"--kafka-tls-ca " + torn, "PEM"}},
			"a certificate without key":   {dev.ListenMTLS, kafka.Security{CertFile: c.Client.Cert}, []string{"name its key with --kafka-tls-key"}},
			"a key without certificate":   {dev.ListenMTLS, kafka.Security{KeyFile: c.Client.Key}, []string{"--kafka-tls-cert"}},
			"another certificate's key":   {dev.ListenMTLS, kafka.Security{CertFile: c.Client.Cert, KeyFile: c.Server.Key}, []string{c.Client.Cert, "private key does not match"}},
			"a user without a way":        {dev.ListenSASL, user("", k.User, k.Password), []string{"--kafka-sasl plain|scram-sha-256|scram-sha-512"}},
			"a way without a user":        {dev.ListenSASL, user("plain", "", k.Password), []string{"wants --kafka-user"}},
			"a way without a password":    {dev.ListenSASL, user("plain", k.User, ""), []string{"--kafka-password-file or LIUSHUI_KAFKA_PASSWORD"}},
			"a way that does not exist":   {dev.ListenSASL, user("kerberos", k.User, "hush"), []string{"want plain, scram-sha-256, scram-sha-512"}},
		} {
			t.Run(name, func(t *testing.T) {
				began := time.Now()
				client, err := kafka.Connect(t.Context(), kafka.Config{Brokers: []string{k.Listener(test.listener)}, Security: test.security, Log: silent})
				if err == nil {
					client.Close()
					t.Fatal("connected")
				}
				if !errors.Is(err, liushui.ErrMisuse) {
					t.Errorf("no misuse: %v", err)
				}
				for _, words := range test.words {
					if !strings.Contains(err.Error(), words) {
						t.Errorf("%q is missing in: %v", words, err)
					}
				}
				if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), k.Password) || strings.Contains(err.Error(), "hush") {
					t.Errorf("it is no line that may be shown: %v", err)
				}
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		}
	})
}

// A broker that takes one mechanism names it to who comes with another. A user
// that is taken away while we are at work ends it, saying so.
func TestUsersThatAreNotTaken(t *testing.T) {
	t.Parallel()
	k := dev.StartKafka(t, dev.KafkaConfig{Listeners: map[string]string{"LOGIN": "SASL_PLAINTEXT"}, Settings: map[string]string{
		"listener.name.login.sasl.enabled.mechanisms":        "SCRAM-SHA-512",
		"listener.name.login.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
	}})
	connect := func(sasl string) (*kafka.Client, error) {
		return kafka.Connect(t.Context(), kafka.Config{Brokers: []string{k.Brokers[0].Listener("LOGIN")}, Log: silent,
			Security: kafka.Security{SASL: sasl, User: "shop", Password: "hush"}})
	}
	for _, sasl := range []string{"plain", "scram-sha-256"} {
		_, err := connect(sasl)
		if want := "does not take --kafka-sasl " + sasl + ": it takes scram-sha-512"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want: %s", err, want)
		}
	}

	users := admin(t, k.Addrs())
	if _, err := users.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: "shop", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "hush"}}); err != nil {
		t.Fatal(err)
	}
	var c *kafka.Client
	eventually(t, "the broker has heard of its user", func() bool { // the controller knew first
		var err error
		c, err = connect("scram-sha-512")
		return err == nil
	})
	defer c.Close()
	ensure(t, c, kafka.Topic{Name: "category", Partitions: 1})
	w, r := openWriter(t, c, "category"), openReader(t, c, "category", kafka.From{})
	send(t, w, 0, 10)
	receive(t, r, 10)
	if _, err := users.AlterUserSCRAMs(t.Context(), []kadm.DeleteSCRAM{{User: "shop", Mechanism: kadm.ScramSha512}}, nil); err != nil {
		t.Fatal(err)
	}
	k.Brokers[0].Kill() // connections that are there go on
	if err := k.Brokers[0].Start(); err != nil {
		t.Fatal(err)
	}
	const want = "Kafka refuses the user or its password: check --kafka-user"
	if err := pollError(t, r); !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), want) {
		t.Errorf("the reader: %v", err)
	}
	eventually(t, "the writer says so", func() bool {
		err := w.Write(t.Context(), []liushui.Record{{Value: []byte("x")}}, nil)
		return errors.Is(err, liushui.ErrMisuse) && strings.Contains(err.Error(), want)
	})
}

// Who comes while a broker starts finds nobody, and never somebody who wants
// something of him.
func TestABrokerThatStartsWantsNothing(t *testing.T) {
	t.Parallel()
	for round := range 30 {
		address := freeAddress(t)
		started := make(chan *kafka.Broker, 1)
		go func() {
			time.Sleep(time.Duration(round) * 200 * time.Microsecond)
			b, err := kafka.StartBroker(context.Background(), kafka.BrokerConfig{Dir: t.TempDir(), Listen: address, Log: silent})
			if err != nil {
				t.Error(err)
			}
			started <- b
		}()
		for came := false; !came; {
			c, err := kafka.Connect(t.Context(), kafka.Config{Brokers: []string{address}, Log: silent})
			switch {
			case err == nil:
				c.Close()
				came = true
			case errors.Is(err, liushui.ErrMisuse):
				t.Fatal(err)
			}
		}
		if b := <-started; b != nil {
			b.Close()
		}
	}
}
