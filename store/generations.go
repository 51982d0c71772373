package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"liushui"
)

// forever is the end of a range of starts without one.
const forever = math.MaxInt64

// generationRow is a generation as views and other processes see it.
type generationRow struct {
	number                    int64
	job, hash, zone, currency string
	watermark                 int64
	completeFrom              int64
	caughtUp                  bool
	ended                     bool
	shownFrom, shownTo        int64 // its rows are shown for starts in [from, to)
}

var generationColumns = []string{"generation", "job", "hash", "zone", "currency", "watermark", "complete_from", "caught_up", "ended", "shown_from", "shown_to"}

// generationsOf are a standing's generations, lowest first.
func generationsOf(standing *liushui.Standing) []generationRow {
	caughtUp := map[int64]bool{}
	for _, number := range standing.CaughtUp() {
		caughtUp[number] = true
	}
	var all []generationRow
	for _, number := range standing.Generations() {
		job := standing.Job(number)
		g := generationRow{number: number, job: job.Name, hash: job.Hash(), zone: job.Zone.String(), currency: job.Currency,
			watermark: standing.Watermark(number), completeFrom: standing.CompleteFrom(number), caughtUp: caughtUp[number], ended: standing.Ended(number)}
		if g.caughtUp {
			g.shownFrom, g.shownTo = g.completeFrom, supersededFrom(standing, number)
		}
		if g.shownTo < g.shownFrom {
			g.shownFrom, g.shownTo = 0, 0
		}
		all = append(all, g)
	}
	return all
}

// supersededFrom is the start from which a higher generation is shown.
func supersededFrom(standing *liushui.Standing, number int64) int64 {
	from := int64(forever)
	for _, higher := range standing.CaughtUp() {
		if higher > number {
			from = min(from, standing.CompleteFrom(higher))
		}
	}
	return from
}

func readGenerations(ctx context.Context, d dialect, q querier) ([]generationRow, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+quoted(d, generationColumns)+" FROM "+d.quote(tableGenerations))
	if err != nil {
		return nil, fmt.Errorf("read generations: %w", err)
	}
	defer rows.Close()
	var all []generationRow
	for rows.Next() {
		var g generationRow
		if err := rows.Scan(&g.number, &g.job, &g.hash, &g.zone, &g.currency, &g.watermark, &g.completeFrom, &g.caughtUp, &g.ended, &g.shownFrom, &g.shownTo); err != nil {
			return nil, fmt.Errorf("read generations: %w", err)
		}
		all = append(all, g)
	}
	return all, rows.Err()
}

// writeGenerations writes those that differ from what is held.
func writeGenerations(ctx context.Context, d dialect, tx *sql.Tx, held map[int64]generationRow, now []generationRow) error {
	text := "REPLACE INTO " + d.quote(tableGenerations) + " (" + quoted(d, generationColumns) + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	for _, g := range now {
		if held[g.number] == g {
			continue
		}
		if _, err := tx.ExecContext(ctx, text, g.number, g.job, g.hash, g.zone, g.currency, g.watermark, g.completeFrom, g.caughtUp, g.ended, g.shownFrom, g.shownTo); err != nil {
			return fmt.Errorf("write generation %d: %w", g.number, err)
		}
	}
	return nil
}
