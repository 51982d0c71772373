// Package dev starts real servers for tests and trials, as plain processes on
// loopback, in folders that are gone afterwards. What this machine lacks for
// one is a reason to skip a test.
package dev

import (
	"fmt"
	"os/exec"
	"testing"
)

var mariaDB = &sqlKind{
	name: "mariadb",
	install: func(s *SQLServer) ([]string, error) {
		if _, err := mariadbd(); err != nil {
			return nil, err
		}
		return append([]string{"mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--datadir=" + s.data()}, asRoot()...), nil
	},
	serve: func(s *SQLServer) ([]string, error) {
		path, err := mariadbd()
		return append([]string{path, "--no-defaults", "--character-set-server=utf8mb4"}, s.flags()...), err
	},
}

// MariaDB returns the DSN of a new, empty database on a MariaDB of Debian's that
// all tests of the binary share.
func MariaDB(t testing.TB) (dsn string) {
	t.Helper()
	return mariaDB.database(t)
}

// StartMariaDB starts a server for one test, which may stop and start it.
// Options are those of mariadbd.
func StartMariaDB(t testing.TB, options ...string) *SQLServer {
	t.Helper()
	return mariaDB.start(t, options)
}

// RunMariaDB starts a server that ends with this process at the latest.
func RunMariaDB(addr string) (*SQLServer, error) { return mariaDB.run(addr) }

func mariadbd() (string, error) {
	for _, name := range []string{"mariadbd", "/usr/sbin/mariadbd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("mariadbd is %w; apt-get install mariadb-server", errMissing)
}
