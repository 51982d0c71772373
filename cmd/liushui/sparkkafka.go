package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"strings"
)

// kafkaOptions are the flags of Kafka's security in the words of Spark's
// connector. Certificates travel in them, so no file need lie on the cluster.
func (p *program) kafkaOptions(f *securityFlags) (map[string]string, error) {
	options, err := f.sparkTLS()
	if err != nil {
		return nil, err
	}
	protocol := "PLAINTEXT"
	if f.secure() {
		protocol = "SSL"
	}
	if f.sasl != "" {
		password, err := p.password("kafka-password", f.passwordFile)
		if err != nil {
			return nil, err
		}
		maps.Copy(options, f.sparkLogin(password))
		protocol = "SASL_" + protocol
	}
	if protocol != "PLAINTEXT" {
		options["kafka.security.protocol"] = protocol
	}
	return options, nil
}

func (f *securityFlags) secure() bool { return f.TLS || f.CAFile != "" || f.CertFile != "" }

func (f *securityFlags) sparkLogin(password string) map[string]string {
	module := "scram.ScramLoginModule"
	if f.sasl == "plain" {
		module = "plain.PlainLoginModule"
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace
	return map[string]string{
		"kafka.sasl.mechanism": strings.ToUpper(string(f.sasl)),
		"kafka.sasl.jaas.config": fmt.Sprintf(`org.apache.kafka.common.security.%s required username="%s" password="%s";`,
			module, quote(f.User), quote(password)),
	}
}

func (f *securityFlags) sparkTLS() (map[string]string, error) {
	options := map[string]string{}
	if f.CAFile != "" {
		text, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, misuse("--kafka-tls-ca %s: %w", f.CAFile, reason(err))
		}
		options["kafka.ssl.truststore.type"] = "PEM"
		options["kafka.ssl.truststore.certificates"] = string(text)
	}
	if f.CertFile != "" {
		chain, err := os.ReadFile(f.CertFile)
		if err != nil {
			return nil, misuse("--kafka-tls-cert %s: %w", f.CertFile, reason(err))
		}
		key, err := f.javaKey()
		if err != nil {
			return nil, err
		}
		options["kafka.ssl.keystore.type"] = "PEM"
		options["kafka.ssl.keystore.certificate.chain"] = string(chain)
		options["kafka.ssl.keystore.key"] = key
	}
	return options, nil
}

// javaKey is the key of our certificate in the one form of PEM that Java reads: PKCS #8.
func (f *securityFlags) javaKey() (string, error) {
	pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
	if err != nil {
		return "", misuse("--kafka-tls-cert %s, --kafka-tls-key %s: %w", f.CertFile, f.KeyFile, reason(err))
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return "", misuse("--kafka-tls-key %s: %w", f.KeyFile, err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}
