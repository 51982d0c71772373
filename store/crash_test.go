package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/dev"
)

// crashRecords is the same long topic each time.
func crashRecords(t testing.TB) *topic {
	l := newTopic(t)
	r := rand.New(rand.NewPCG(11, 12))
	l.job(5, shopText)
	for n := range int64(25_000) {
		if n%500 == 0 {
			l.progress(liushui.Progress{Generation: 5, Watermark: start + n*1000})
			continue
		}
		value := r.Int64N(1e9)
		l.result(liushui.Result{Statistic: "sales_by_province", Window: "1m", Start: start + (n/100+r.Int64N(3))*minute, Key: []string{hostile[r.IntN(len(hostile))]},
			Generation: 5, Version: r.Int64N(20), Values: values(value, -value)})
	}
	return l
}

const crashDSN = "STORE_TEST_CRASH_DSN"

// TestMain is the store's process of TestKilledWhileWriting where it is told so.
func TestMain(m *testing.M) {
	if dsn := os.Getenv(crashDSN); dsn != "" {
		if err := writeUntilKilled(dsn); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes the topic from where the store stands, and says after
// each Apply how far it is.
func writeUntilKilled(dsn string) error {
	ctx := context.Background()
	s, err := Open(ctx, Config{DSN: dsn})
	if err != nil {
		return err
	}
	l := crashRecords(&testing.T{})
	if err := s.Begin(ctx, "topic-1", 0, int64(len(l.records))); err != nil {
		return err
	}
	_, next, err := s.Position(ctx)
	if err != nil {
		return err
	}
	for rest := l.records[next:]; len(rest) > 0; {
		n := min(len(rest), 700)
		if err := s.Apply(ctx, rest[:n]); err != nil {
			return err
		}
		fmt.Println(rest[n-1].Offset + 1)
		rest = rest[n:]
	}
	return nil
}

// Killed at any moment, the store holds exactly the records before its offset,
// and at least those that Apply had returned for.
func TestKilledWhileWriting(t *testing.T) {
	l := crashRecords(t)
	all := l.records
	onEach(t, func(t *testing.T, dsn string) {
		r := rand.New(rand.NewPCG(13, 14))
		kills, standing := 0, int64(0)
		for standing < int64(len(all)) {
			told, killed := runUntilKilled(t, dsn, 1+r.IntN(4), time.Duration(r.IntN(8))*time.Millisecond)
			if killed {
				kills++
			}
			s, err := Open(t.Context(), Config{DSN: dsn, ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			s.view(t, func(v liushui.Snapshot) { // of one moment: the server may still be at the last COMMIT
				if _, standing = v.Position(); standing < told {
					t.Fatalf("the store stands at %d, but Apply had returned for %d", standing, told)
				}
				(&topic{t: t, records: all[:standing], jobs: l.jobs}).compareAt(v.(*snapshot))
			})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if kills < 4 {
			t.Errorf("only %d kills before it was done", kills)
		}
		t.Logf("%d kills", kills)
	})
}

// runUntilKilled kills a store some time after so many calls of Apply, and returns what it said last.
func runUntilKilled(t *testing.T, dsn string, calls int, after time.Duration) (told int64, killed bool) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), crashDSN+"="+dsn)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if calls--; calls == 0 {
			time.AfterFunc(after, func() { c.Process.Kill() })
		}
		if told, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	err = c.Wait()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatal(err)
	}
	return told, err != nil
}

// A server that is killed and comes back is waited for, said once, and nothing
// is lost or doubled.
func TestServerAwayWhileApplying(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) { awayWhileApplying(t, start(t)) })
	}
}

// servers are those that a test may kill.
var servers = map[string]func(testing.TB, ...string) *dev.SQLServer{"mariadb": dev.StartMariaDB, "mysql": dev.StartMySQL}

func awayWhileApplying(t *testing.T, server *dev.SQLServer) {
	dsn := server.Database(t)
	l := crashRecords(t)
	var said log
	s := begun(t, Config{DSN: dsn, Log: said.logger()})
	done := make(chan error, 1)
	go func() {
		for rest := l.records; len(rest) > 0; {
			n := min(len(rest), 300)
			if err := s.Apply(t.Context(), rest[:n]); err != nil {
				done <- err
				return
			}
			rest = rest[n:]
		}
		done <- nil
	}()
	for _, pause := range []time.Duration{150 * time.Millisecond, 50 * time.Millisecond} {
		time.Sleep(pause)
		server.Kill()
		for end := time.Now().Add(10 * time.Second); !s.Health().Away; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("Apply does not notice that the server is away")
			}
		}
		if h := s.Health(); h.Error == "" || h.Since.IsZero() {
			t.Errorf("health %+v", h)
		}
		time.Sleep(300 * time.Millisecond)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); s.Health().Away; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("Apply does not notice that the server is back")
			}
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	l.compare(s)
	if _, next, err := s.Position(t.Context()); err != nil || next != int64(len(l.records)) {
		t.Errorf("position %d, %v", next, err)
	}
	for _, line := range []string{"waiting for the database", "the database is back"} {
		if n := strings.Count(said.String(), line); n != 2 {
			t.Errorf("%q was said %d times, want 2:\n%s", line, n, said.String())
		}
	}
}

// While the server is away, ctx ends Apply, and what was not taken is taken later.
func TestContextEndsWaiting(t *testing.T) {
	server := dev.StartMariaDB(t)
	s := begun(t, Config{DSN: server.Database(t)})
	l := newTopic(t)
	l.job(5, shopText)
	s.mustApply(t, l.records)
	l.result(liushui.Result{Statistic: "sales", Window: "1d", Start: start, Generation: 5, Version: 1, Values: values(1, 1)})
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Apply(ctx, l.records); err == nil || ctx.Err() == nil {
		t.Fatalf("apply: %v", err)
	}
	err := s.View(t.Context(), func(liushui.Snapshot) error { return nil })
	if err == nil {
		t.Error("a view of a server that is away")
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	s.mustApply(t, l.records)
	if d := gocmp.Diff(1, len(s.rows(t, liushui.Query{Statistic: "sales", Window: "1d"}))); d != "" {
		t.Error(d)
	}
}
