package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"liushui"
)

// lost says that a table, or a column of one, is gone though results were written
// to it, and how to get it back. An empty one is never put in its place: what it
// held would be missing without a word.
type lost struct{ text string }

func (e *lost) Error() string { return e.text }

// orLost returns err, or where a loss explains it, that.
func (s *Store) orLost(ctx context.Context, standing *liushui.Standing, err error) error {
	if kind, _ := s.db.judge(err); kind != fatal || errors.Is(err, errMoved) {
		return err
	}
	held, unknown := s.columns(ctx, s.write)
	if unknown != nil {
		return err
	}
	if gone := checkTables(s.db, standing, held); gone != nil {
		return gone
	}
	return err
}

// checkTables looks whether the tables of jobs whose records are kept have the
// columns that they were made with.
func checkTables(d dialect, standing *liushui.Standing, held map[string][]string) error {
	for _, number := range standing.Generations() {
		for _, statistic := range standing.Job(number).Statistics {
			if err := checkTable(d, statistic, held); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkTable(d dialect, statistic *liushui.Statistic, held map[string][]string) error {
	t := tableOf(statistic)
	measures, sketches := valueColumns(statistic)
	if len(held[t.name]) == 0 {
		return &lost{fmt.Sprintf("table %s is gone: restore it from a copy, or name a new database, which is filled from the topic of results", d.quote(t.name))}
	}
	if err := checkColumns(d, t.name, slices.Concat(t.key(), fixed), measures, sketches, held[t.name]); err != nil {
		return err
	}
	first := firstTable(t)
	if len(held[first]) == 0 { // made by a version that had none
		return nil
	}
	return checkColumns(d, first, slices.Concat(t.key(), firstColumns), measures, nil, held[first])
}

func checkColumns(d dialect, table string, fixed, measures, sketches, held []string) error {
	for _, column := range slices.Concat(fixed, measures, sketches) {
		if slices.Contains(held, column) {
			continue
		}
		text := fmt.Sprintf("table %s has lost its column %s: give it back its name, or restore the table from a copy", d.quote(table), d.quote(column))
		if add := addColumns(d, table, measures, sketches, held); len(add) > 0 {
			text += fmt.Sprintf("; where its figures are gone, %s, and `liushui reconcile --repair` with this --database", add[0])
		}
		return &lost{text}
	}
	return nil
}
