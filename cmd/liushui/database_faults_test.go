package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"liushui"
	"liushui/dev"
)

// A proxy stands between the programs and a database: it may be slow, or gone.
type proxy struct {
	t        *testing.T
	addr, to string
	delay    atomic.Int64 // of each answer

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

func newProxy(t *testing.T, to string) *proxy {
	p := &proxy{t: t, addr: freePort(t), to: to, open: map[net.Conn]bool{}}
	p.listen()
	t.Cleanup(p.cut)
	return p
}

func (p *proxy) listen() {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go p.join(from)
		}
	}()
}

// cut ends all connections, and takes no new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener.Close()
	for conn := range p.open {
		conn.Close()
	}
}

func (p *proxy) join(from net.Conn) {
	to, err := net.Dial("tcp", p.to)
	if err != nil {
		from.Close()
		return
	}
	p.mu.Lock()
	p.open[from], p.open[to] = true, true
	p.mu.Unlock()
	go func() {
		defer to.Close()
		io.Copy(to, from)
	}()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := to.Read(buffer)
		time.Sleep(time.Duration(p.delay.Load()))
		if _, failed := from.Write(buffer[:n]); failed != nil || err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, from)
	delete(p.open, to)
}

// databaseLine is a line at work that keeps its tables in a real database, to
// which it may do no more than it needs.
type databaseLine struct {
	*line
	server *dev.SQLServer
	proxy  *proxy
	away   time.Duration // least time of a fault that lasts
	root   *sql.DB
	dsn    string
	store  *exec.Cmd
	said   *output    // by the store
	gone   chan error // has how the store ended
}

func newDatabaseLine(t *testing.T, server *dev.SQLServer, away time.Duration) *databaseLine {
	l := &databaseLine{line: newLine(t), server: server, proxy: newProxy(t, server.Addr), away: away}
	if err := server.Run("CREATE DATABASE shop; CREATE USER shop@'127.0.0.1' IDENTIFIED BY 'secret'; GRANT ALL ON shop.* TO shop@'127.0.0.1'"); err != nil {
		t.Fatal(err)
	}
	l.dsn = "mysql://shop:secret@" + l.proxy.addr + "/shop"
	var err error
	if l.root, err = sql.Open("mysql", "root@tcp("+server.Addr+")/shop"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.root.Close() })
	l.do("CREATE DATABASE other")
	l.do("CREATE TABLE other.heavy (n INT)")

	l.open("broker", "process")
	l.running["serve"] = launch(t, "serve", "--brokers", l.kafka, "--listen", l.wall, "--database", l.dsn)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the store said:\n%s", l.said)
		}
	})
	l.store, l.said = process(t, "store", "--brokers", l.kafka, "--database", l.dsn)
	l.gone = make(chan error, 1)
	go func() { l.gone <- l.store.Wait() }()
	l.running["produce"] = launch(t, "produce", "--brokers", l.kafka, "--data", l.data, "--demo", "--rate", "100/s")
	return l
}

// do runs a statement as root, who may do all.
func (l *databaseLine) do(statement string) {
	l.t.Helper()
	if _, err := l.root.ExecContext(l.t.Context(), statement); err != nil {
		l.t.Fatalf("%s: %v", statement, err)
	}
}

// wallHealth is what /api/v1/health says.
type wallHealth struct {
	State  struct{ Newest, Watermark int64 }
	Health struct {
		Engines []struct{ Account liushui.Account }
		Store   string
	}
}

func (l *databaseLine) health() (h wallHealth) {
	answer, err := http.Get("http://" + l.wall + "/api/v1/health")
	if err != nil {
		return h
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&h); err != nil {
		l.t.Error(err)
	}
	return h
}

