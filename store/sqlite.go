package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	sqlite "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// sqliteFile is the dialect of one SQLite file.
type sqliteFile struct{ path string }

// open opens the file: one connection that writes, and several that read beside
// it. synchronous=FULL syncs every commit: once the store has told Kafka how far
// it is, the log may be trimmed up to there, so a power cut must not take the
// store back behind that. Reading is mode=rw, too: with mode=ro SQLite would leave
// an empty write-ahead log behind; query_only is what keeps it from writing.
func (d *sqliteFile) open(readOnly bool) (write, read *sql.DB, err error) {
	path, err := filepath.Abs(d.path)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", d, err)
	}
	if err := d.check(path, readOnly); err != nil {
		return nil, nil, err
	}
	if path = filepath.ToSlash(path); !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	file := (&url.URL{Scheme: "file", Path: path}).String()
	const both = "?_pragma=busy_timeout(10000)&_pragma=cache_size(-16000)"
	if !readOnly {
		write, err = sql.Open("sqlite", file+both+"&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=journal_size_limit(67108864)")
		if err != nil {
			return nil, nil, fmt.Errorf("open %s: %w", d, err)
		}
		write.SetMaxOpenConns(1)
	}
	if read, err = sql.Open("sqlite", file+both+"&mode=rw&_query_only=1"); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", d, err), closeAll(write))
	}
	read.SetMaxOpenConns(4)
	read.SetMaxIdleConns(4)
	return write, read, nil
}

// check says clearly what SQLite would say in riddles.
func (d *sqliteFile) check(path string, readOnly bool) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return misusef("%s is a directory; want a file in it, such as %s", d, filepath.Join(d.path, "liushui.db"))
	case err == nil || !errors.Is(err, os.ErrNotExist):
		return nil // SQLite has the last word
	case readOnly:
		return missingf("there is no database %s; `liushui store` and `liushui up` make one", d)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return misusef("%s: there is no directory %s; make it first", d, filepath.Dir(path))
	}
	return nil
}

func (d *sqliteFile) String() string { return "sqlite:" + d.path }

func (d *sqliteFile) prepare(context.Context, *sql.DB) error { return nil }

func (d *sqliteFile) quote(name string) string { return `"` + name + `"` }

func (d *sqliteFile) keyType() string    { return "TEXT" }
func (d *sqliteFile) windowType() string { return "TEXT" }
func (d *sqliteFile) textType() string   { return "TEXT" }
func (d *sqliteFile) bytesType() string  { return "BLOB" }

// tableOptions stores rows in the order of their key, except where sketches make them long.
func (d *sqliteFile) tableOptions(long bool) string {
	if long {
		return ""
	}
	return " WITHOUT ROWID"
}

func (d *sqliteFile) maxParameters() int { return 32766 }

func (d *sqliteFile) upsert(table string, key, rest []string) string {
	set := make([]string, len(rest))
	for i, c := range rest {
		set[i] = d.quote(c) + "=excluded." + d.quote(c)
	}
	return " ON CONFLICT (" + quoted(d, key) + ") DO UPDATE SET " + strings.Join(set, ", ") +
		` WHERE (excluded."repair", excluded."version") > (` + d.quote(table) + `."repair", ` + d.quote(table) + `."version")`
}

func (d *sqliteFile) columnsQuery() string {
	return "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
}

// createView replaces a view; nothing is done where it is there already.
func (d *sqliteFile) createView(ctx context.Context, db *sql.DB, name, query string) error {
	text := "CREATE VIEW " + d.quote(name) + " AS " + query
	var held string
	err := db.QueryRowContext(ctx, "SELECT sql FROM sqlite_master WHERE type = 'view' AND name = ?", name).Scan(&held)
	if err != nil && !errors.Is(err, sql.ErrNoRows) || held == text {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, statement := range []string{"DROP VIEW IF EXISTS " + d.quote(name), text} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (d *sqliteFile) localTime(ms, offset string) string {
	return "datetime(" + ms + " / 1000 + " + offset + ", 'unixepoch')"
}

// decimal is a number of 15 digits, which SQLite's binary numbers show exactly,
// and exact text above.
func (d *sqliteFile) decimal(column string) string {
	return "CASE WHEN " + column + " BETWEEN -999999999999999 AND 999999999999999 THEN " + column + " / 10000.0" +
		" WHEN " + column + " IS NOT NULL THEN printf('%d.%04d', " + column + " / 10000, abs(" + column + " % 10000)) END"
}

func (d *sqliteFile) text(column string) string { return column }

func (d *sqliteFile) snapshotIsolation() sql.IsolationLevel { return sql.LevelDefault }

func (d *sqliteFile) judge(err error) (fault, string) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fatal, ""
	}
	switch e.Code() & 0xff {
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED, codes.SQLITE_PROTOCOL, codes.SQLITE_IOERR, codes.SQLITE_FULL, codes.SQLITE_NOMEM, codes.SQLITE_INTERRUPT:
		return passing, ""
	case codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_PERM, codes.SQLITE_AUTH:
		return mendable, "see that the file and its directory may be written"
	case codes.SQLITE_NOTADB:
		return mendable, "the file is not a SQLite database; name another"
	case codes.SQLITE_CORRUPT:
		return mendable, "the file is damaged; restore a copy, or name a new file and let `liushui store` fill it from the log"
	}
	return fatal, ""
}
