package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"liushui"
)

// maxBatch is how many records one transaction takes.
const maxBatch = 10_000

// errMoved means that another process took records since this one looked.
var errMoved = errors.New("another process writes to this database, too")

// writer is what Apply knows of the database between two calls: forgotten after
// any failure, since a commit may have worked though its answer was lost.
type writer struct {
	position
	standing    *liushui.Standing
	generations map[int64]generationRow
	views       int64 // generation whose job the views show
	keep        *keeper
	statements  map[string]*sql.Stmt
}

func (w *writer) close() {
	for _, statement := range w.statements {
		statement.Close()
	}
}

func (s *Store) forget() {
	if s.writer != nil {
		s.writer.close()
		s.writer = nil
	}
}

// Apply takes records of the results topic, in order: the newest results, the
// job and progress records, and the offset after them, in one transaction.
// Records that were taken before change nothing. A database that is away is
// waited for until ctx is done; a record that cannot be used is counted and left out.
func (s *Store) Apply(ctx context.Context, records []liushui.Record) error {
	if s.write == nil {
		return fmt.Errorf("apply to %s: it was opened to read only", s.db)
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	for len(records) > 0 {
		part := records[:min(len(records), maxBatch)]
		records = records[len(part):]
		if err := s.retry(ctx, "write results", func() error { return s.apply(ctx, part) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) apply(ctx context.Context, records []liushui.Record) error {
	if s.writer == nil {
		if err := s.load(ctx); err != nil {
			return err
		}
	}
	w := s.writer
	for len(records) > 0 && records[0].Offset < w.next {
		records = records[1:]
	}
	if len(records) == 0 {
		return nil
	}
	b := newBatch(w.standing.Clone(), w.keep)
	for i := range records {
		b.add(&records[i])
	}
	if jobs := newJobs(w.standing, b.standing); len(jobs) > 0 {
		if err := s.createTables(ctx, w.standing, jobs); err != nil {
			return err
		}
	}
	rows, err := s.commit(ctx, b, records[len(records)-1].Offset+1)
	if err != nil {
		return s.orLost(ctx, w.standing, err)
	}
	s.count(b, rows)
	return s.showViews(ctx)
}

// newJobs are the jobs that after has and before has not.
func newJobs(before, after *liushui.Standing) []*liushui.Job {
	var jobs []*liushui.Job
	for _, number := range after.Generations() {
		if before.Job(number) == nil {
			jobs = append(jobs, after.Job(number))
		}
	}
	return jobs
}

// load learns from the database where things stand.
func (s *Store) load(ctx context.Context) error {
	p, err := readPosition(ctx, s.db, s.write)
	if err != nil {
		return fmt.Errorf("read the store's position: %w", err)
	}
	if p.topicID == "" {
		return errors.New("apply before begin")
	}
	if p.next < s.next {
		return fmt.Errorf("%s went back from offset %d to %d while it was away; start the store again, and it takes up there: %w", s.db, s.next, p.next, liushui.ErrGone)
	}
	standing, err := readKept(ctx, s.db, s.write)
	if err != nil {
		return err
	}
	generations, err := readGenerations(ctx, s.db, s.write)
	if err != nil {
		return err
	}
	if err := s.createTables(ctx, standing, newJobs(&liushui.Standing{}, standing)); err != nil {
		return err
	}
	w := &writer{position: p, standing: standing, generations: map[int64]generationRow{}, keep: newKeeper(s.keep, standing), statements: map[string]*sql.Stmt{}}
	for _, g := range generations {
		w.generations[g.number] = g
	}
	s.writer, s.next = w, p.next
	return s.showViews(ctx)
}

// commit writes a batch, and only then lets this process believe it.
func (s *Store) commit(ctx context.Context, b *batch, next int64) (rows int64, err error) {
	w := s.writer
	upserts, err := s.prepareUpserts(ctx, b)
	if err != nil {
		return 0, err
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	after := w.position
	after.next = next
	if len(b.kept) > 0 {
		after.revision++
	}
	if err := s.advance(ctx, tx, w.position, after); err != nil {
		return 0, err
	}
	for _, u := range upserts {
		if err := s.writeFirst(ctx, tx, u.cells); err != nil {
			return 0, err
		}
		if err := u.run(ctx, s.db, tx); err != nil {
			return 0, err
		}
		rows += int64(len(u.cells.results))
	}
	generations, err := s.writeKept(ctx, tx, b)
	if err != nil {
		return 0, err
	}
	w.keep.plan(b.standing)
	if err := s.sweep(ctx, tx, w.keep); err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	w.position, w.standing, s.next = after, b.standing, next
	for _, g := range generations {
		w.generations[g.number] = g
	}
	return rows, nil
}

// advance moves the position on; it holds its row for the transaction, so that
// two processes cannot both believe that they write the same records.
func (s *Store) advance(ctx context.Context, tx *sql.Tx, from, to position) error {
	q := s.db.quote
	result, err := tx.ExecContext(ctx, "UPDATE "+q(tableStore)+" SET "+q("next")+" = ?, "+q("revision")+" = ?, "+q("retries")+" = ? WHERE "+q("next")+" = ? AND "+q("topic_id")+" = ?",
		to.next, to.revision, s.Health().Retries, from.next, from.topicID)
	if err != nil {
		return fmt.Errorf("move the position: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errMoved, err)
	}
	return nil
}

// writeKept writes job and progress records and what they come to.
func (s *Store) writeKept(ctx context.Context, tx *sql.Tx, b *batch) ([]generationRow, error) {
	if len(b.kept) == 0 {
		return nil, nil
	}
	text := "REPLACE INTO " + s.db.quote(tableRecords) + " (" + quoted(s.db, []string{"generation", "record_key", "offset", "value"}) + ") VALUES (?, ?, ?, ?)"
	for key, record := range b.kept {
		if _, err := tx.ExecContext(ctx, text, key.generation, key.key, record.offset, string(record.value)); err != nil {
			return nil, fmt.Errorf("write the record %s: %w", key.key, err)
		}
	}
	generations := generationsOf(b.standing)
	return generations, writeGenerations(ctx, s.db, tx, s.writer.generations, generations)
}

// showViews brings the views to the newest generation that has caught up.
func (s *Store) showViews(ctx context.Context) error {
	number, job := s.writer.standing.Current()
	if job == nil || number == s.writer.views {
		return nil
	}
	if err := s.createViews(ctx, job); err != nil {
		return err
	}
	s.writer.views = number
	return nil
}

func (s *Store) count(b *batch, rows int64) {
	s.health.Lock()
	defer s.health.Unlock()
	s.health.Rows += rows
	s.health.Unknown += b.unknown
	s.health.Bad += b.bad
	if b.wrong != nil {
		s.skipped.say(b.wrong, b.wrongReason, s.health.Unknown, s.health.Bad)
	}
}