func (l *databaseLine) metrics() string {
	l.t.Helper()
	answer, err := http.Get("http://" + l.wall + "/metrics")
	if err != nil {
		l.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

// read is how many records the engine has judged, as the wall says.
func (h *wallHealth) read() int64 {
	if len(h.Health.Engines) == 0 {
		return 0
	}
	return h.Health.Engines[0].Account.Read
}

// caughtUp waits until the store has taken all results that there are now, and
// the wall knows.
func (l *databaseLine) caughtUp() time.Duration {
	l.t.Helper()
	begun := time.Now()
	client := l.client()
	defer client.Close()
	ends, err := client.Ends(l.t.Context(), liushui.TopicResults)
	if err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, "the store has caught up", func() bool {
		var next int64
		err := l.root.QueryRowContext(l.t.Context(), "SELECT next FROM _liushui_store").Scan(&next)
		return err == nil && next >= ends[0].End
	})
	took := time.Since(begun)
	eventually(l.t, "the wall says that the store is up to date", func() bool { h := l.health(); return h.Health.Store == "ok" })
	return took
}

// signal freezes the server, or lets it go on.
func (l *databaseLine) signal(name string) {
	l.t.Helper()
	if err := l.server.Signal(name); err != nil {
		l.t.Fatal(err)
	}
}

// fault brings a fault about, for the time of away at least and until all that it is to
// come to was seen: the store names it and lives, the engine goes on, and so does
// the wall, which says that the store is behind. Then it ends the fault.
func (l *databaseLine) fault(name string, begin, end func(), says ...string) {
	l.t.Helper()
	mark, before, begun := len(l.said.String()), l.health(), time.Now()
	begin()
	l.says(mark, says...)
	time.Sleep(time.Until(begun.Add(l.away))) // what the wall says before that may be of the fault before
	eventually(l.t, name+": the wall says that the store is behind", func() bool { return strings.Contains(l.board(), `"store":"behind"`) })
	last := l.health()
	eventually(l.t, name+": engine and wall go on", func() bool {
		now := l.health()
		return now.read() > last.read() && now.State.Watermark > last.State.Watermark
	})
	if last.Health.Store != "behind" || last.read() < before.read()+int64(50*time.Since(begun).Seconds()) {
		l.t.Errorf("%s: after %s the wall is at %+v, before it was at %+v", name, time.Since(begun), last, before)
	}
	took := time.Since(begun)
	end()
	l.t.Logf("%s for %s: caught up %s later", name, took.Round(time.Millisecond), l.caughtUp().Round(time.Millisecond))
	l.says(mark, "the database is back")
	l.lives()
}

// says waits until the store has said all of it after a mark.
func (l *databaseLine) says(mark int, all ...string) {
	l.t.Helper()
	for _, text := range all {
		eventually(l.t, "the store says "+text, func() bool { l.lives(); return strings.Contains(l.said.String()[mark:], text) })
	}
}

func (l *databaseLine) lives() {
	l.t.Helper()
	select {
	case err := <-l.gone:
		l.t.Fatalf("the store has ended by itself: %v", err)
	default:
	}
}

// inItsWay holds rows that the store wants to write, and calls do when it waits for them
// in the middle of a transaction, whose connection has the id.
func (l *databaseLine) inItsWay(do func(tx *sql.Tx, id int64)) {
	l.t.Helper()
	tx, err := l.root.BeginTx(l.t.Context(), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	defer tx.Rollback()
	for _, statement := range []string{
		"INSERT INTO other.heavy SELECT 1 FROM information_schema.columns LIMIT 2000", // more than the store changes: the victim is the store
		"SELECT COUNT(*) FROM `sales$` FOR UPDATE",
	} {
		if _, err := tx.Exec(statement); err != nil {
			l.t.Fatal(err)
		}
	}
	var id int64
	eventually(l.t, "the store waits for rows", func() bool {
		time.Sleep(150 * time.Millisecond) // who asks more often than InnoDB looks is told the same for ever
		return l.root.QueryRow("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'").Scan(&id) == nil
	})
	do(tx, id)
}

// deadlock lets the store and another wait for one another.
func (l *databaseLine) deadlock() {
	mark := len(l.said.String())
	eventually(l.t, "the store says that there was a deadlock", func() bool {
		l.inItsWay(func(tx *sql.Tx, _ int64) {
			_, _ = tx.Exec("UPDATE _liushui_store SET version = version") // fails where the other was chosen
		})
		return strings.Contains(l.said.String()[mark:], "Deadlock found")
	})
	l.says(mark, "the database is back")
	l.t.Logf("deadlock: caught up %s later", l.caughtUp().Round(time.Millisecond))
}

// killed kills the store's connection in the middle of a transaction, and all
// connections a few times.
func (l *databaseLine) killed() {
	mark := len(l.said.String())
	l.inItsWay(func(_ *sql.Tx, id int64) { l.do(fmt.Sprint("KILL CONNECTION ", id)) })
	l.says(mark, "waiting for the database", "the database is back")
	for range 5 {
		rows, err := l.root.Query("SELECT id FROM information_schema.processlist WHERE user = 'shop'")
		if err != nil {
			l.t.Fatal(err)
		}
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				l.t.Fatal(err)
			}
			_, _ = l.root.Exec(fmt.Sprint("KILL CONNECTION ", id)) // it may have gone by itself
		}
		time.Sleep(200 * time.Millisecond)
	}
	l.t.Logf("killed connections: caught up %s later", l.caughtUp().Round(time.Millisecond))
	l.lives()
}

