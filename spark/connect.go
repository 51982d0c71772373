package spark

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"liushui"
	pb "liushui/spark/proto"
)

// server says which Spark Connect server to speak to.
type server struct {
	Address string       // sc://host:port, with parameters behind /;
	Token   string       // instead of the address's; "" = that one
	CAFile  string       // PEM: who may sign the server's certificate; "" = those that the system trusts
	Log     *slog.Logger // default slog.Default()

	Patience time.Duration // for an answer, over all attempts; default a minute. A query has longer to start and to stop

	dial func(context.Context, string) (net.Conn, error) // of tests; nil = TCP
}

// connection is the way to one server. Any number of sessions share it.
type connection struct {
	address *address
	options []grpc.DialOption
	log     *slog.Logger

	patience time.Duration

	mu   sync.Mutex
	conn *grpc.ClientConn
}

// maxMessage bounds an answer, as in Spark's own clients: plans are long.
const maxMessage = 128 << 20

// open prepares a connection; the first call makes it.
func open(s server) (*connection, error) {
	a, err := parseAddress(s.Address, s.Token)
	if err != nil {
		return nil, err
	}
	c := &connection{address: a, log: s.Log, patience: s.Patience}
	if c.patience == 0 {
		c.patience = answerTime
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	if s.CAFile != "" {
		a.tls = true
	}
	way := insecure.NewCredentials()
	if a.tls {
		roots, err := authorities(s.CAFile)
		if err != nil {
			return nil, err
		}
		way = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots})
	} else if host, _, _ := net.SplitHostPort(a.host); a.token != "" && !loopback(host) {
		c.log.Warn("the token goes to Spark in the clear; take use_ssl=true", "spark", a.String())
	}
	c.options = []grpc.DialOption{
		grpc.WithTransportCredentials(way),
		grpc.WithPerRPCCredentials(headers(a)),
		grpc.WithUserAgent(clientType),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithDisableRetry(), // persist does it
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstWait, Multiplier: 2, Jitter: 0.2, MaxDelay: longestWait},
			MinConnectTimeout: attemptTime / 2,
		}),
	}
	if s.dial != nil {
		c.options = append(c.options, grpc.WithContextDialer(s.dial))
	}
	if c.conn, err = grpc.NewClient("passthrough:///"+a.host, c.options...); err != nil {
		return nil, fmt.Errorf("prepare the way to Spark at %s: %w", a, err)
	}
	return c, nil
}

// Close ends the connection. What runs on the server goes on.
func (c *connection) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn.Close()
}

// current is the connection of the moment.
func (c *connection) current() (*grpc.ClientConn, pb.SparkConnectServiceClient) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn, pb.NewSparkConnectServiceClient(c.conn)
}

// replace puts a new connection in the place of one on which no answer came. The
// old one may be dead without knowing: servers take pings for an attack, so that
// nothing but an answer tells. Other calls on it begin again.
func (c *connection) replace(old *grpc.ClientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != old {
		return // somebody was faster
	}
	next, err := grpc.NewClient("passthrough:///"+c.address.host, c.options...)
	if err != nil {
		return // not with options that were right before
	}
	c.conn = next
	old.Close()
}

func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil // the system's
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("who may sign Spark's certificate: %w: %w", err, liushui.ErrMisuse)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("who may sign Spark's certificate: %s holds no certificate in PEM: %w", file, liushui.ErrMisuse)
	}
	return pool, nil
}

// callHeaders go with every call; they hold the token.
type callHeaders map[string]string

func headers(a *address) callHeaders {
	h := callHeaders{}
	for key, value := range a.headers {
		h[key] = value
	}
	if a.token != "" {
		h["authorization"] = "Bearer " + a.token
	}
	return h
}

func (h callHeaders) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return h, nil
}

// RequireTransportSecurity: open decides when a token may go without TLS.
func (h callHeaders) RequireTransportSecurity() bool { return false }
