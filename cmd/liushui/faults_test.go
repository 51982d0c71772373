package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"liushui"
	"liushui/kafka"
)

// makeTopic makes a topic of events with more than one partition.
func (l *line) makeTopic(name string, partitions int) {
	l.t.Helper()
	client := l.client()
	defer client.Close()
	if _, err := client.EnsureTopic(l.t.Context(), kafka.Topic{Name: name, Partitions: partitions}); err != nil {
		l.t.Fatal(err)
	}
}

// ended says in the name of produce that the input has ended, so that all
// windows are final.
func (l *line) ended() {
	l.t.Helper()
	client := l.client()
	defer client.Close()
	ends, err := client.Ends(l.t.Context(), liushui.TopicEvents)
	if err != nil {
		l.t.Fatal(err)
	}
	id, err := client.TopicID(l.t.Context(), liushui.TopicEvents)
	if err != nil {
		l.t.Fatal(err)
	}
	said := liushui.Produce{Time: time.Now().UnixMilli(), TopicID: id, Ended: map[string]int64{}}
	for _, end := range ends {
		said.Ended[strconv.Itoa(int(end.Partition))] = end.End
	}
	value, err := json.Marshal(said)
	if err != nil {
		l.t.Fatal(err)
	}
	l.write(liushui.TopicResults, liushui.Record{Key: []byte(liushui.KeyProduce), Value: value})
}

// account is that of the newest progress record.
func (l *line) account() liushui.Account {
	l.t.Helper()
	client := l.client()
	defer client.Close()
	if there, err := client.HasTopic(l.t.Context(), liushui.TopicResults); !there || err != nil {
		return liushui.Account{} // the engine has only just begun
	}
	var p liushui.Progress
	for _, r := range readTopic(l.t, client, liushui.TopicResults) {
		if liushui.KindOf(r.Key) == liushui.KindProgress {
			if err := json.Unmarshal(r.Value, &p); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	return p.Account
}

// awaitRead waits until an engine has judged so many records.
func (l *line) awaitRead(n int64) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%d records are judged", n), func() bool { return l.account().Read == n })
}

// awaitFinal waits until the tables have all of an input that has ended.
func (l *line) awaitFinal() {
	l.t.Helper()
	eventually(l.t, "all windows are final in the tables", func() bool {
		r := command(l.t, "query", "sales", "--data", l.data, "--format", "csv")
		return r.code == exitFine && strings.Contains(r.out, ",final,") && !strings.Contains(r.out, ",provisional,")
	})
}

// TestSecondProcess is refused by name, and disturbs nobody.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	l.start("broker", "store", "process")
	must(t, command(t, l.args("produce")...))
	eventually(t, "the tables have all payments", func() bool { return l.paid() == paidInOrders })
	r := l.run("process", "--data", l.data)
	if want := filepath.Join(l.data, "native") + ": the data directory is in use by another process; stop the other `liushui process`, or name another folder with --data"; r.code != exitFailure || !strings.Contains(r.errOut, want) {
		t.Errorf("a second process exits with %d: %s, want %s", r.code, r.errOut, want)
	}
	more := launch(t, append(l.args("produce"), "--as-if-now")...)
	eventually(t, "the first one goes on", func() bool { return l.paid() == "1498.62" })
	<-more.done
	l.awaitFinal()
	l.stop("store", "process", "broker")
	compareWithTheLog(t, l.data, shop(t))
}

