package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/enginetest"
	"liushui/kafka"
	"liushui/store"
)

// asProgram makes the test binary the program itself, so that it can be killed.
const asProgram = "LIUSHUI_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is the program as a process of its own.
func process(t *testing.T, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	return processWith(t, nil, args...)
}

// processWith is process with something to read.
func processWith(t *testing.T, stdin io.Reader, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said := &output{}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // where the test has ended early
	return cmd, said
}

// kills is how often each test kills; `make soak` sets many more.
func kills(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv("LIUSHUI_KILLS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// killed runs `liushui up` in a data directory, kills it at random moments, and
// lets it end at last.
func killed(t *testing.T, data string, feed, last []string) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	addresses := []string{"up", "--data", data, "--listen", freePort(t), "--kafka-listen", freePort(t)}
	for n := range kills(t, 20) {
		cmd, said := process(t, append(addresses, feed...)...)
		time.Sleep(50*time.Millisecond + time.Duration(random.Int64N(int64(3*time.Second))))
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
			t.Fatalf("run %d ended by itself: %v\n%s", n, err, said)
		}
	}
	cmd, said := process(t, append(addresses, last...)...)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, said)
	}
	t.Logf("the last run said:\n%s", said)
}

// TestKilledReplay kills the line in the middle of a replay: at the end nothing
// is lost or counted twice.
func TestKilledReplay(t *testing.T) {
	t.Parallel()
	p := makePayments(t, 1500*int64(kills(t, 20)))
	data := filepath.Join(p.dir, "data")
	killed(t, data, append(p.feed, "--rate", "1500/s", "--checkpoint-every", "200ms"), append(p.feed, "--speed", "max", "--exit-when-done"))
	p.compare(t, data)
}

// payments are a CSV file in which every fiftieth row repeats the one before.
type payments struct {
	dir  string
	feed []string // flags
	rows int64
	paid liushui.Money
}

func makePayments(t *testing.T, rows int64) *payments {
	t.Helper()
	p := &payments{dir: t.TempDir(), rows: rows}
	mapping := file(t, filepath.Join(p.dir, "mapping.yaml"), `zone: Asia/Shanghai
events:
  - type: pay
    time: {column: at, unit: ms}
    id: "{id}"
    user: "{user}"
    province: "{province}"
    amount: "{amount}"
`)
	var text strings.Builder
	text.WriteString("id,at,user,province,amount\n")
	for i := range rows {
		id, amount := i, liushui.Money(100*(i*7919%100_000))
		if i%50 == 49 { // the one before once more
			id, amount = i-1, liushui.Money(100*((i-1)*7919%100_000))
		} else {
			p.paid += amount
		}
		fmt.Fprintf(&text, "p%d,%d,u%d,%s,%s\n", id, 1_580_486_400_000+i*997, id%1000, []string{"上海", "江苏", ""}[id%3], amount)
	}
	csv := file(t, filepath.Join(p.dir, "payments.csv"), text.String())
	p.feed = []string{"--csv", csv, "--mapping", mapping}
	return p
}

// compare compares what came of them with the log, and with what was made.
func (p *payments) compare(t *testing.T, data string) {
	t.Helper()
	compareWithTheLog(t, data, shop(t))
	want := fmt.Sprintf("%d.00", p.rows-p.rows/50)
	if got := totals(t, data, "sales", "payments", "paid"); got["payments"] != want || got["paid"] != p.paid.String() {
		t.Errorf("the tables have %v, want %s payments of %s", got, want, p.paid)
	}
}

