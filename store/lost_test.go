package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"liushui"
)

// A column that is lost is named, never made anew by the store itself, and waited
// for; when it is back, nothing is missing.
func TestLostColumn(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		said := &log{}
		s := begun(t, Config{DSN: dsn, Log: said.logger()})
		l := newTopic(t)
		l.job(5, shopText)
		l.progress(liushui.Progress{Generation: 5})
		row := liushui.Result{Statistic: "sales", Window: "1d", Start: start, Generation: 5, Version: 1, Values: values(1, 10)}
		l.result(row)
		s.mustApply(t, l.records)
		q := s.db.quote
		other := open(t, Config{DSN: dsn})
		do := func(statement string) {
			t.Helper()
			if _, err := other.write.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		for _, test := range []struct{ name, lose, giveBack, says string }{
			{"renamed", "ALTER TABLE " + q("sales$") + " RENAME COLUMN " + q("paid$") + " TO mistake", "ALTER TABLE " + q("sales$") + " RENAME COLUMN mistake TO " + q("paid$"),
				"table " + q("sales$") + " has lost its column " + q("paid$") + ": give it back its name, or restore the table from a copy; where its figures are gone, ALTER TABLE " +
					q("sales$") + " ADD COLUMN " + q("paid$") + " BIGINT NULL, and `liushui reconcile --repair` with this --database"},
			{"a fixed one", "ALTER TABLE " + q("sales$") + " RENAME COLUMN " + q("late") + " TO mistake", "ALTER TABLE " + q("sales$") + " RENAME COLUMN mistake TO " + q("late"),
				"table " + q("sales$") + " has lost its column " + q("late") + ": give it back its name, or restore the table from a copy"},
			{"the table", "ALTER TABLE " + q("sales$") + " RENAME TO mistake", "ALTER TABLE mistake RENAME TO " + q("sales$"),
				"table " + q("sales$") + " is gone: restore it from a copy, or name a new database, which is filled from the topic of results"},
		} {
			for _, when := range []string{"at work", "at the start"} {
				do(test.lose)
				if when == "at the start" {
					s = open(t, Config{DSN: dsn, Log: said.logger()})
					if err := s.Begin(t.Context(), "topic-1", 0, 1<<40); err != nil {
						t.Fatal(err)
					}
				}
				row.Version++
				row.Values = values(row.Version, 10*row.Version)
				l.result(row)
				newest := l.records[len(l.records)-1:]
				short, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
				if err := s.Apply(short, newest); err == nil || short.Err() == nil {
					t.Errorf("%s, %s: Apply does not wait, but gives %v", test.name, when, err)
				}
				cancel()
				if h := s.Health(); !h.Away || h.Error != test.says {
					t.Errorf("%s, %s: the store says\n%s\nwant\n%s", test.name, when, h.Error, test.says)
				}
				do(test.giveBack)
				s.mustApply(t, newest)
				l.compare(s)
			}
		}
		if n := strings.Count(said.String(), "the database is back"); n != 6 {
			t.Errorf("it says %d times that the database is back, want 6:\n%s", n, said.String())
		}
	})
}
