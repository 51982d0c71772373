package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"liushui"
	"liushui/store"
)

// summarize says what has gone through the line. Events by kind are read back
// from the tables, as a query would find them.
func (u *up) summarize(ctx context.Context, tables *store.Store, pr *producer, e *engine, k *keeper, begun time.Time) error {
	took := time.Since(begun)
	var events string
	err := tables.View(ctx, func(at liushui.Snapshot) (err error) {
		events, err = kindsIn(ctx, at)
		return err
	})
	if err != nil {
		return err
	}
	account := e.Progress().Account
	fmt.Fprintf(u.stdout, "events   %s\n", events)
	fmt.Fprintf(u.stdout, "records  %d read = %d counted + %d duplicate + %d late + %d bad + %d ignored\n",
		account.Read, account.Counted, account.Duplicate, account.Late, account.Bad, account.Ignored)
	fmt.Fprintf(u.stdout, "results  %d\n", k.results.Load())
	sent := pr.Status().Sent
	fmt.Fprintf(u.stdout, "this run %d sent in %.1f s, %.0f events/s\n", sent, took.Seconds(), float64(sent)/took.Seconds())
	fmt.Fprintf(u.stdout, "data     %s\n", u.data)
	return nil
}

// kindsIn counts events by type in the tables, where the job has a statistic
// that does: one by type alone with an unconditional count.
func kindsIn(ctx context.Context, at liushui.Snapshot) (string, error) {
	_, job := at.Standing().Current()
	if job == nil {
		return "none", nil
	}
	for _, s := range job.Statistics {
		if !slices.Equal(s.By, []string{"type"}) {
			continue
		}
		m := slices.IndexFunc(s.Measures, func(m liushui.Measure) bool { return m.Kind == liushui.Count && len(m.Where) == 0 })
		if m < 0 {
			continue
		}
		rows, err := at.Rows(ctx, liushui.Query{Statistic: s.Name, Window: s.Windows[len(s.Windows)-1].Name})
		if err != nil {
			return "", err
		}
		kinds := map[string]int64{}
		for _, r := range rows {
			kinds[r.Key[0]] += r.Values[m].N
		}
		return byKind(kinds), nil
	}
	return "(the job counts none by type)", nil
}