// TestKilledPrograms kills one after the other of the separate programs, each at
// any moment of its work, while the others go on.
func TestKilledPrograms(t *testing.T) {
	t.Parallel()
	p := makePayments(t, 400*int64(kills(t, 50)))
	data, address := filepath.Join(p.dir, "line"), freePort(t)
	client := []string{"--brokers", address, "--data", data}
	args := map[string][]string{
		"broker":  {"broker", "--listen", address, "--data", data},
		"produce": slices.Concat([]string{"produce", "--rate", "400/s"}, p.feed, client),
		"process": slices.Concat([]string{"process", "--checkpoint-every", "200ms"}, client),
		"store":   slices.Concat([]string{"store"}, client),
	}
	names := slices.Sorted(maps.Keys(args))
	running := map[string]*exec.Cmd{}
	for _, name := range names {
		running[name], _ = process(t, args[name]...)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range kills(t, 50) {
		time.Sleep(time.Duration(random.Int64N(int64(1200 * time.Millisecond))))
		name := names[random.IntN(len(names))]
		_ = running[name].Process.Kill()
		if err := running[name].Wait(); err == nil && name != "produce" {
			t.Fatalf("%s had ended by itself", name)
		}
		running[name], _ = process(t, args[name]...)
	}
	end := func(name string, args ...string) {
		_ = running[name].Process.Kill()
		_ = running[name].Wait()
		if args == nil {
			return
		}
		cmd, said := process(t, args...)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	}
	end("produce", slices.Concat([]string{"produce", "--speed", "max"}, p.feed, client)...)
	end("process", append(args["process"], "--exit-when-done")...)
	ended := p.paid.String()
	eventually(t, "the tables have all that was paid", func() bool {
		return totals(t, data, "sales", "paid")["paid"] == ended && !strings.Contains(command(t, "query", "sales", "--window", "1d", "--data", data).out, "provisional")
	})
	end("store")
	end("broker")
	p.compare(t, data)
}

// TestKilledDemo kills the line with a feed that has duplicates, late and bad events.
func TestKilledDemo(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	killed(t, data, []string{"--demo", "--rate", "3000/s", "--checkpoint-every", "200ms"},
		[]string{"--demo", "--events", "3000", "--speed", "max", "--exit-when-done"})
	compareWithTheLog(t, data, shop(t))
}

// TestCtrlC is the signal itself, at a real process.
func TestCtrlC(t *testing.T) {
	t.Parallel()
	cmd, said := process(t, upArgs(t, filepath.Join(t.TempDir(), "data"))...)
	time.Sleep(3 * time.Second)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v\n%s", err, said)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Ctrl-C took %s", took)
	}
}

