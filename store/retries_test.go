package store

import (
	"context"
	"testing"
	"time"

	"liushui"
)

// Retries are kept with what was written after them, for other programs to read;
// a database of a version that did not count tells none until a store writes it.
func TestRetriesAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		l := newTopic(t)
		l.job(5, shopText)
		s.mustApply(t, l.records)
		kept := func(s *Store) (n int64) {
			t.Helper()
			s.view(t, func(v liushui.Snapshot) {
				var err error
				if n, err = v.Retries(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
			return n
		}
		if n := kept(s); n != 0 {
			t.Errorf("%d retries while all went well", n)
		}
		do := func(statement string) {
			t.Helper()
			if _, err := s.write.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		q := s.db.quote
		do("ALTER TABLE " + q(tableStore) + " DROP COLUMN " + q("retries"))
		reader := open(t, Config{DSN: dsn, ReadOnly: true})
		if n := kept(reader); n != 0 {
			t.Errorf("%d retries that nobody counted", n)
		}

		s = open(t, Config{DSN: dsn})
		if err := s.Begin(t.Context(), "topic-1", 0, 1<<40); err != nil {
			t.Fatal(err)
		}
		if _, next, err := s.Position(t.Context()); err != nil || next != 1 {
			t.Errorf("the position is %d, %v, want 1", next, err)
		}
		do("ALTER TABLE " + q("sales$") + " RENAME TO mistake")
		first := len(l.records)
		l.progress(liushui.Progress{Generation: 5})
		short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := s.Apply(short, l.records[first:]); err == nil {
			t.Fatal("it writes to tables that are not whole")
		}
		do("ALTER TABLE mistake RENAME TO " + q("sales$"))
		s.mustApply(t, l.records[first:])
		if n := kept(reader); n < 1 || n != s.Health().Retries {
			t.Errorf("%d retries are kept of %d, want all, and at least one", n, s.Health().Retries)
		}
	})
}
