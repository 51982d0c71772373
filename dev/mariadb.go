// Package dev starts real servers for tests and trials, as plain processes on
// free ports of loopback, in folders that are gone afterwards.
package dev

import (
	"fmt"
	"io"
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

// A MariaDBServer is a MariaDB from Debian's mariadb-server. Its user root has no password.
type MariaDBServer struct {
	Addr string // 127.0.0.1:port, the same after a restart

	dir    string
	keeper *exec.Cmd // a shell that kills the server when alive is closed
	alive  io.Closer
}

// sharedPrefix begins the names of folders that no test removes.
const sharedPrefix = "liushui-mariadb-"

// shared serves all tests of a binary, and ends with it.
var shared struct {
	sync.Mutex
	server *MariaDBServer
	err    error
}

var databases atomic.Int64

// MariaDB returns the DSN of a new, empty database on a server that all tests of
// the binary share. Without mariadbd on this machine the test is skipped.
func MariaDB(t testing.TB) (dsn string) {
	t.Helper()
	requireMariaDB(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		dir, err := os.MkdirTemp("", sharedPrefix)
		if err != nil {
			t.Fatal(err)
		}
		shared.server, shared.err = startMariaDB(dir)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server.Database(t)
}

// StartMariaDB starts a server for one test, which may stop and start it.
func StartMariaDB(t testing.TB) *MariaDBServer {
	t.Helper()
	requireMariaDB(t)
	s, err := startMariaDB(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

func requireMariaDB(t testing.TB) {
	t.Helper()
	if _, err := mariadbd(); err != nil {
		t.Skip("there is no mariadbd on this machine; apt-get install mariadb-server")
	}
}

func mariadbd() (string, error) {
	if path, err := exec.LookPath("mariadbd"); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/mariadbd")
}

func startMariaDB(dir string) (*MariaDBServer, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	s := &MariaDBServer{Addr: addr, dir: dir}
	return s, s.Start()
}

func (s *MariaDBServer) data() string { return filepath.Join(s.dir, "data") }

// keep makes the data where there are none, and runs the server until its own
// input ends, as it does when this process ends in any way; then it kills the
// server and removes the folder. A Ctrl-C for all must not end it before that.
const keep = `trap '' INT TERM HUP
dir=$1 data=$2 remove=$3 server=$4; shift 4
user=; [ "$(id -u)" != 0 ] || user=--user=root
[ -d "$data" ] || mariadb-install-db --no-defaults --auth-root-authentication-method=normal --skip-test-db --datadir="$data" $user >"$dir/install" 2>&1 </dev/null
"$server" --no-defaults --datadir="$data" --socket="$data/s" --pid-file="$data/pid" --log-error="$dir/log" $user "$@" </dev/null &
read _
kill -9 $!
wait $!
[ -z "$remove" ] || rm -rf "$dir"`

// Start starts the server and waits until it answers.
func (s *MariaDBServer) Start() error {
	path, err := mariadbd()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	remove := ""
	if strings.HasPrefix(filepath.Base(s.dir), sharedPrefix) {
		remove = "yes"
	}
	s.keeper = exec.Command("sh", "-c", keep, "keep", s.dir, s.data(), remove, path,
		"--bind-address="+host, "--port="+port, "--skip-name-resolve", "--innodb-buffer-pool-size=128M")
	if s.alive, err = s.keeper.StdinPipe(); err != nil {
		return err
	}
	if err := s.keeper.Start(); err != nil {
		return err
	}
	return s.await(60 * time.Second)
}

func (s *MariaDBServer) await(atMost time.Duration) error {
	for end := time.Now().Add(atMost); ; time.Sleep(50 * time.Millisecond) {
		err := s.Run("SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			install, _ := os.ReadFile(filepath.Join(s.dir, "install"))
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.Kill()
			return fmt.Errorf("mariadbd did not answer on %s: %w\n%s\n%s", s.Addr, err, install, log)
		}
	}
}

// Run runs a statement as root, with the server's own client.
func (s *MariaDBServer) Run(statement string) error {
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
func (s *MariaDBServer) Kill() {
	if s.alive == nil {
		return
	}
	s.alive.Close()
	s.keeper.Wait() // the error says only that the server was killed
	s.alive = nil
}

// Database makes a new, empty database for the test, and returns its DSN.
func (s *MariaDBServer) Database(t testing.TB) (dsn string) {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return '_'
		}
		return unicode.ToLower(r)
	}, t.Name())
	name = fmt.Sprintf("%.40s_%d_%d", name, os.Getpid(), databases.Add(1))
	if err := s.Run("CREATE DATABASE `" + name + "` CHARACTER SET utf8mb4"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Run("DROP DATABASE `" + name + "`") }) // fails where the test has killed the server
	return "mysql://root@" + s.Addr + "/" + name
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
