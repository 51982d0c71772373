//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"liushui"
	"liushui/kafka"
)

// restart kills the engine while it works through a long log at full speed, at
// moments that lie apart, and takes the time from its next start to its first result.
func restart(ctx context.Context, s *setup) (err error) {
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
	first := &series{name: "seconds from the start to the first result", format: "%.2f"}
	for i := range s.runs {
		worked := 5*time.Second + time.Duration(i)*700*time.Millisecond
		took, err := s.resumed(ctx, broker, fmt.Sprint("restarted_", i), worked)
		if err != nil {
			return err
		}
		first.add(took.Seconds())
	}
	fmt.Printf("%d events of the demo; `process` is killed after 5 s and more at full speed, and started again.\n\n", events)
	table(first)
	return nil
}

// resumed is how long a killed engine takes until its first result.
func (s *setup) resumed(ctx context.Context, broker, results string, worked time.Duration) (time.Duration, error) {
	dir, err := s.fresh()
	if err != nil {
		return 0, err
	}
	args := []string{"process", "--brokers", broker, "--results", results, "--data", filepath.Join(dir, "engine")}
	c, err := begin(ctx, s.liushui, args...)
	if err != nil {
		return 0, err
	}
	time.Sleep(worked)
	if err := c.kill(); err != nil {
		return 0, err
	}
	client, err := kafka.Connect(ctx, kafka.Config{Brokers: []string{broker}})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	reader, err := client.Reader(ctx, results, kafka.From{Tail: 1})
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	held := reader.Ends()[0].End
	if c, err = begin(ctx, s.liushui, args...); err != nil {
		return 0, err
	}
	err = firstResult(ctx, reader, held)
	took := time.Since(c.began)
	return took, errors.Join(err, c.kill())
}

// firstResult waits for a result that lies at an offset or behind it.
func firstResult(ctx context.Context, reader liushui.Reader, from int64) error {
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		fetches, err := reader.Poll(within)
		if err != nil {
			return fmt.Errorf("no result came: %w", err)
		}
		for _, f := range fetches {
			for _, r := range f.Records {
				if r.Offset >= from && liushui.KindOf(r.Key) == liushui.KindResult {
					return nil
				}
			}
		}
	}
}
