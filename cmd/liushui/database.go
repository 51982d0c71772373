package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"liushui/store"
)

// databaseFlags say which database the store writes and others read.
type databaseFlags struct {
	dsn          string
	passwordFile string
	tls          bool
	caFile       string
}

func (f *databaseFlags) bind(c *cobra.Command, usage string) {
	c.Flags().StringVar(&f.dsn, "database", "", usage)
	c.Flags().StringVar(&f.passwordFile, "database-password-file", "", "`file` with the database's password; LIUSHUI_DATABASE_PASSWORD holds it directly")
	c.Flags().BoolVar(&f.tls, "database-tls", false, "speak TLS with the database's server, and trust the system's authorities")
	c.Flags().StringVar(&f.caFile, "database-tls-ca", "", "speak TLS, and trust the authorities in this PEM `file` only")
}

// databaseFile is the database of a data directory.
const databaseFile = "liushui.db"

// databaseIn names the database of a data directory.
func databaseIn(path string) (dsn string) { return "sqlite:" + filepath.Join(path, databaseFile) }

// makeDatabaseIn makes the data directory, and names the database in it.
func makeDatabaseIn(path string) (dsn string, err error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", misuse("--data %s: %w", path, reason(err))
	}
	return databaseIn(path), nil
}

// databaseConfig is the store's configuration, with the password read.
func (p *program) databaseConfig(f *databaseFlags) (store.Config, error) {
	password, err := p.password("database-password", f.passwordFile)
	return store.Config{DSN: f.dsn, Password: password, TLS: f.tls, CAFile: f.caFile, Log: p.log}, err
}

// newestDirectory is the data directory under ./liushui-data whose database was
// written last.
func newestDirectory() (path string, several bool, err error) {
	files, err := filepath.Glob(filepath.Join(dataRoot, "*", databaseFile))
	if err != nil {
		return "", false, err
	}
	var newest time.Time
	for _, file := range files {
		at := writtenAt(file)
		if path == "" || at.After(newest) {
			path, newest = filepath.Dir(file), at
		}
	}
	if path == "" {
		return "", false, misuse("there is no data under ./%s; start `liushui up`, or name a database with --data DIR or --database DSN", dataRoot)
	}
	return path, len(files) > 1, nil
}

// writtenAt is when a SQLite file or its write-ahead log was written last.
func writtenAt(file string) time.Time {
	var at time.Time
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(file + suffix); err == nil && info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	return at
}

// openToRead opens the database that flags and data directory name.
func (p *program) openToRead(ctx context.Context, f *databaseFlags, data string) (*store.Store, error) {
	if f.dsn != "" && data != "" {
		return nil, misuse("--database and --data both name a database; give one of them")
	}
	if f.dsn == "" && data == "" {
		newest, several, err := newestDirectory()
		if err != nil {
			return nil, err
		}
		if several {
			p.log.Info("reading the newest data directory; name another with --data", "data", newest)
		}
		data = newest
	}
	if f.dsn == "" {
		f.dsn = databaseIn(data)
	}
	c, err := p.databaseConfig(f)
	if err != nil {
		return nil, err
	}
	c.ReadOnly = true
	return store.Open(ctx, c)
}
