package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"liushui"
)

// Bounds of what one transaction deletes.
const (
	sweepRows   = 5000 // about: the rows of one start are never parted
	sweepRanges = 10
)

// A keeper knows which rows are no longer wanted: those of a generation where a
// higher one is shown, and those older than Config.Keep.
type keeper struct {
	ages      map[string]time.Duration
	watermark int64                // of the last plan
	cutoffs   map[sweepRange]int64 // by generation and window: windows that begin before are dropped
	covered   map[int64]int64      // by generation: where a higher one is shown
	planned   bool
	queue     []sweepRange
}

// sweepRange are rows of a table to be deleted: starts in [from, to).
type sweepRange struct {
	table      string
	generation int64
	window     string
	from, to   int64
}

func newKeeper(ages map[string]time.Duration, standing *liushui.Standing) *keeper {
	k := &keeper{ages: ages, cutoffs: map[sweepRange]int64{}}
	k.plan(standing)
	return k
}

// dropped reports whether such rows are older than what is kept.
func (k *keeper) dropped(generation int64, window string, start int64) bool {
	cutoff, ok := k.cutoffs[sweepRange{generation: generation, window: window}]
	return ok && start < cutoff
}

// plan queues what there is to delete, where that has changed much since the last time.
func (k *keeper) plan(standing *liushui.Standing) {
	covered, watermark := map[int64]int64{}, int64(0)
	for _, number := range standing.Generations() {
		covered[number] = supersededFrom(standing, number)
		watermark = max(watermark, standing.Watermark(number))
	}
	if k.planned && maps.Equal(covered, k.covered) && watermark < k.watermark+k.step() {
		return
	}
	k.covered, k.watermark, k.planned, k.queue = covered, watermark, true, nil
	for _, number := range standing.Generations() {
		job := standing.Job(number)
		calendar := job.Calendar()
		for _, statistic := range job.Statistics {
			t := tableOf(statistic)
			drop := func(window string, from, to int64) {
				for _, name := range []string{firstTable(t), t.name} {
					k.queue = append(k.queue, sweepRange{name, number, window, from, to})
				}
			}
			for _, w := range statistic.Windows {
				if covered[number] < forever {
					drop(w.Name, covered[number], forever)
				}
				age, ok := k.ages[w.Name]
				if !ok || watermark == 0 {
					continue
				}
				cutoff, _ := calendar.Span(w, watermark-age.Milliseconds())
				k.cutoffs[sweepRange{generation: number, window: w.Name}] = cutoff
				drop(w.Name, math.MinInt64, cutoff)
			}
		}
	}
}

// step is how far the watermark moves between two plans: a hundredth of the least age.
func (k *keeper) step() int64 {
	step := int64(forever)
	for _, age := range k.ages {
		step = min(step, max(1, age.Milliseconds()/100))
	}
	if step == forever {
		return math.MaxInt64 / 2
	}
	return step
}

// sweep deletes some of what is queued.
func (s *Store) sweep(ctx context.Context, tx *sql.Tx, k *keeper) error {
	rows := int64(0)
	for n := 0; n < sweepRanges && rows < sweepRows && len(k.queue) > 0; n++ {
		deleted, done, err := s.sweepRange(ctx, tx, k.queue[0])
		if err != nil {
			return fmt.Errorf("drop old rows of %s: %w", k.queue[0].table, err)
		}
		rows += deleted
		if done {
			k.queue = k.queue[1:]
		}
	}
	return nil
}

func (s *Store) sweepRange(ctx context.Context, tx *sql.Tx, r sweepRange) (deleted int64, done bool, err error) {
	q := s.db.quote
	where := " FROM " + q(r.table) + " WHERE " + q("generation") + " = ? AND " + q("window") + " = ? AND " + q("start") + " >= ? AND " + q("start")
	last := int64(0)
	err = tx.QueryRowContext(ctx, "SELECT "+q("start")+where+" < ? ORDER BY "+q("start")+" LIMIT 1 OFFSET ?", r.generation, r.window, r.from, r.to, sweepRows-1).Scan(&last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		last, done = r.to-1, true
	case err != nil:
		return 0, false, err
	}
	result, err := tx.ExecContext(ctx, "DELETE"+where+" <= ?", r.generation, r.window, r.from, last)
	if err != nil {
		return 0, false, err
	}
	deleted, err = result.RowsAffected()
	return deleted, done, err
}
