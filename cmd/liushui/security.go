package main

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"liushui/kafka"
)

// securityFlags say what Kafka wants beside its address.
type securityFlags struct {
	kafka.Security
	sasl         saslFlag
	passwordFile string
}

func (f *securityFlags) bind(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&f.TLS, "kafka-tls", false, "speak TLS with Kafka, and trust the system's authorities")
	flags.StringVar(&f.CAFile, "kafka-tls-ca", "", "speak TLS, and trust the authorities in this PEM `file` only")
	flags.StringVar(&f.CertFile, "kafka-tls-cert", "", "speak TLS, with the certificate in this PEM `file` as ours")
	flags.StringVar(&f.KeyFile, "kafka-tls-key", "", "`file` with the key of that certificate")
	flags.Var(&f.sasl, "kafka-sasl", "how a user logs in to Kafka: "+strings.Join(kafka.SASLMechanisms, ", "))
	flags.StringVar(&f.User, "kafka-user", "", "the `user`'s name")
	flags.StringVar(&f.passwordFile, "kafka-password-file", "", "`file` with the user's password; LIUSHUI_KAFKA_PASSWORD holds it directly")
}

// kafkaConfig is how Kafka is spoken to, with the password read.
func (p *program) kafkaConfig(f *topicFlags, clientID string) (kafka.Config, error) {
	c := kafka.Config{Brokers: f.brokers, ClientID: clientID, Security: f.security.Security, Log: p.log}
	c.Security.SASL = string(f.security.sasl)
	var err error
	c.Security.Password, err = p.password("kafka-password", f.security.passwordFile)
	return c, err
}

// password is the content of a file, where one is named, or of a variable. There
// is no flag that holds it: others on the machine see flags.
func (p *program) password(flag, file string) (string, error) {
	if file == "" {
		return p.env[environmentName(flag)], nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", misuse("--%s-file %s: %w", flag, file, reason(err))
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// saslFlag is one of kafka.SASLMechanisms, in any case.
type saslFlag string

func (f *saslFlag) Type() string   { return "mechanism" }
func (f *saslFlag) String() string { return string(*f) }

func (f *saslFlag) Set(s string) error {
	if s = strings.ToLower(s); !slices.Contains(kafka.SASLMechanisms, s) {
		return errors.New("want " + strings.Join(kafka.SASLMechanisms, ", "))
	}
	*f = saslFlag(s)
	return nil
}
