//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"liushui"
	"liushui/kafka"
)

// floor compares the whole engine process with a consumer that only counts:
// the same topic, broker and machine, in turns. Broker, engine and consumer are
// processes of their own; the broker's CPU is nobody's.
func floor(ctx context.Context, s *setup) (err error) {
	broker, stop, err := s.broker(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	dir, err := s.fresh()
	if err != nil {
		return err
	}
	if _, err := run(ctx, s.liushui, "produce", "--demo", "--speed", "max", "--events", strconv.FormatInt(s.events, 10), "--brokers", broker, "--data", dir); err != nil {
		return err
	}
	engine := &series{name: "engine, CPU ns a record", format: "%.0f"}
	count := &series{name: "consumer that only counts, CPU ns a record", format: "%.0f"}
	ratio := &series{name: "engine ÷ consumer, CPU", format: "%.2f"}
	speed := &series{name: "engine, records/s", format: "%.0f"}
	countSpeed := &series{name: "consumer, records/s", format: "%.0f"}
	peak := &series{name: "engine, peak MB resident", format: "%.0f"}
	n := float64(s.events)
	for i := range s.runs {
		results := fmt.Sprint("results_", i)
		e, err := s.engine(ctx, broker, results)
		if err != nil {
			return err
		}
		if err := s.checkAccount(ctx, broker, results); err != nil {
			return err
		}
		c, err := run(ctx, s.count, broker, liushui.TopicEvents, strconv.FormatInt(s.events, 10))
		if err != nil {
			return err
		}
		engine.add(float64(e.cpu.Nanoseconds()) / n)
		count.add(float64(c.cpu.Nanoseconds()) / n)
		ratio.add(float64(e.cpu) / float64(c.cpu))
		speed.add(n / e.wall.Seconds())
		countSpeed.add(n / c.wall.Seconds())
		peak.add(e.peak)
	}
	fmt.Printf("%d events of the demo in one topic of 4 partitions, the job `shop`; starts and ends of the processes counted in.\n\n", s.events)
	table(ratio, engine, count, speed, countSpeed, peak)
	return nil
}

// broker starts an embedded broker in a process of its own, unless another is given.
func (s *setup) broker(ctx context.Context) (address string, stop func() error, err error) {
	if s.brokers != "" {
		return s.brokers, func() error { return nil }, nil
	}
	dir, err := s.fresh()
	if err != nil {
		return "", nil, err
	}
	if address, err = freeAddress(); err != nil {
		return "", nil, err
	}
	c, err := begin(ctx, s.liushui, "broker", "--listen", address, "--data", dir, "--retain", "8GiB")
	if err != nil {
		return "", nil, err
	}
	return address, c.stop, await(ctx, address)
}

// engine computes the whole topic from nothing into a results topic of its own.
func (s *setup) engine(ctx context.Context, broker, results string, flags ...string) (usage, error) {
	dir, err := s.fresh()
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(dir)
	args := []string{"process", "--exit-when-done", "--brokers", broker, "--results", results, "--data", filepath.Join(dir, "engine")}
	return run(ctx, s.liushui, append(args, flags...)...)
}

// checkAccount makes sure that the engine has judged every record before its time counts.
func (s *setup) checkAccount(ctx context.Context, broker, results string) error {
	client, err := kafka.Connect(ctx, kafka.Config{Brokers: []string{broker}})
	if err != nil {
		return err
	}
	defer client.Close()
	reader, err := client.Reader(ctx, results, kafka.From{})
	if err != nil {
		return err
	}
	defer reader.Close()
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var standing liushui.Standing
	for {
		fetches, err := reader.Poll(within)
		if err != nil {
			return fmt.Errorf("the engine's last progress did not come: %w", err)
		}
		for _, f := range fetches {
			for _, r := range f.Records {
				if err := standing.Observe(liushui.KindOf(r.Key), r.Value); err != nil {
					return err
				}
			}
		}
		if p := standing.Progress(); p != nil && p.Stopped {
			if p.Account.Read != s.events || !p.Account.Balanced() {
				return fmt.Errorf("the engine's account does not hold %d records in balance: %+v", s.events, p.Account)
			}
			return nil
		}
	}
}
