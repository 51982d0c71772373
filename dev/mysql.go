package dev

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// mySQL runs with defaults that differ from MariaDB's: what a store needs of
// text, zone and mode it must ask for.
var mySQL = &sqlKind{
	name: "mysql",
	install: func(s *SQLServer) ([]string, error) {
		base, err := mysqlBase()
		if err != nil {
			return nil, err
		}
		first := filepath.Join(s.dir, "first.sql") // addresses are not looked up
		if err := os.WriteFile(first, []byte("RENAME USER root@localhost TO root@127.0.0.1;\n"), 0o644); err != nil {
			return nil, err
		}
		return append([]string{filepath.Join(base, "bin/mysqld"), "--no-defaults", "--initialize-insecure", "--init-file=" + first,
			"--basedir=" + base, "--lc-messages-dir=" + filepath.Join(base, "share"), "--datadir=" + s.data()}, asRoot()...), nil
	},
	serve: func(s *SQLServer) ([]string, error) {
		base, err := mysqlBase()
		return append([]string{filepath.Join(base, "bin/mysqld"), "--no-defaults", "--basedir=" + base, "--lc-messages-dir=" + filepath.Join(base, "share"),
			"--mysqlx=OFF", "--skip-log-bin", "--character-set-server=latin1", "--sql-mode=", "--default-time-zone=-07:00"}, s.flags()...), err
	},
}

// MySQL returns the DSN of a new, empty database on a MySQL 8.0 that all tests
// of the binary share.
func MySQL(t testing.TB) (dsn string) {
	t.Helper()
	return mySQL.database(t)
}

// StartMySQL starts a server for one test, which may stop and start it. Options
// are those of mysqld.
func StartMySQL(t testing.TB, options ...string) *SQLServer {
	t.Helper()
	return mySQL.start(t, options)
}

// RunMySQL starts a server that ends with this process at the latest.
func RunMySQL(addr string) (*SQLServer, error) { return mySQL.run(addr) }

// mysqlBase is the folder with MySQL's bin and share.
func mysqlBase() (string, error) {
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" {
		return "", fmt.Errorf("MySQL 8.0.12 is %w: it is for linux/amd64", errMissing)
	}
	if _, err := exec.LookPath("mariadb"); err != nil {
		return "", fmt.Errorf("the client of MySQL is %w; apt-get install mariadb-client-core", errMissing)
	}
	base, err := artifacts(mysql80)
	if err != nil {
		return "", err
	}
	if out, err := exec.Command(filepath.Join(base, "bin/mysqld"), "--no-defaults", "--version").CombinedOutput(); err != nil {
		return "", fmt.Errorf("what MySQL 8.0.12 needs is %w; apt-get install libaio1 libnuma1: %s", errMissing, strings.TrimSpace(string(out)))
	}
	return base, nil
}

// unpackMySQL replaces the jar in dir by the server that it carries.
func unpackMySQL(dir string) error {
	jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil || len(jars) != 1 {
		return fmt.Errorf("unpack MySQL: want one jar in %s, found %v", dir, jars)
	}
	jar, err := zip.OpenReader(jars[0])
	if err != nil {
		return fmt.Errorf("unpack MySQL: %w", err)
	}
	defer jar.Close()
	archive, err := jar.Open("mysql-Linux-amd64.tar.gz")
	if err != nil {
		return fmt.Errorf("unpack MySQL: %w", err)
	}
	defer archive.Close()
	plain, err := gzip.NewReader(archive)
	if err != nil {
		return fmt.Errorf("unpack MySQL: %w", err)
	}
	if err := untar(tar.NewReader(plain), dir); err != nil {
		return fmt.Errorf("unpack MySQL: %w", err)
	}
	return os.Remove(jars[0])
}

func untar(in *tar.Reader, dir string) error {
	for {
		entry, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(entry.Name) {
			return fmt.Errorf("%q leads out of the folder", entry.Name)
		}
		if err := untarOne(entry, in, filepath.Join(dir, entry.Name)); err != nil {
			return err
		}
	}
}

func untarOne(entry *tar.Header, content io.Reader, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	switch entry.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o755)
	case tar.TypeSymlink:
		return os.Symlink(entry.Linkname, path)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, entry.FileInfo().Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
