package spark

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"liushui"
	"liushui/dev"
	pb "liushui/spark/proto"
)

func i32(n int32) *int32 { return &n }

// details are what Spark tells of an error: the error, its cause, and a cause
// that leads back to it.
func details() *pb.FetchErrorDetailsResponse {
	return &pb.FetchErrorDetailsResponse{RootErrorIdx: i32(1), Errors: []*pb.FetchErrorDetailsResponse_Error{
		{Message: "java.net.ConnectException: no broker", CauseIdx: i32(1)},
		{Message: "[KAFKA_DATA_LOSS.TOPIC] The topic is gone.\n+- plan\n", CauseIdx: i32(0),
			SparkThrowable: &pb.FetchErrorDetailsResponse_SparkThrowable{ErrorClass: str("KAFKA_DATA_LOSS.TOPIC"), SqlState: str("22000")}},
	}}
}

func TestErrorsAreWhole(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		details *pb.FetchErrorDetailsResponse
		want    sparkError
		line    string
	}{
		"with details": {fault(codes.Internal, "KAFKA", "[KAFKA] The to...", "e1"), details(),
			sparkError{Class: "KAFKA_DATA_LOSS.TOPIC", State: "22000", Message: "[KAFKA_DATA_LOSS.TOPIC] The topic is gone.\n+- plan\ncaused by: java.net.ConnectException: no broker"},
			"[KAFKA_DATA_LOSS.TOPIC] The topic is gone."},
		"details cannot be had": {fault(codes.Internal, "X.Y", "[X.Y] Wrong;\nplan", "e1"), nil, sparkError{Class: "X.Y", State: "HY000", Message: "[X.Y] Wrong;\nplan"}, "[X.Y] Wrong"},
		"details of nothing":    {fault(codes.Internal, "X.Y", "[X.Y] Wrong", "e1"), &pb.FetchErrorDetailsResponse{}, sparkError{Class: "X.Y", State: "HY000", Message: "[X.Y] Wrong"}, "[X.Y] Wrong"},
		"no id":                 {fault(codes.Internal, "X", "Wrong", ""), details(), sparkError{Class: "X", State: "HY000", Message: "Wrong"}, "[X] Wrong"},
		"no class in details":   {status.Error(codes.Internal, "[PARSE_ERROR] Wrong\n== SQL =="), nil, sparkError{Class: "PARSE_ERROR", Message: "[PARSE_ERROR] Wrong\n== SQL =="}, "[PARSE_ERROR] Wrong"},
		"no class":              {status.Error(codes.Internal, "java.lang.RuntimeException: Wrong [1] x"), nil, sparkError{Message: "java.lang.RuntimeException: Wrong [1] x"}, "Wrong [1] x"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeSpark{version: func(context.Context) (string, error) { return "", test.err }, details: test.details}
			_, err := f.serve(t).version(t.Context())
			var got *sparkError
			if !errors.As(err, &got) || got.Class != test.want.Class || got.State != test.want.State || got.Message != test.want.Message {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
			if want := "ask Spark for its version: " + test.line; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestVersionsOfServers(t *testing.T) {
	for version, want := range map[string]struct{ fault, log string }{
		"4.0.1": {fault: "this is Spark 4.0.1; Liushui needs 4.1 or 4.2"},
		"4.2.0": {},
		"4.4.0": {log: "Liushui was tested with Spark 4.1 and 4.2"},
		"5.1.0": {fault: "which Liushui does not know"},
	} {
		var log bytes.Buffer
		s := (&fakeSpark{version: func(context.Context) (string, error) { return version, nil }}).serve(t)
		s.conn.log = slog.New(slog.NewTextHandler(&log, nil))
		_, err := s.version(t.Context())
		if (err == nil) != (want.fault == "") || err != nil && (!strings.Contains(err.Error(), want.fault) || !errors.Is(err, liushui.ErrMisuse)) {
			t.Errorf("%s: %v; want %q", version, err, want.fault)
		}
		if (log.Len() > 0) != (want.log != "") || !strings.Contains(log.String(), want.log) {
			t.Errorf("%s: log %s; want %q", version, log.String(), want.log)
		}
	}
}

func TestWhatIsNoSpark(t *testing.T) {
	s := (&fakeSpark{version: func(context.Context) (string, error) {
		return "", status.Error(codes.Unimplemented, "unknown service spark.connect.SparkConnectService")
	}}).serve(t)
	if _, err := s.version(t.Context()); !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "what answers at sc://fake:15002 is no Spark Connect server") {
		t.Error(err)
	}
}

// tlsServer is a fake behind TLS, as behind a proxy, that wants a token and a header.
func tlsServer(t *testing.T, pair dev.KeyPair) (addr string) {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	pb.RegisterSparkConnectServiceServer(s, &fakeSpark{version: func(ctx context.Context) (string, error) {
		sent, _ := metadata.FromIncomingContext(ctx)
		if got := sent.Get("authorization"); len(got) != 1 || got[0] != "Bearer secret" || len(sent.Get("x-tenant")) != 1 {
			return "", status.Error(codes.Unauthenticated, "Invalid token")
		}
		return "4.2.0", nil
	}})
	return listening(t, s)
}

// listening serves on loopback until the test ends.
func listening(t *testing.T, s *grpc.Server) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); s.Serve(listener) }()
	t.Cleanup(func() { s.Stop(); <-served })
	return listener.Addr().String()
}