// shop is the built-in job.
func shop(t *testing.T) *liushui.Job {
	t.Helper()
	job, err := loadJob("", liushui.DefaultJob)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// compareWithTheLog computes the whole log of a data directory by other, plainer
// code, and compares topic, tables and account with that.
func compareWithTheLog(t *testing.T, data string, job *liushui.Job) {
	t.Helper()
	compareWithOracle(t, readBack(t, data), databaseIn(data), job, 0)
}

// compareWithOracle compares results, tables and account with what the events
// come to: windows that begin at completeFrom or later, 0 = all. The input must
// have ended, and the engine stopped.
func compareWithOracle(t *testing.T, topics map[string][]liushui.Record, dsn string, job *liushui.Job, completeFrom int64) {
	t.Helper()
	account := compareCells(t, topics, dsn, job, completeFrom)
	if diff := cmp.Diff(account, lastAccount(t, topics[liushui.TopicResults])); diff != "" {
		t.Errorf("the engine's account is not that of the log: %s", diff)
	}
}

// compareCells compares results and tables, and returns the account of the log.
func compareCells(t *testing.T, topics map[string][]liushui.Record, dsn string, job *liushui.Job, completeFrom int64) liushui.Account {
	t.Helper()
	results := topics[liushui.TopicResults]
	late := map[enginetest.Place]bool{}
	for _, letter := range topics[liushui.TopicDeadLetters] {
		if header(letter, "reason") == "late" {
			late[placeOf(t, letter)] = true
		}
	}
	want, account := enginetest.Batch(job, topics[liushui.TopicEvents], enginetest.Options{Late: late, CompleteFrom: completeFrom})
	if len(want) == 0 || account.Counted == 0 {
		t.Fatalf("the log gives no results: %+v", account)
	}
	t.Logf("%+v in %d cells, from %d records of results", account, len(want), len(results))

	topic, err := enginetest.TableOf(results, job)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := enginetest.TableOf(inTables(t, dsn, job, enginetest.GenerationOf(results, job)), job)
	if err != nil {
		t.Fatal(err)
	}
	for where, got := range map[string]enginetest.Table{"topic": topic, "tables": tables} {
		diff := enginetest.Diff(want, got)
		for _, line := range diff[:min(len(diff), 10)] {
			t.Errorf("%s: %s", where, line)
		}
		if len(diff) > 0 {
			t.Errorf("%s: %d of %d cells differ", where, len(diff), len(want))
		}
	}
	return account
}

// readBack reads all topics of a data directory.
func readBack(t *testing.T, data string) map[string][]liushui.Record {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	broker, err := kafka.StartBroker(t.Context(), kafka.BrokerConfig{Dir: filepath.Join(data, "broker"), Listen: "127.0.0.1:0", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client, err := kafka.Connect(t.Context(), kafka.Config{Brokers: []string{broker.Addr()}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	all := map[string][]liushui.Record{}
	for _, topic := range []string{liushui.TopicEvents, liushui.TopicResults, liushui.TopicDeadLetters} {
		all[topic] = readTopic(t, client, topic)
	}
	return all
}

func readTopic(t *testing.T, client *kafka.Client, topic string) (all []liushui.Record) {
	t.Helper()
	ends, err := client.Ends(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	left := int64(0)
	for _, end := range ends {
		if end.Start != 0 {
			t.Fatalf("topic %s, partition %d begins at %d, want the whole log", topic, end.Partition, end.Start)
		}
		left += end.End
	}
	reader, err := client.Reader(t.Context(), topic, kafka.From{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for left > 0 {
		fetches, err := reader.Poll(ctx)
		if err != nil {
			t.Fatalf("read topic %s, of which %d records are missing: %v", topic, left, err)
		}
		for _, f := range fetches {
			all = append(all, f.Records...)
			left -= int64(len(f.Records))
		}
	}
	return all
}

// inTables are the rows of all tables, as if they were results in a topic; the
// input must have ended.
func inTables(t *testing.T, dsn string, job *liushui.Job, generation int64) []liushui.Record {
	t.Helper()
	return rowsIn(t, dsn, job, generation, func(r liushui.Row) {
		if r.State == liushui.Provisional {
			t.Errorf("%s %s at %d is provisional, want final: the input has ended", r.Statistic, r.Window, r.Start)
		}
	})
}

// rowsIn are the rows of a database as if they were results in a topic.
func rowsIn(t *testing.T, dsn string, job *liushui.Job, generation int64, each func(liushui.Row)) []liushui.Record {
	t.Helper()
	text, err := json.Marshal(liushui.JobRecord{Job: job.Name, Hash: job.Hash(), Generation: generation, Text: job.Text})
	if err != nil {
		t.Fatal(err)
	}
	records := []liushui.Record{{Key: []byte(liushui.KeyJob), Value: text}}
	s, err := store.Open(t.Context(), store.Config{DSN: dsn, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(t.Context(), func(at liushui.Snapshot) error {
		for _, statistic := range job.Statistics {
			for _, w := range statistic.Windows {
				rows, err := at.Rows(t.Context(), liushui.Query{Statistic: statistic.Name, Window: w.Name})
				if err != nil {
					return err
				}
				for _, r := range rows {
					each(r)
					records = append(records, liushui.Record{Key: r.AppendKey(nil), Value: r.AppendValue(nil, statistic)})
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func lastAccount(t *testing.T, results []liushui.Record) liushui.Account {
	t.Helper()
	var last liushui.Progress
	for _, r := range results {
		if liushui.KindOf(r.Key) != liushui.KindProgress {
			continue
		}
		if err := json.Unmarshal(r.Value, &last); err != nil {
			t.Fatal(err)
		}
		if !last.Account.Balanced() {
			t.Errorf("the account %+v of a progress record does not add up", last.Account)
		}
	}
	if !last.Stopped {
		t.Error("the last progress record does not say that the engine has stopped")
	}
	return last.Account
}

func header(r liushui.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// placeOf is the record that a dead letter speaks of.
func placeOf(t *testing.T, letter liushui.Record) enginetest.Place {
	t.Helper()
	var key []json.RawMessage
	if err := json.Unmarshal(letter.Key, &key); err != nil || len(key) != 3 {
		t.Fatalf("a dead letter has the key %s", letter.Key)
	}
	partition, err1 := strconv.ParseInt(string(key[1]), 10, 32)
	offset, err2 := strconv.ParseInt(string(key[2]), 10, 64)
	if err1 != nil || err2 != nil {
		t.Fatalf("a dead letter has the key %s", letter.Key)
	}
	return enginetest.Place{Partition: int32(partition), Offset: offset}
}
