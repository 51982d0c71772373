package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// line is the classic line: five programs, each started by hand.
type line struct {
	t                      *testing.T
	data, kafka, wall, csv string
	running                map[string]*launched
}

func newLine(t *testing.T) *line {
	return &line{t: t, data: filepath.Join(t.TempDir(), "line"), kafka: freePort(t), wall: freePort(t),
		csv: "testdata/orders.csv", running: map[string]*launched{}}
}

func (l *line) args(name string) []string {
	args := []string{name}
	if name == "broker" {
		return append(args, "--listen", l.kafka, "--data", l.data)
	}
	args = append(args, "--brokers", l.kafka)
	switch name {
	case "produce":
		return append(args, "--csv", l.csv, "--mapping", "tmall-orders", "--speed", "max", "--max-bad", "10%", "--data", l.data)
	case "serve":
		return append(args, "--listen", l.wall, "--database", databaseIn(l.data))
	}
	return append(args, "--data", l.data)
}

func (l *line) start(names ...string) {
	for _, name := range names {
		l.running[name] = launch(l.t, l.args(name)...)
	}
}

// open starts programs, the broker among them, and waits until that is there.
func (l *line) open(names ...string) {
	l.start(names...)
	l.running["broker"].prints("the broker is at")
}

func (l *line) stop(names ...string) {
	for _, name := range names {
		l.running[name].stop()
	}
}

// paid is the sum of all days' payments in the tables, or why there is none.
func (l *line) paid() string {
	r := command(l.t, "query", "sales", "--data", l.data, "--format", "json")
	if r.code != exitFine {
		return r.errOut
	}
	return sum(l.t, rows(l.t, "sales", "--data", l.data), "paid")
}

const paidInOrders = "749.31"

// board is what a viewer of the wall gets first.
func (l *line) board() string {
	conn, err := net.DialTimeout("tcp", l.wall, time.Second)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	fmt.Fprintf(conn, "GET /api/v1/live HTTP/1.1\r\nHost: %s\r\n\r\n", l.wall)
	text, _ := io.ReadAll(conn) // until the deadline: the stream has no end
	return string(text)
}

func (l *line) awaitTheWhole() {
	l.t.Helper()
	eventually(l.t, "the tables have all payments", func() bool { return l.paid() == paidInOrders })
	l.awaitTheWall(`"paid":"199.80"`)
}

// awaitTheWall waits until what a viewer gets has a text.
func (l *line) awaitTheWall(text string) {
	l.t.Helper()
	board := ""
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.t.Logf("the wall was last at\n%s", board)
		}
	})
	eventually(l.t, "the wall shows "+text, func() bool { board = l.board(); return strings.Contains(board, text) })
}

func TestProgramsInAnyOrder(t *testing.T) {
	for _, order := range []string{
		"broker produce process store serve",
		"serve store process produce broker",
		"process serve broker store produce",
		"store produce serve process broker",
		"produce process broker serve store",
	} {
		t.Run(strings.ReplaceAll(order, " ", "-"), func(t *testing.T) {
			t.Parallel()
			l := newLine(t)
			for _, name := range strings.Fields(order) {
				l.start(name)
				time.Sleep(100 * time.Millisecond)
			}
			l.awaitTheWhole()
			<-l.running["produce"].done
			if l.running["produce"].code != exitFine {
				t.Errorf("produce exited with %d: %s", l.running["produce"].code, l.running["produce"].errOut.String())
			}
			for _, name := range strings.Fields(order) {
				l.stop(name)
			}
		})
	}
}

// TestProgramsStopAndStart stops each program under the others that are at work,
// sends more, and starts it again.
func TestProgramsStopAndStart(t *testing.T) {
	for _, name := range []string{"broker", "process", "store", "serve"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t)
			l.start("broker", "process", "store", "serve", "produce")
			l.awaitTheWhole()
			l.stop(name)
			more := launch(t, append(l.args("produce"), "--as-if-now")...)
			time.Sleep(2 * time.Second)
			l.start(name)
			eventually(t, "what was sent meanwhile is in the tables", func() bool { return l.paid() == "1498.62" })
			l.awaitTheWall(`"paid":"` + paidInOrders + `"`) // all of it, on the day of the test
			<-more.done
			l.stop("serve", "store", "process", "broker")
		})
	}
}

// TestStopWhileWaiting is Ctrl-C at programs that wait for a Kafka that is not there.
func TestStopWhileWaiting(t *testing.T) {
	l := newLine(t)
	for _, name := range []string{"produce", "process", "store", "serve"} {
		l.start(name)
		l.running[name].says("waiting for Kafka: no Kafka at " + l.kafka)
	}
	time.Sleep(time.Second)
	for _, name := range []string{"produce", "process", "store", "serve"} {
		if n := strings.Count(l.running[name].errOut.String(), "waiting for Kafka"); n != 1 {
			t.Errorf("%s says %d times that it waits for Kafka, want once", name, n)
		}
		l.stop(name)
	}
}

