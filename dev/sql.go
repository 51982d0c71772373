package dev

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
)

// An SQLServer is a MariaDB or a MySQL. Its user root has no password.
type SQLServer struct {
	Addr string // 127.0.0.1:port, the same after a restart

	kind    *sqlKind
	dir     string
	remove  string   // dir, where no test removes it
	options []string // of the server
	process *process
}

// sqlKind is what the two differ in.
type sqlKind struct {
	name    string
	install func(s *SQLServer) (command []string, err error) // makes the data folder
	serve   func(s *SQLServer) (command []string, err error)

	shared sync.Mutex // all tests of a binary use one server, which ends with it
	server *SQLServer
	err    error
}

var databases atomic.Int64

// database is the DSN of a new, empty database on the server that all tests of
// the binary share.
func (k *sqlKind) database(t testing.TB) (dsn string) {
	t.Helper()
	k.shared.Lock()
	defer k.shared.Unlock()
	if k.server == nil && k.err == nil {
		k.server, k.err = k.run("127.0.0.1:0")
	}
	requires(t, k.err)
	return k.server.Database(t)
}

// start starts a server for one test.
func (k *sqlKind) start(t testing.TB, options []string) *SQLServer {
	t.Helper()
	s := &SQLServer{kind: k, dir: t.TempDir(), options: options}
	requires(t, s.begin("127.0.0.1:0"))
	t.Cleanup(s.Kill)
	return s
}

// run starts a server in a folder that is gone when it has ended, which it does
// with this process at the latest. The port 0 is any that is free.
func (k *sqlKind) run(addr string) (*SQLServer, error) {
	dir, err := os.MkdirTemp("", "liushui-"+k.name+"-")
	if err != nil {
		return nil, err
	}
	s := &SQLServer{kind: k, dir: dir, remove: dir}
	if err := s.begin(addr); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func (s *SQLServer) begin(addr string) (err error) {
	if s.Addr, err = fixed(addr); err != nil {
		return err
	}
	command, err := s.kind.install(s)
	if err != nil {
		return err
	}
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("make the data folder of %s: %w\n%s", s.kind.name, err, out)
	}
	return s.Start()
}

func (s *SQLServer) data() string { return filepath.Join(s.dir, "data") }
func (s *SQLServer) log() string  { return filepath.Join(s.dir, "log") }

// Start starts the server and waits until it answers.
func (s *SQLServer) Start() error {
	command, err := s.kind.serve(s)
	if err != nil {
		return err
	}
	if s.process, err = launch(s.log(), s.remove, command[0], command[1:]...); err != nil {
		return fmt.Errorf("start %s: %w", s.kind.name, err)
	}
	if err := s.process.await(s.log(), time.Minute, func() error { return s.Run("SELECT 1") }); err != nil {
		s.Kill()
		return fmt.Errorf("start %s on %s: %w", s.kind.name, s.Addr, err)
	}
	return nil
}

// flags are those of the server's program that all servers share.
func (s *SQLServer) flags() []string {
	host, port, _ := net.SplitHostPort(s.Addr) // as fixed made it
	flags := []string{"--datadir=" + s.data(), "--socket=" + filepath.Join(s.data(), "s"), "--pid-file=" + filepath.Join(s.data(), "pid"),
		"--bind-address=" + host, "--port=" + port, "--skip-name-resolve", "--innodb-buffer-pool-size=128M"}
	return append(append(flags, asRoot()...), s.options...)
}

// asRoot is the flag that a server wants when it is to run as root.
func asRoot() []string {
	if os.Getuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// Run runs a statement as root, with MariaDB's client.
func (s *SQLServer) Run(statement string) error {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	out, err := exec.Command("mariadb", "--no-defaults", "--protocol=tcp", "--host="+host, "--port="+port, "--user=root", "--execute="+statement).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mariadb client: %w: %s", err, out)
	}
	return nil
}

// Kill kills the server at once, as a power cut would, and waits for its end.
func (s *SQLServer) Kill() {
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Signal sends the server a signal by its name: STOP freezes it, CONT lets it go on.
func (s *SQLServer) Signal(name string) error { return s.process.signal(name) }

// Database makes a new, empty database for the test, and returns its DSN.
func (s *SQLServer) Database(t testing.TB) (dsn string) {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return '_'
		}
		return unicode.ToLower(r)
	}, t.Name())
	name = fmt.Sprintf("%.40s_%d_%d", name, os.Getpid(), databases.Add(1))
	if err := s.Run("CREATE DATABASE `" + name + "`"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Run("DROP DATABASE `" + name + "`") }) // fails where the test has killed the server
	return "mysql://root@" + s.Addr + "/" + name
}

// fixed makes the port 0 one that is free.
func fixed(addr string) (string, error) {
	if !strings.HasSuffix(addr, ":0") {
		return addr, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
