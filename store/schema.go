package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"liushui"
)

// schemaVersion is that of the store's own tables; those of statistics follow their job.
const schemaVersion = 1

// ownTables are the store's own.
func ownTables(d dialect) []string {
	const number, name = " BIGINT NOT NULL", " VARCHAR(255) NOT NULL"
	create := func(table string, key []string, columns ...string) string {
		text := "CREATE TABLE IF NOT EXISTS " + d.quote(table) + " ("
		for i := 0; i < len(columns); i += 2 {
			text += d.quote(columns[i]) + columns[i+1] + ", "
		}
		return text + "PRIMARY KEY (" + quoted(d, key) + "))" + d.tableOptions(false)
	}
	return []string{
		create(tableStore, []string{"id"},
			"id", number, "version", number, "topic_id", name, "next", number, "revision", number, "retries", number+" DEFAULT 0"),
		create(tableRecords, []string{"generation", "record_key"},
			"generation", number, "record_key", " "+d.keyType()+" NOT NULL", "offset", number, "value", " "+d.textType()+" NOT NULL"),
		create(tableGenerations, []string{"generation"},
			"generation", number, "job", name, "hash", name, "zone", name, "currency", name, "watermark", number, "complete_from", number,
			"caught_up", number, "ended", number, "shown_from", number, "shown_to", number),
		create(tableTables, []string{"name"},
			"name", name, "statistic", name, "fields", name),
	}
}

// checkVersion refuses a database that another version made, and one that is no
// store where it is only read.
func (s *Store) checkVersion(ctx context.Context, db *sql.DB) error {
	columns, err := s.columns(ctx, db)
	if err != nil {
		return err
	}
	if len(columns[tableStore]) == 0 {
		if s.write == nil {
			return missingf("%s holds no results; `liushui store` and `liushui up` write them", s.db)
		}
		return nil
	}
	version := schemaVersion
	err = db.QueryRowContext(ctx, "SELECT "+s.db.quote("version")+" FROM "+s.db.quote(tableStore)).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read the store's version: %w", err)
	}
	if version != schemaVersion {
		return misusef("%s was made by another version of liushui (its tables are of version %d, not %d); use that one, or a new database", s.db, version, schemaVersion)
	}
	return nil
}

func (s *Store) createOwnTables(ctx context.Context) error {
	for _, statement := range ownTables(s.db) {
		if _, err := s.write.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create the store's own tables: %w", err)
		}
	}
	held, err := s.columns(ctx, s.write)
	if err != nil || slices.Contains(held[tableStore], "retries") {
		return err
	}
	add := "ALTER TABLE " + s.db.quote(tableStore) + " ADD COLUMN " + s.db.quote("retries") + " BIGINT NOT NULL DEFAULT 0" // made by a version that did not count
	if _, err := s.write.ExecContext(ctx, add); err != nil {
		return fmt.Errorf("bring the store's own tables to this version: %w", err)
	}
	return nil
}

// columns are those of all tables by name.
func (s *Store) columns(ctx context.Context, db *sql.DB) (map[string][]string, error) {
	rows, err := db.QueryContext(ctx, s.db.columnsQuery())
	if err != nil {
		return nil, fmt.Errorf("read tables and columns: %w", err)
	}
	defer rows.Close()
	all := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return nil, fmt.Errorf("read tables and columns: %w", err)
		}
		all[table] = append(all[table], column)
	}
	return all, rows.Err()
}

// createTables makes the tables that jobs need and lack, and the columns of
// their measures. It is done before the job's record is kept, and harmless again.
// The tables of jobs that are kept must be whole.
func (s *Store) createTables(ctx context.Context, kept *liushui.Standing, jobs []*liushui.Job) error {
	held, err := s.columns(ctx, s.write)
	if err != nil {
		return err
	}
	if err := checkTables(s.db, kept, held); err != nil {
		return err
	}
	for _, job := range jobs {
		for _, statistic := range job.Statistics {
			if err := s.createTable(ctx, statistic, held); err != nil {
				return fmt.Errorf("create table %s: %w", tableOf(statistic).name, err)
			}
		}
	}
	return nil
}

func (s *Store) createTable(ctx context.Context, statistic *liushui.Statistic, held map[string][]string) error {
	t := tableOf(statistic)
	measures, sketches := valueColumns(statistic)
	first := firstTable(t)
	statements := append(addColumns(s.db, t.name, measures, sketches, held[t.name]), addColumns(s.db, first, measures, nil, held[first])...)
	if len(held[first]) == 0 {
		statements = append(statements, createFirstTable(s.db, t, statistic))
	}
	if len(held[t.name]) == 0 {
		statements = append(statements, createTable(s.db, t, statistic))
		fields, err := json.Marshal(t.fields)
		if err != nil {
			return err
		}
		register := "REPLACE INTO " + s.db.quote(tableTables) + " (" + quoted(s.db, []string{"name", "statistic", "fields"}) + ") VALUES (?, ?, ?)"
		if _, err := s.write.ExecContext(ctx, register, t.name, statistic.Name, string(fields)); err != nil {
			return err
		}
	}
	for _, statement := range statements {
		if _, err := s.write.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	held[t.name] = append(append(append(held[t.name], "generation"), measures...), sketches...)
	held[first] = append(append(held[first], "generation"), measures...)
	return nil
}

// createViews brings the views to the form of a job.
func (s *Store) createViews(ctx context.Context, job *liushui.Job) error {
	for _, statistic := range job.Statistics {
		err := s.db.createView(ctx, s.write, statistic.Name, viewQuery(s.db, tableOf(statistic), statistic))
		if err != nil {
			return fmt.Errorf("create view %s: %w", statistic.Name, err)
		}
	}
	return nil
}

// drop empties the database of all that the store made but its position, which
// stays another topic's until all is dropped.
func (s *Store) drop(ctx context.Context) error {
	tables, err := s.registered(ctx)
	if err != nil {
		return err
	}
	s.known.Clear()
	var statements []string
	for name, statistic := range tables {
		statements = append(statements, "DROP VIEW IF EXISTS "+s.db.quote(statistic), "DROP TABLE IF EXISTS "+s.db.quote(firstTable(&table{name: name})), "DROP TABLE IF EXISTS "+s.db.quote(name))
	}
	for _, name := range []string{tableTables, tableGenerations, tableRecords} {
		statements = append(statements, "DELETE FROM "+s.db.quote(name))
	}
	for _, statement := range statements {
		if _, err := s.write.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("drop what the store made: %w", err)
		}
	}
	return nil
}

// registered are the statistics by the names of their tables.
func (s *Store) registered(ctx context.Context) (map[string]string, error) {
	rows, err := s.write.QueryContext(ctx, "SELECT "+quoted(s.db, []string{"name", "statistic"})+" FROM "+s.db.quote(tableTables))
	if err != nil {
		return nil, fmt.Errorf("read the list of tables: %w", err)
	}
	defer rows.Close()
	tables := map[string]string{}
	for rows.Next() {
		var name, statistic string
		if err := rows.Scan(&name, &statistic); err != nil {
			return nil, fmt.Errorf("read the list of tables: %w", err)
		}
		tables[name] = statistic
	}
	return tables, rows.Err()
}