// TestTypingError waits for a topic that nobody makes: it is named, and not made.
func TestTypingError(t *testing.T) {
	l := newLine(t)
	l.start("broker", "process", "store")
	for name, topic := range map[string]string{"process": "--topic", "store": "--results"} {
		args := append(l.args(name), topic, "categroy")
		if name == "process" {
			args = append(args, "--data", t.TempDir())
		}
		p := launch(t, args...)
		p.says("waiting for topic categroy: it does not exist; `liushui ")
		p.says(", or mend " + topic)
		p.stop()
	}
	made := must(t, command(t, "produce", "--brokers", l.kafka, "--topic", "categroy", "--demo", "--events", "5", "--speed", "max", "--data", l.data, "--partitions", "2"))
	if !strings.Contains(made.errOut, "topic=categroy partitions=2") {
		t.Errorf("produce does not say that it made the topic: the consumers did?\n%s", made.errOut)
	}
	l.stop("store", "process", "broker")
}

// TestServeWithoutHistory follows the topic from its start, and says what is missing.
func TestServeWithoutHistory(t *testing.T) {
	l := newLine(t)
	l.start("broker", "process", "produce")
	l.running["serve"] = launch(t, "serve", "--brokers", l.kafka, "--listen", l.wall)
	l.awaitTheWall(`"paid":"199.80"`)
	if !strings.Contains(l.board(), `"history":"missing"`) {
		t.Error("the wall does not say that the history is missing")
	}
	l.stop("serve", "process", "broker")
}

func TestProcessExitsWhenDone(t *testing.T) {
	l := newLine(t)
	l.start("broker")
	must(t, command(t, l.args("produce")...))
	must(t, command(t, append(l.args("process"), "--exit-when-done")...))
	l.start("store")
	eventually(t, "the tables have all payments", func() bool { return l.paid() == paidInOrders })
	before := rows(t, "sales", "--data", l.data)
	for _, day := range before {
		if day["state"] != "final" {
			t.Errorf("%s is %s, want final", day["start"], day["state"])
		}
	}
	must(t, command(t, append(l.args("process"), "--exit-when-done", "--from", "earliest")...))
	time.Sleep(time.Second)
	if diff := cmp.Diff(before, rows(t, "sales", "--data", l.data)); diff != "" {
		t.Errorf("computing anew gave other figures: %s", diff)
	}
	l.stop("store", "broker")
}

// TestForget drops the store's place from a broker that runs, and once more from
// one that does not.
func TestForget(t *testing.T) {
	l := newLine(t)
	l.start("broker", "process", "store", "produce")
	eventually(t, "the tables have all payments", func() bool { return l.paid() == paidInOrders })
	forget := append(l.args("broker"), "--forget")
	eventually(t, "both groups have committed, and are named", func() bool {
		never := command(t, append(forget, "nobody")...)
		return never.code == exitMisuse && never.errOut == "liushui: --forget nobody: there is no group liushui-nobody to forget; there are: native, store\n"
	})
	l.stop("store", "process")
	contains(t, must(t, command(t, append(forget, "store")...)).out, "forgot store: the broker at "+l.kafka+" no longer waits for it")
	l.stop("broker")
	contains(t, must(t, command(t, append(forget, "native")...)).out, ", which does not run no longer waits for it")
	again := command(t, append(forget, "native")...)
	if again.code != exitMisuse || !strings.Contains(again.errOut, "there is none") {
		t.Errorf("forgetting it again exits with %d: %s", again.code, again.errOut)
	}
}

// TestServeShowsHistoryFirst starts the wall while Kafka is away: it shows what
// the tables hold, as old as it is, and goes on when Kafka comes.
func TestServeShowsHistoryFirst(t *testing.T) {
	l := newLine(t)
	l.start("broker", "process", "store", "produce")
	eventually(t, "the tables have all payments", func() bool { return l.paid() == paidInOrders })
	<-l.running["produce"].done
	l.stop("store", "process", "broker")
	l.start("serve")
	l.running["serve"].says("waiting for Kafka")
	l.awaitTheWall(`"paid":"199.80"`)
	l.start("broker", "process")
	l.awaitTheWall(`"lag":0`)
	l.stop("serve", "process", "broker")
}

// TestAllowHost reaches the wall by a name that a proxy would use.
func TestAllowHost(t *testing.T) {
	l := newLine(t)
	l.running["serve"] = launch(t, append(l.args("serve"), "--allow-host", "Wall.example.com,other.example.com", "--allow-host", "third")...)
	l.running["serve"].prints("the wall is at")
	for name, want := range map[string]int{"wall.example.com": 200, "other.example.com:443": 200, "third": 200, "evil.example.com": 421} {
		ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.wall+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		ask.Host = name
		answer, err := http.DefaultClient.Do(ask)
		if err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s got %s, want %d", name, answer.Status, want)
		}
		if want == 421 && !strings.Contains(string(said), "--allow-host") {
			t.Errorf("the refusal does not name the mend: %s", said)
		}
	}
	l.stop("serve")
}

// TestProduceGoesOn stops a replay in its middle: the next start sends the rest.
func TestProduceGoesOn(t *testing.T) {
	l := newLine(t)
	l.start("broker", "process", "store")
	slow := launch(t, append(l.args("produce"), "--speed", "", "--rate", "6/s")...)
	eventually(t, "some of the events are in the tables", func() bool { paid := l.paid(); return paid != "0.00" && !strings.HasPrefix(paid, "liushui: ") })
	slow.stop()
	r := must(t, command(t, l.args("produce")...))
	if !strings.Contains(r.errOut, "sending goes on where it stopped") {
		t.Errorf("it says\n%s", r.errOut)
	}
	eventually(t, "the tables have all payments", func() bool { return l.paid() == paidInOrders })
	l.stop("store", "process", "broker")
}