// TestTwoEngines runs two of `process` on one job, each with a data directory of
// its own: topic and tables are those of one. Now and then one is killed.
func TestTwoEngines(t *testing.T) {
	t.Parallel()
	p := makePayments(t, 4000)
	l := newLine(t)
	l.start("broker", "store")
	engines := [2][]string{l.args("process"), l.args("process")}
	engines[1][len(engines[1])-1] = filepath.Join(p.dir, "second")
	for i := range engines {
		engines[i] = append(engines[i], "--checkpoint-every", "200ms")
	}
	l.running["produce"] = launch(t, append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--rate", "1000/s"}, p.feed...)...)
	var running [2]*exec.Cmd
	for i := range engines {
		running[i], _ = process(t, engines[i]...)
	}
	for i := range 4 {
		time.Sleep(time.Second)
		_ = running[i%2].Process.Kill()
		_ = running[i%2].Wait()
		running[i%2], _ = process(t, engines[i%2]...)
	}
	<-l.running["produce"].done
	for i := range engines {
		_ = running[i].Process.Signal(os.Interrupt)
		if err := running[i].Wait(); err != nil {
			t.Errorf("engine %d: %v", i, err)
		}
		must(t, command(t, append(engines[i], "--exit-when-done")...))
	}
	eventually(t, "the tables have all that was paid", func() bool { return l.paid() == p.paid.String() })
	l.awaitFinal()
	l.stop("store", "broker")
	p.compare(t, l.data)
}

// TestFrozen freezes programs in the middle of their work and lets them go on:
// nothing is lost. LIUSHUI_FREEZE says for how long, 8s if it says nothing.
func TestFrozen(t *testing.T) {
	frozen := 8 * time.Second
	if text := os.Getenv("LIUSHUI_FREEZE"); text != "" {
		var err error
		if frozen, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"process", "store", "broker"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := makePayments(t, 3000+int64(300*frozen.Seconds()))
			l := newLine(t)
			victim, said := process(t, l.args(name)...)
			for _, other := range []string{"broker", "process", "store"} {
				if other != name {
					l.start(other)
				}
			}
			produce := launch(t, append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--rate", "400/s"}, p.feed...)...)
			eventually(t, "some of it is in the tables", func() bool { paid := l.paid(); return paid != "0.00" && !strings.HasPrefix(paid, "liushui: ") })
			signal := func(s syscall.Signal) {
				if err := victim.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			signal(syscall.SIGSTOP)
			time.Sleep(frozen)
			signal(syscall.SIGCONT)
			<-produce.done
			if produce.code != exitFine {
				t.Errorf("produce exits with %d: %s", produce.code, produce.errOut.String())
			}
			eventually(t, "the tables have all that was paid", func() bool { return l.paid() == p.paid.String() })
			l.awaitFinal()
			for _, other := range []string{"store", "process", "broker"} {
				if other != name {
					l.stop(other)
					continue
				}
				signal(os.Interrupt.(syscall.Signal))
				if err := victim.Wait(); err != nil {
					t.Errorf("%s: %v\n%s", name, err, said)
				}
			}
			p.compare(t, l.data)
		})
	}
}

// TestFullDisk gives the engine no room for its state: it says what is wrong,
// and its next start, with room, goes on as if nothing had been. The limit is
// that of a file's size: it fails a write as a full disk does, and needs no root.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	p := makePayments(t, 20_000)
	l := newLine(t)
	l.start("broker", "store")
	produce := []string{"produce", "--brokers", l.kafka, "--data", l.data}
	must(t, command(t, append(append(produce, p.feed...), "--speed", "max")...))
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, kib := range []string{"0", "4", "16", "64"} { // of the journal, of files of ids, of the checkpoint
		small := exec.Command("sh", append([]string{"-c", `ulimit -f $0; exec "$@"`, strconv.Itoa(2 * atoi(t, kib)), program}, // in blocks of 512 bytes
			append(l.args("process"), "--checkpoint-every", "50ms", "--exit-when-done")...)...)
		small.Env = append(os.Environ(), asProgram+"=1")
		said, err := small.CombinedOutput()
		text := string(said)
		last := text[strings.LastIndex(strings.TrimSpace(text), "\n")+1:]
		if err == nil || !strings.HasPrefix(last, "liushui: ") || !strings.Contains(last, "file too large") || !strings.Contains(last, l.data) || strings.Contains(text, "panic") {
			t.Errorf("with files of at most %s KiB it ends with %v and says\n%s\nwant one line that names the file", kib, err, text)
		}
	}
	must(t, command(t, append(l.args("process"), "--exit-when-done")...))
	eventually(t, "the tables have all that was paid", func() bool { return l.paid() == p.paid.String() })
	l.awaitFinal()
	l.stop("store", "broker")
	p.compare(t, l.data)
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
