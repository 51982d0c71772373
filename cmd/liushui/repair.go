package main

import (
	"context"
	"fmt"
	"slices"

	"liushui"
	"liushui/reconcile"
)

// repair sends cells as they should be.
type repair struct {
	*reconciling
	out    liushui.Writer // nil: nothing is repaired
	closed int64          // windows that end later may still change
	batch  []liushui.Record
	sent   int64
	open   int64
}

func (r *reconciling) newRepair(ctx context.Context, closed int64) (_ *repair, err error) {
	all := &repair{reconciling: r, closed: closed}
	if r.spec.repair {
		all.out, err = r.client.Writer(ctx, string(r.spec.topics.results))
	}
	return all, err
}

func (r *repair) close() {
	if r.out != nil {
		r.out.Close()
	}
}

// repairEngine is what a repaired result says of who computed it.
const repairEngine = "reconcile"

func (r *repair) take(ctx context.Context, d *reconcile.Difference) error {
	if r.out == nil {
		return nil
	}
	right := d.Right()
	if right.End > r.closed {
		r.open++
		return nil
	}
	right.Generation, right.Engine = r.generation, repairEngine
	r.batch = append(r.batch, liushui.Record{Key: right.AppendKey(nil), Value: right.AppendValue(nil, r.job.Statistic(right.Statistic))})
	r.sent++
	if len(r.batch) < 1000 {
		return nil
	}
	return r.write(ctx)
}

func (r *repair) write(ctx context.Context) error {
	if err := r.out.Write(ctx, slices.Clone(r.batch), nil); err != nil {
		return fmt.Errorf("send repaired results: %w", err)
	}
	r.batch = r.batch[:0]
	return nil
}

func (r *repair) flush(ctx context.Context) error {
	if r.out == nil {
		return nil
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	if err := r.out.Flush(ctx); err != nil {
		return fmt.Errorf("send repaired results: %w", err)
	}
	return nil
}
