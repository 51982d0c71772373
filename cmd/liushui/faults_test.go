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
// nothing is lost. LIUSHUI_FREEZE says for how long, 6s if it says nothing.
func TestFrozen(t *testing.T) {
	frozen := 6 * time.Second
	if text := os.Getenv("LIUSHUI_FREEZE"); text != "" {
		var err error
		if frozen, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"process", "store", "broker"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := makePayments(t, int64(400*(frozen+3*time.Second).Seconds()))
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

// cramped is the program where no file may grow beyond so many KiB: writes then
// fail as on a full disk, and it needs no root.
func cramped(t *testing.T, kib int, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said := &output{}
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -f $0; exec "$@"`, strconv.Itoa(2 * kib), program}, args...)...) // in blocks of 512 bytes
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, said
}

// TestFullDisk leaves each program no room for its files: it says what is wrong,
// and its next start, with room, goes on as if nothing had been.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	p := makePayments(t, 3000)
	l := newLine(t)
	produce := append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--speed", "max"}, p.feed...)

	broker, said := cramped(t, 8, l.args("broker")...)
	sending := launch(t, produce...)
	eventually(t, "the broker says that its disk is full", func() bool { return strings.Contains(said.String(), "file too large") })
	if text := said.String(); strings.Contains(text, "panic") {
		t.Errorf("the broker says\n%s", text)
	}
	_ = broker.Process.Kill()
	_ = broker.Wait()
	l.start("broker")
	<-sending.done
	if sending.code != exitFine {
		contains(t, sending.errOut.String(), "the broker could not keep it, and says why in its own log; is its disk full?")
		must(t, command(t, produce...))
	}

	for _, kib := range []int{0, 4, 32} { // for the journal, for files of ids, for the checkpoint
		engine, said := cramped(t, kib, append(l.args("process"), "--checkpoint-every", "50ms", "--exit-when-done")...)
		err := engine.Wait()
		text := strings.TrimSpace(said.String())
		last := text[strings.LastIndex(text, "\n")+1:]
		if err == nil || !strings.HasPrefix(last, "liushui: ") || !strings.Contains(last, "file too large") || !strings.Contains(last, l.data) || strings.Contains(text, "panic") {
			t.Errorf("with files of at most %d KiB it ends with %v and says\n%s\nwant one line that names the file", kib, err, text)
		}
	}
	must(t, command(t, append(l.args("process"), "--exit-when-done")...))

	store, said := cramped(t, 256, l.args("store")...)
	eventually(t, "the store says that its disk is full", func() bool {
		return strings.Contains(said.String(), "waiting for the database") && strings.Contains(said.String(), "disk I/O error")
	})
	_ = store.Process.Kill()
	_ = store.Wait()
	l.start("store")
	eventually(t, "the tables have all that was paid", func() bool { return l.paid() == p.paid.String() })
	l.awaitFinal()
	l.stop("store", "broker")
	p.compare(t, l.data)
}