func TestTLS(t *testing.T) {
	c, err := dev.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	good, expired, other := tlsServer(t, c.Server), tlsServer(t, c.Expired), tlsServer(t, c.OtherName)
	plain := listening(t, grpc.NewServer())
	for name, test := range map[string]struct {
		server server
		fault  string // "" = none
		away   bool   // one that may pass
	}{
		"trusted":                 {server{Address: "sc://" + good + "/;x-tenant=a", Token: "secret", CAFile: c.CA}, "", false},
		"trusted, in the URL":     {server{Address: "sc://" + good + "/;use_ssl=true;x-tenant=a;token=secret", CAFile: c.CA}, "", false},
		"a wrong token":           {server{Address: "sc://" + good + "/;x-tenant=a", Token: "wrong-secret", CAFile: c.CA}, "refuses the token: Invalid token", false},
		"no token":                {server{Address: "sc://" + good + "/;x-tenant=a", CAFile: c.CA}, "wants a token", false},
		"another authority":       {server{Address: "sc://" + good, Token: "secret", CAFile: c.OtherCA}, "certificate signed by unknown authority", false},
		"the system's only":       {server{Address: "sc://" + good + "/;use_ssl=true", Token: "secret"}, "certificate signed by unknown authority", false},
		"expired":                 {server{Address: "sc://" + expired, CAFile: c.CA}, "certificate has expired", false},
		"of another name":         {server{Address: "sc://" + other, CAFile: c.CA}, "127.0.0.1", false},
		"without TLS":             {server{Address: "sc://" + good, Token: "secret"}, "no answer from Spark at sc://" + good + " within 1s: it closes the connection at once; perhaps it wants use_ssl=true", true},
		"TLS where there is none": {server{Address: "sc://" + plain + "/;use_ssl=true"}, "first record does not look like a TLS handshake", false},
	} {
		t.Run(name, func(t *testing.T) {
			test.server.Patience = time.Second
			_, err := connected(t, test.server).version(t.Context())
			if away(err) != test.away || errors.Is(err, liushui.ErrMisuse) != (test.fault != "" && !test.away) {
				t.Errorf("away %v, want %v: %v", away(err), test.away, err)
			}
			if (err == nil) != (test.fault == "") || err != nil && (!strings.Contains(err.Error(), test.fault) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%v; want %q", err, test.fault)
			}
		})
	}
}

func TestAuthoritiesThatAreNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	for _, want := range []string{"no such file", "holds no certificate in PEM"} {
		if _, err := open(server{Address: "sc://spark", CAFile: file}); !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
		if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Whether who speaks TLS ends a connection with a word or resets it is chance.
func TestAServerThatResets(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}()
	_, err = connected(t, server{Address: "sc://" + listener.Addr().String(), Patience: time.Second}).version(t.Context())
	if !away(err) || !strings.Contains(err.Error(), "it closes the connection at once; perhaps it wants use_ssl=true") {
		t.Error(err)
	}
}
