//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// checkpoints compares an engine that works through a long log with its usual
// checkpoints with one that takes none but the last.
func checkpoints(ctx context.Context, s *setup) (err error) {
	broker, stop, err := s.broker(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	dir, err := s.fresh()
	if err != nil {
		return err
	}
	events := 5 * s.events
	if _, err := run(ctx, s.liushui, "produce", "--demo", "--speed", "max", "--events", strconv.FormatInt(events, 10), "--brokers", broker, "--data", dir); err != nil {
		return err
	}
	cost := &series{name: "throughput that they cost, %", format: "%.1f"}
	cpu := &series{name: "CPU that they cost, %", format: "%.1f"}
	usual := &series{name: "records/s with them", format: "%.0f"}
	none := &series{name: "records/s without", format: "%.0f"}
	n := float64(events)
	for i := range s.runs {
		with, err := s.engine(ctx, broker, fmt.Sprint("with_", i))
		if err != nil {
			return err
		}
		without, err := s.engine(ctx, broker, fmt.Sprint("without_", i), "--checkpoint-every", "1h")
		if err != nil {
			return err
		}
		cost.add(100 * (1 - without.wall.Seconds()/with.wall.Seconds()))
		cpu.add(100 * (1 - without.cpu.Seconds()/with.cpu.Seconds()))
		usual.add(n / with.wall.Seconds())
		none.add(n / without.wall.Seconds())
	}
	fmt.Printf("%d events of the demo; starts and ends of the processes counted in.\n\n", events)
	table(cost, cpu, usual, none)
	return nil
}
