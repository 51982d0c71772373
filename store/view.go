package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"

	"liushui"
)

// restored is the standing that was last built from kept records.
type restored struct {
	sync.Mutex
	revision int64
	standing *liushui.Standing
}

// snapshot is the store in one read transaction.
type snapshot struct {
	db       dialect
	tx       *sql.Tx
	position position
	standing *liushui.Standing
	known    *sync.Map // names of tables that are known to be there
}

// View runs read with all that it sees taken at one moment. It does not wait for
// a database that is away.
func (s *Store) View(ctx context.Context, read func(liushui.Snapshot) error) error {
	v, err := s.snapshot(ctx)
	if err != nil {
		return s.explain("read "+s.db.String(), err)
	}
	defer v.tx.Rollback()
	return read(v)
}

// Retries implements liushui.Snapshot.
func (v *snapshot) Retries(ctx context.Context) (retries int64, err error) {
	rows, err := v.tx.QueryContext(ctx, "SELECT * FROM "+v.db.quote(tableStore)) // an older version's has no such column
	if err != nil {
		return 0, fmt.Errorf("read the store's retries: %w", err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	at := slices.Index(names, "retries")
	if err != nil || at < 0 {
		return 0, err
	}
	values := make([]any, len(names))
	for i := range values {
		values[i] = new(any)
	}
	values[at] = &retries
	if rows.Next() {
		err = rows.Scan(values...)
	}
	return retries, errors.Join(err, rows.Err())
}

func (s *Store) snapshot(ctx context.Context) (*snapshot, error) {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.db.snapshotIsolation()})
	if err != nil {
		return nil, err
	}
	v := &snapshot{db: s.db, tx: tx, known: &s.known}
	if v.position, err = readPosition(ctx, s.db, tx); err == nil {
		v.standing, err = s.restore(ctx, v)
	}
	if err != nil {
		tx.Rollback()
		return nil, err
	}
	return v, nil
}

// restore is the standing at the snapshot, the caller's own.
func (s *Store) restore(ctx context.Context, v *snapshot) (*liushui.Standing, error) {
	s.restored.Lock()
	defer s.restored.Unlock()
	if s.restored.standing == nil || s.restored.revision != v.position.revision {
		standing, err := readKept(ctx, s.db, v.tx)
		if err != nil {
			return nil, err
		}
		s.restored.standing, s.restored.revision = standing, v.position.revision
	}
	return s.restored.standing.Clone(), nil
}

func (v *snapshot) Position() (topicID string, offset int64) {
	return v.position.topicID, v.position.next
}

func (v *snapshot) Standing() *liushui.Standing { return v.standing }

// Rows reads a query's rows. A statistic, window, field or measure that the
// current job does not have is ErrMisuse; a store without a job has no rows.
// Null, which is too large, counts as highest.
func (v *snapshot) Rows(ctx context.Context, q liushui.Query) ([]liushui.Row, error) {
	_, job := v.standing.Current()
	if job == nil {
		return nil, nil
	}
	p, err := planQuery(v.db, v.standing, job, &q)
	if err != nil || len(p.parts) == 0 {
		return nil, err
	}
	if err := p.narrow(ctx, v.tx); err != nil {
		return nil, fmt.Errorf("read %s: %w", q.Statistic, err)
	}
	text, args := p.sql()
	rows, err := v.tx.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.Statistic, err)
	}
	defer rows.Close()
	var all []liushui.Row
	scan := p.scanner()
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", q.Statistic, err)
		}
		row.State = v.standing.State(&row.Result)
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", q.Statistic, err)
	}
	return all, nil
}
