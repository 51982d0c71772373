//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// upArgs are those of a line in a directory and on ports of its own.
func (s *setup) upArgs(more ...string) (args []string, dir, wall string, err error) {
	if dir, err = s.fresh(); err != nil {
		return nil, "", "", err
	}
	broker, err := freeAddress()
	if err != nil {
		return nil, "", "", err
	}
	if wall, err = freeAddress(); err != nil {
		return nil, "", "", err
	}
	args = append([]string{"up", "--demo", "--data", filepath.Join(dir, "data"), "--kafka-listen", broker, "--listen", wall}, more...)
	return args, dir, wall, nil
}

// line runs all of it in one process, from an empty log: broker, generator,
// engine, store and wall.
func line(ctx context.Context, s *setup) error {
	speed := &series{name: "events/s, from the program's start to its end", format: "%.0f"}
	cpu := &series{name: "CPU ns an event, everything", format: "%.0f"}
	peak := &series{name: "peak MB resident", format: "%.0f"}
	for range s.runs {
		args, dir, _, err := s.upArgs("--speed", "max", "--events", strconv.FormatInt(s.events, 10), "--exit-when-done")
		if err != nil {
			return err
		}
		u, err := run(ctx, s.liushui, args...)
		if err != nil {
			return err
		}
		if !strings.Contains(u.said, fmt.Sprintf("%d read", s.events)) {
			return fmt.Errorf("the summary does not say that %d records were read:\n%s", s.events, u.said)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		speed.add(float64(s.events) / u.wall.Seconds())
		cpu.add(float64(u.cpu.Nanoseconds()) / float64(s.events))
		peak.add(u.peak)
	}
	fmt.Printf("`liushui up --demo --speed max --events %d --exit-when-done`: sent, computed, stored in SQLite and on the wall.\n\n", s.events)
	table(speed, cpu, peak)
	return nil
}

// idleFor is how long a line rests before it is looked at.
const idleFor = 15 * time.Second

// idle looks at a line that has nothing left to do.
func idle(ctx context.Context, s *setup) error {
	resident := &series{name: "MB resident", format: "%.0f"}
	for range s.runs {
		args, _, wall, err := s.upArgs("--speed", "max", "--events", "1000")
		if err != nil {
			return err
		}
		c, err := begin(ctx, s.liushui, args...)
		if err != nil {
			return err
		}
		err = await(ctx, wall)
		if err == nil {
			time.Sleep(idleFor)
			var now float64
			now, err = c.resident()
			resident.add(now)
		}
		if err := errors.Join(err, c.stop()); err != nil {
			return err
		}
	}
	fmt.Printf("The whole line, %s after 1,000 events.\n\n", idleFor)
	table(resident)
	return nil
}

// start takes the time from the program's start to the first number on the wall.
func start(ctx context.Context, s *setup) error {
	first := &series{name: "seconds to the first number", format: "%.2f"}
	for range s.runs {
		args, _, wall, err := s.upArgs()
		if err != nil {
			return err
		}
		c, err := begin(ctx, s.liushui, args...)
		if err != nil {
			return err
		}
		err = await(ctx, wall)
		if err == nil {
			err = firstNumber(ctx, "http://"+wall+"/api/v1/live")
		}
		first.add(time.Since(c.began).Seconds())
		if err := errors.Join(err, c.stop()); err != nil {
			return err
		}
	}
	fmt.Print("`liushui up`, from the start of the process until the wall's stream holds a total of the day.\n\n")
	table(first)
	return nil
}

// firstNumber follows the wall until it has a day with a figure in it.
func firstNumber(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	frames := bufio.NewScanner(answer.Body)
	frames.Buffer(nil, 4<<20)
	for frames.Scan() {
		data, ok := strings.CutPrefix(frames.Text(), "data: ")
		if !ok {
			continue
		}
		var board struct {
			Today *struct {
				Values struct{ Orders int64 }
			}
		}
		if err := json.Unmarshal([]byte(data), &board); err != nil {
			return fmt.Errorf("read a frame: %w", err)
		}
		if board.Today != nil && board.Today.Values.Orders > 0 {
			return nil
		}
	}
	return fmt.Errorf("no number came: %w", frames.Err())
}
