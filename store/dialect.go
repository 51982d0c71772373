package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
)

// dialect is what differs between databases; all other SQL is the same text.
type dialect interface {
	// open makes the pools; write is nil where only reading is asked for.
	open(readOnly bool) (write, read *sql.DB, err error)
	prepare(ctx context.Context, db *sql.DB) error // after the first connection
	String() string                                // the address, without password

	quote(name string) string
	keyType() string    // text of a key; compares byte by byte, trailing blanks and case included
	windowType() string // a window's name, which people compare, too
	textType() string   // text that is never compared
	bytesType() string  // sketches
	tableOptions(long bool) string
	maxParameters() int // of one statement

	// upsert ends an INSERT: the row takes the place of the held one of its key
	// where (repair, version) is higher.
	upsert(table string, key, rest []string) string
	columnsQuery() string // table and column of all tables
	createView(ctx context.Context, db *sql.DB, name, query string) error

	localTime(ms, offset string) string // what a person reads, of UTC ms and seconds
	decimal(column string) string       // of ten-thousandths
	text(column string) string          // of a key

	snapshotIsolation() sql.IsolationLevel // of a transaction that sees one moment
	judge(err error) (fault, string)       // and, where mendable, how to mend it
}

// fault is what kind of failure an error of a database is.
type fault uint8

const (
	fatal    fault = iota
	passing        // trying again later may work
	mendable       // by the user
)

func newDialect(a *address, log *slog.Logger) dialect {
	if a.file != "" {
		return &sqliteFile{path: a.file}
	}
	return &mysqlServer{address: a, log: log}
}

// quoted is a list of names for SQL.
func quoted(d dialect, names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = d.quote(name)
	}
	return strings.Join(list, ", ")
}

func closeAll(dbs ...*sql.DB) error {
	var all []error
	for _, db := range dbs {
		if db != nil {
			all = append(all, db.Close())
		}
	}
	return errors.Join(all...)
}
