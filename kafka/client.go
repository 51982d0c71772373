package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"liushui"
)

// connectWait bounds how long Connect looks for a broker that answers.
const connectWait = 5 * time.Second

// Config says which Kafka to speak to.
type Config struct {
	Brokers  []string     // host:port each; default 127.0.0.1:9092
	ClientID string       // seen in the brokers' logs; default liushui
	Security Security     // default: neither TLS nor a user
	Log      *slog.Logger // default slog.Default()
}

// Client asks a Kafka about its topics and makes readers and writers.
type Client struct {
	brokers []string
	id      string
	log     *slog.Logger
	kafka   *kgo.Client
	dialer  dialer
	sasl    string // its name, "" none
	login   []kgo.Opt

	presence *presence
	retries  retries
}

// Connect looks for a broker for up to 5 s. It is one attempt: commands that
// should wait for a broker call it again.
func Connect(ctx context.Context, c Config) (*Client, error) {
	if len(c.Brokers) == 0 {
		c.Brokers = []string{"127.0.0.1:9092"}
	}
	if c.ClientID == "" {
		c.ClientID = "liushui"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	client := &Client{id: c.ClientID, log: c.Log, presence: &presence{log: c.Log}}
	for _, address := range c.Brokers {
		address, err := hostPort(address)
		if err != nil {
			return nil, err
		}
		client.brokers = append(client.brokers, address)
	}
	err := client.secure(&c.Security)
	if err != nil {
		return nil, err
	}
	if client.kafka, err = client.open(); err != nil {
		return nil, fmt.Errorf("connect to Kafka at %s: %w", client.address(), err)
	}
	if err := ping(ctx, client.kafka, connectWait); err != nil {
		defer client.kafka.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if said := client.diagnose(ctx, err); said != nil {
			return nil, said
		}
		return nil, fmt.Errorf("no Kafka at %s: %w; start one with `liushui broker`, or name yours with --brokers", client.address(), plain(err))
	}
	if client.sasl == "plain" && client.dialer.tls == nil {
		client.log.Warn("the password goes to Kafka in the clear; take --kafka-tls, or --kafka-sasl scram-sha-512")
	}
	return client, nil
}

// secure prepares TLS and the user.
func (c *Client) secure(s *Security) (err error) {
	if c.dialer, err = s.dialer(); err != nil {
		return err
	}
	mechanism, err := s.mechanism()
	if mechanism != nil {
		c.sasl, c.login = s.SASL, []kgo.Opt{kgo.SASL(mechanism)}
	}
	return err
}

// hostPort checks an address before it is looked up; a missing port is 9092.
func hostPort(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil && !strings.Contains(address, ":") {
		host, port, err = address, "9092", nil
	}
	if _, number := strconv.ParseUint(port, 10, 16); err != nil || number != nil || host == "" || port == "0" {
		return "", fmt.Errorf("%q is not the address of a broker: write host:port after --brokers: %w", address, liushui.ErrMisuse)
	}
	return net.JoinHostPort(host, port), nil
}

// ping asks each broker in turn for a sign of life. The client is closed to
// end it: a broker that takes the connection and says nothing holds it longer.
func ping(ctx context.Context, kafka *kgo.Client, within time.Duration) error {
	wait, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	late := context.AfterFunc(wait, kafka.Close)
	err := kafka.Ping(wait)
	if !late() && err == nil || err != nil && wait.Err() != nil {
		return fmt.Errorf("no answer within %s: %w", within, wait.Err())
	}
	return err
}

// Close ends the client. Its readers and writers are closed on their own, before it.
func (c *Client) Close() { c.kafka.Close() }

func (c *Client) address() string { return strings.Join(c.brokers, ",") }

// open makes a connection of its own with the settings that all share and more.
func (c *Client) open(more ...kgo.Opt) (*kgo.Client, error) {
	options := append([]kgo.Opt{
		kgo.SeedBrokers(c.brokers...),
		kgo.ClientID(c.id),
		kgo.Dialer(c.dialer.dial),
		kgo.RetryBackoffFn(backoff),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.MetadataMaxAge(10 * time.Second),
		kgo.AlwaysRetryEOF(), // a broker that restarts may close a connection before its first answer
		kgo.DisableClientMetrics(),
		kgo.WithHooks(&c.retries),
	}, c.login...)
	return kgo.NewClient(append(options, more...)...)
}

// backoff is the wait before the next attempt: 50 ms, doubling to about 1 s.
func backoff(fails int) time.Duration {
	wait := 50 * time.Millisecond << min(max(fails-1, 0), 4)
	return wait + rand.N(wait/4)
}

// plain takes the wrapping off a dial error, so that people read its cause only.
func plain(err error) error {
	if dial := (*net.OpError)(nil); errors.As(err, &dial) {
		return dial.Err
	}
	return err
}
