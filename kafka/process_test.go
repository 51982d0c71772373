package kafka_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"liushui/kafka"
)

// TestMain lets the test binary be a broker of its own process: what is killed
// in tests, and what must not be counted in benchmarks.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LIUSHUI_TEST_BROKER"); dir != "" {
		serve(dir)
		return
	}
	os.Exit(m.Run())
}

// serve runs a broker until its standard input ends.
func serve(dir string) {
	retain, _ := strconv.ParseInt(os.Getenv("LIUSHUI_TEST_RETAIN"), 10, 64) // empty: the default
	ctx, stop := context.WithCancel(context.Background())
	b, err := kafka.StartBroker(ctx, kafka.BrokerConfig{Dir: dir, Listen: os.Getenv("LIUSHUI_TEST_LISTEN"), Retain: retain,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	fmt.Println(b.Addr())
	bufio.NewScanner(os.Stdin).Scan()
	stop()
	<-done
	b.Close()
}

// brokerProcess is a broker in a process of its own.
type brokerProcess struct {
	addr string
	cmd  *exec.Cmd
	wait func() error
	stop func()
}

// launch starts one. listen may be 127.0.0.1:0.
func launch(t testing.TB, dir, listen string, env ...string) *brokerProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LIUSHUI_TEST_BROKER="+dir, "LIUSHUI_TEST_LISTEN="+listen)
	cmd.Env = append(cmd.Env, env...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	if !said.Scan() || strings.HasPrefix(said.Text(), "error:") {
		cmd.Wait()
		t.Fatalf("the broker did not start: %s\n%s", said.Text(), complaints.String())
	}
	p := &brokerProcess{addr: said.Text(), cmd: cmd}
	ended := false
	p.wait = func() error {
		ended = true
		return cmd.Wait()
	}
	p.stop = func() {
		in.Close()
		p.wait()
	}
	t.Cleanup(func() {
		if !ended {
			p.kill(t)
		}
	})
	return p
}

// kill ends the process as a power switch does.
func (p *brokerProcess) kill(t testing.TB) {
	if err := p.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	p.wait()
}