// TestDatabaseFaults does to a real database what databases do, while events
// flow: engine and wall go on, the store says what is wrong, goes on by itself
// when it is over, and nothing is lost or counted twice. LIUSHUI_AWAY says for
// how long a fault lasts that does, 5s if it says nothing.
func TestDatabaseFaults(t *testing.T) {
	away := 5 * time.Second
	if text := os.Getenv("LIUSHUI_AWAY"); text != "" {
		var err error
		if away, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name   string
		start  func(testing.TB, ...string) *dev.SQLServer
		faults func(l *databaseLine)
	}{
		{"mariadb says no", dev.StartMariaDB, refusalsAndLoss},
		{"mysql says no", dev.StartMySQL, refusals},
		{"mariadb says nothing", dev.StartMariaDB, silences},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newDatabaseLine(t, test.start(t), away)
			eventually(t, "something is in the tables", func() bool { h := l.health(); return h.read() > 300 && h.Health.Store == "ok" })
			test.faults(l)
			l.end()
		})
	}
}

// refusals are the faults that a server tells of.
func refusals(l *databaseLine) {
	l.deadlock()
	l.killed()
	l.fault("read-only", func() { l.do("SET GLOBAL read_only = 1") }, func() { l.do("SET GLOBAL read_only = 0") }, "read-only")
}

// refusalsAndLoss are those, and what somebody does to a table.
func refusalsAndLoss(l *databaseLine) {
	refusals(l)
	l.fault("a column missing", func() { l.do("ALTER TABLE `sales$` RENAME COLUMN `paid$` TO mistake") },
		func() { l.do("ALTER TABLE `sales$` RENAME COLUMN mistake TO `paid$`") }, "sales$", "paid$")
}

// silences are those of which there is nobody to tell.
func silences(l *databaseLine) {
	l.fault("gone", func() { l.server.Kill(); l.proxy.cut() }, func() {
		l.proxy.listen()
		if err := l.server.Start(); err != nil {
			l.t.Fatal(err)
		}
	}, "connection refused")
	l.fault("frozen", func() { l.signal("STOP") }, func() { l.signal("CONT") }, "has not ended after 5s")
	l.fault("slow", func() { l.proxy.delay.Store(int64(2 * time.Second)) }, func() { l.proxy.delay.Store(0) }, "has not ended after 5s")
}

// end ends the input, and compares log, topic and tables.
func (l *databaseLine) end() {
	l.t.Helper()
	l.stop("produce")
	l.ended()
	eventually(l.t, "all windows are final in the tables", func() bool {
		r := command(l.t, "query", "sales", "--database", l.dsn, "--format", "csv")
		return r.code == exitFine && strings.Contains(r.out, ",final,") && !strings.Contains(r.out, ",provisional,")
	})
	l.caughtUp()
	if text := l.metrics(); !regexp.MustCompile(`(?m)^liushui_store_retries_total [1-9]`).MatchString(text) {
		l.t.Errorf("/metrics tells nothing of the store's retries:\n%s", text)
	}
	if err := l.store.Process.Signal(os.Interrupt); err != nil {
		l.t.Fatal(err)
	}
	if err := <-l.gone; err != nil {
		l.t.Errorf("the store: %v", err)
	}
	l.stop("serve", "process", "broker")
	compareWithOracle(l.t, readBack(l.t, l.data), l.dsn, shop(l.t), 0)
}
