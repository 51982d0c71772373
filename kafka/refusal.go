package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"liushui"
)

// patientRefusals is how many refusals in a row are borne while at work: a
// broker that starts may not know its users yet.
const patientRefusals = 3

// verdict is an error that Kafka does not get over by itself: it does not take
// us, or we do not trust it. Of all others it is nil.
func verdict(err error) error {
	var said *mendable
	switch {
	case errors.As(err, &said):
		return said
	case errors.Is(err, liushui.ErrMisuse):
		return err
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return &mendable{"Kafka refuses the user or its password: check --kafka-user, and --kafka-password-file or LIUSHUI_KAFKA_PASSWORD"}
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return &mendable{"Kafka does not take this --kafka-sasl"}
	case errors.Is(err, kerr.IllegalSaslState):
		return &mendable{"Kafka asks for no user there: leave out --kafka-sasl, or name in --brokers the port that does"}
	}
	return nil
}

// diagnose finds out why brokers that take connections give no answer: they may
// expect another way of speaking. Nil where nothing is wrong with that.
func (c *Client) diagnose(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // who does not understand us says so, or hangs up
	}
	for _, address := range c.brokers {
		err := c.askAt(ctx, address)
		if err == nil {
			return nil // it is there by now
		}
		said := verdict(err)
		var dial *net.OpError
		switch {
		case said != nil && !errors.Is(err, kerr.UnsupportedSaslMechanism):
			return said
		case errors.Is(err, context.DeadlineExceeded), errors.As(err, &dial) && dial.Op == "dial":
			continue // nobody there
		}
		if said := c.diagnoseAt(ctx, address); said != nil {
			return said
		}
	}
	return nil
}

// askAt asks one broker for a sign of life.
func (c *Client) askAt(ctx context.Context, address string) error {
	client, err := c.open(kgo.SeedBrokers(address))
	if err != nil {
		return err
	}
	defer client.Close()
	return ping(ctx, client, dialWait)
}

// diagnoseAt is for a broker that hangs up.
func (c *Client) diagnoseAt(ctx context.Context, address string) error {
	conn, err := c.dialer.dial(ctx, "tcp", address)
	if err == nil {
		if c.dialer.tls != nil {
			err = firstWord(conn)
		}
		conn.Close()
	}
	var dial *net.OpError
	switch {
	case isAlert(err):
		return c.dialer.refused(address, err)
	case errors.Is(err, liushui.ErrMisuse):
		return err
	case errors.As(err, &dial) && dial.Op == "dial", ctx.Err() != nil:
		return nil // nobody there
	}
	takes, answers := mechanisms(ctx, address, &c.dialer)
	switch {
	case !answers && c.dialer.tls == nil && speaksTLS(ctx, address):
		return &mendable{fmt.Sprintf("Kafka at %s speaks TLS there: add --kafka-tls, or --kafka-tls-ca with the file of its authority", address)}
	case !answers && c.dialer.tls != nil:
		if _, answers := mechanisms(ctx, address, &dialer{}); answers {
			return noTLS(address)
		}
	case len(takes) == 0:
	case c.sasl == "":
		return &mendable{fmt.Sprintf("Kafka at %s wants a user: give --kafka-sasl (it takes %s), --kafka-user and its password", address, strings.Join(takes, ", "))}
	case !slices.Contains(takes, c.sasl):
		return &mendable{fmt.Sprintf("Kafka at %s does not take --kafka-sasl %s: it takes %s", address, c.sasl, strings.Join(takes, ", "))}
	}
	return nil
}

// firstWord waits a moment for what the other side says first, which is nothing
// unless it ends TLS 1.3 for want of a certificate.
func firstWord(conn net.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		return err
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

// speaksTLS reports whether there is TLS at an address. Nothing is sent there,
// so nobody need be trusted.
func speaksTLS(ctx context.Context, address string) bool {
	_, err := (&dialer{tls: &tls.Config{InsecureSkipVerify: true}}).dial(ctx, "tcp", address)
	return err == nil || strings.Contains(err.Error(), "remote error: tls")
}

// mechanisms asks a broker which --kafka-sasl it takes, none where it wants no
// user, and whether it answers at all.
func mechanisms(ctx context.Context, address string, d *dialer) (takes []string, answers bool) {
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.Dialer(d.dial), kgo.DisableClientMetrics())
	if err != nil {
		return nil, false
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	ask := kmsg.NewPtrSASLHandshakeRequest()
	ask.Mechanism = "?"
	resp, err := client.SeedBrokers()[0].Request(ctx, ask)
	if err != nil {
		return nil, false
	}
	for _, name := range resp.(*kmsg.SASLHandshakeResponse).SupportedMechanisms {
		takes = append(takes, strings.ToLower(name))
	}
	slices.Sort(takes)
	return takes, true
}
