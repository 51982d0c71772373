package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"liushui"
	"liushui/enginetest"
	"liushui/native"
	"liushui/store"
)

// TestSimulation plays engine, journal, checkpoints and store under faults, as
// enginetest.Disorder and keepApart have it: whatever happens, the results and
// the tables are the oracle's. A seed that fails fails again, in the same way:
//
//	LIUSHUI_SEED=1234 go test ./cmd/liushui -run TestSimulation
//
// LIUSHUI_SEEDS is how many are played; the suite's stage `simulation` plays 2,000.
func TestSimulation(t *testing.T) {
	first, n := uint64(0), uint64(40)
	if text := os.Getenv("LIUSHUI_SEEDS"); text != "" {
		n = seedNumber(t, text)
	}
	if text := os.Getenv("LIUSHUI_SEED"); text != "" {
		first, n = seedNumber(t, text), 1
	}
	for seed := first; seed < first+n && !t.Failed(); seed++ {
		outcome := enginetest.Disorder(t, simulated, seed)
		if t.Failed() {
			return
		}
		if err := keepApart(t, outcome, seed); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func seedNumber(t *testing.T, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// simulatedDisk is a line's, as the engine takes it.
type simulatedDisk struct{ *enginetest.Disk }

func (d simulatedDisk) Write(name string) (native.File, error) {
	file, err := d.Disk.Write(name)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// simulated runs the native engine on a line in memory.
func simulated(ctx context.Context, l *enginetest.Line) error {
	results, letters := l.Results.Writer(), l.DeadLetters.Writer()
	defer results.Close()
	defer letters.Close()
	e, err := native.New(native.Config{
		Job: l.Job, Dir: "state", Disk: simulatedDisk{l.Disk}, Topic: l.Events.Name(),
		Events: l.OpenEvents, ResultsLog: l.OpenResults, Results: results, DeadLetters: letters,
		CheckpointEvery: 3 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

// keepApart lets a store take the results in parts of any size, while it is
// closed, opened again and cut off in the middle of a transaction, and while a
// second engine that lags behind sends what was sent before. Then the tables
// hold what the topic does.
func keepApart(t *testing.T, o enginetest.Outcome, seed uint64) (err error) {
	random := rand.New(rand.NewPCG(seed, 5))
	log := withLaggard(o.Results, random)
	config := store.Config{DSN: databaseIn(t.TempDir()), Log: slog.New(slog.DiscardHandler)}
	var s *store.Store
	defer func() {
		if s != nil {
			_ = s.Close()
		}
	}()
	for at := int64(0); at < int64(len(log)); {
		if s == nil {
			if s, at, err = resumeStore(t.Context(), config, int64(len(log))); err != nil {
				return err
			}
		}
		part := log[at:min(at+1+random.Int64N(int64(len(log))), int64(len(log)))]
		switch random.IntN(8) {
		case 0: // cut off
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.Int64N(int64(3*time.Millisecond))))
			err := s.Apply(ctx, part)
			cancel()
			if err == nil {
				at += int64(len(part))
				continue
			}
			_ = s.Close() // whether it was committed, the database knows
			s = nil
		case 1:
			if err := s.Close(); err != nil {
				return err
			}
			s = nil
		default:
			if err := s.Apply(t.Context(), part); err != nil {
				return err
			}
			at += int64(len(part))
		}
	}
	return compareTables(t, s, config, o)
}

// resumeStore opens a store where it stands.
func resumeStore(ctx context.Context, config store.Config, end int64) (*store.Store, int64, error) {
	s, err := store.Open(ctx, config)
	if err != nil {
		return nil, 0, err
	}
	if err := s.Begin(ctx, "results-of-the-simulation", 0, end); err != nil {
		return s, 0, err
	}
	_, at, err := s.Position(ctx)
	return s, at, err
}

// withLaggard is the log with results in it that a second engine sends late.
func withLaggard(results []liushui.Record, random *rand.Rand) []liushui.Record {
	var log []liushui.Record
	for i, r := range results {
		log = append(log, r)
		if again := results[random.IntN(i+1)]; liushui.KindOf(again.Key) == liushui.KindResult && random.IntN(4) == 0 {
			log = append(log, again)
		}
	}
	for i := range log {
		log[i].Offset = int64(i)
	}
	return log
}

func compareTables(t *testing.T, s *store.Store, config store.Config, o enginetest.Outcome) error {
	if s != nil {
		if err := s.Close(); err != nil {
			return err
		}
	}
	inTopic, err := enginetest.TableOf(o.Results, o.Job)
	if err != nil {
		return err
	}
	rows := rowsIn(t, config.DSN, o.Job, enginetest.GenerationOf(o.Results, o.Job), func(liushui.Row) {})
	inTables, err := enginetest.TableOf(rows, o.Job)
	if err != nil {
		return err
	}
	if lines := enginetest.Diff(inTopic, inTables); lines != nil {
		return fmt.Errorf("the tables differ from the topic in %d rows; the first: %s", len(lines), lines[0])
	}
	return nil
}
