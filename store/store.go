// Package store keeps results in SQL tables, in SQLite, MySQL 8 or MariaDB, and
// reads them back. What it wraps, it hides: no other package knows SQL.
//
// Each statistic has a table for each set of key fields it ever had, made from
// the job record, and a view of its own name for people: local times, decimal
// money, how firm each row is. Rows and the place in the results topic are
// written in one transaction; see docs/decisions/0011-store-tables.md.
package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"liushui"
)

// Config says which database, and what to keep in it.
type Config struct {
	DSN      string                   // sqlite:PATH or mysql://user[:password]@host:3306/database[?tls=true|skip-verify|preferred]
	Password string                   // where the DSN has none
	TLS      bool                     // speak TLS with a server, and check its certificate and name
	CAFile   string                   // the same, and trust the authorities in this PEM file only; default: the system's
	ReadOnly bool                     // change nothing, make nothing
	Keep     map[string]time.Duration // window size → age behind the newest watermark at which its rows are dropped; none: never
	Adopt    bool                     // Begin goes on with another topic or offset; see there
	Log      *slog.Logger             // nil: none
}

// Store is a database of results. Apply is for one goroutine, View for any.
type Store struct {
	db    dialect
	write *sql.DB // one connection; nil where only reading
	read  *sql.DB
	keep  map[string]time.Duration
	adopt bool
	log   *slog.Logger

	applying sync.Mutex
	writer   *writer // nil: to be loaded from the database
	next     int64   // offset that this process knows to be taken; -1: none
	skipped  skipped
	health   health
	restored restored
	known    sync.Map // see snapshot
}

// Open opens the database and makes the store's own tables. A server that does
// not answer is waited for until ctx is done, but not where it is only read.
func Open(ctx context.Context, c Config) (*Store, error) {
	a, err := parseDSN(c.DSN, c.Password)
	if err != nil {
		return nil, err
	}
	if err := a.secure(c.TLS, c.CAFile); err != nil {
		return nil, err
	}
	if err := checkKeep(c.Keep); err != nil {
		return nil, err
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{db: newDialect(a, log), keep: c.Keep, adopt: c.Adopt, log: log, next: -1}
	s.skipped.log = log
	if s.write, s.read, err = s.db.open(c.ReadOnly); err != nil {
		return nil, err
	}
	if c.ReadOnly {
		err = s.explain("open "+s.db.String(), s.prepare(ctx))
	} else {
		err = s.retry(ctx, "open "+s.db.String(), func() error { return s.prepare(ctx) })
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	db := s.read
	if s.write != nil {
		db = s.write
	}
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	if err := s.db.prepare(ctx, db); err != nil {
		return err
	}
	if err := s.checkVersion(ctx, db); err != nil || s.write == nil {
		return err
	}
	return s.createOwnTables(ctx)
}

func checkKeep(keep map[string]time.Duration) error {
	for name, age := range keep {
		if _, err := liushui.ParseWindow(name); err != nil {
			return misusef("keep: %s", err)
		}
		if age <= 0 {
			return misusef("keep %s=%s: want an age above 0", name, age)
		}
	}
	return nil
}

// Close closes the database. No Apply or View may be under way.
func (s *Store) Close() error {
	if s.writer != nil {
		s.writer.close()
	}
	if err := closeAll(s.read, s.write); err != nil {
		return fmt.Errorf("close %s: %w", s.db, err)
	}
	return nil
}

// Position is the id of the results topic and the offset of the next record to
// take. The id is empty where none was taken yet.
func (s *Store) Position(ctx context.Context) (topicID string, offset int64, err error) {
	p, err := readPosition(ctx, s.db, s.read)
	if err != nil {
		return "", 0, s.explain("read the store's position", err)
	}
	return p.topicID, p.next, nil
}

// position is the row of the store's own table.
type position struct {
	topicID  string
	next     int64
	revision int64 // of the kept records
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readPosition returns the zero position where there is none.
func readPosition(ctx context.Context, d dialect, q querier) (position, error) {
	var p position
	err := q.QueryRowContext(ctx, "SELECT "+quoted(d, []string{"topic_id", "next", "revision"})+" FROM "+d.quote(tableStore)).Scan(&p.topicID, &p.next, &p.revision)
	if err == sql.ErrNoRows {
		return p, nil
	}
	return p, err
}

// readKept returns the kept records in the topic's order, and who had caught up.
func readKept(ctx context.Context, d dialect, q querier) (*liushui.Standing, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+quoted(d, []string{"record_key", "value"})+" FROM "+d.quote(tableRecords)+" ORDER BY "+d.quote("offset"))
	if err != nil {
		return nil, fmt.Errorf("read kept records: %w", err)
	}
	defer rows.Close()
	var records []liushui.Record
	for rows.Next() {
		var r liushui.Record
		if err := rows.Scan(&r.Key, &r.Value); err != nil {
			return nil, fmt.Errorf("read kept records: %w", err)
		}
		records = append(records, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read kept records: %w", err)
	}
	generations, err := readGenerations(ctx, d, q)
	if err != nil {
		return nil, err
	}
	var caughtUp []int64
	for _, g := range generations {
		if g.caughtUp {
			caughtUp = append(caughtUp, g.number)
		}
	}
	return liushui.RestoreStanding(records, slices.Clip(caughtUp))
}
