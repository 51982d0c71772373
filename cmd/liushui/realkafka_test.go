package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/dev"
)

// shopCSV is the file of a made-up shop: three days of orders, most of them paid.
func shopCSV(t *testing.T, orders int) string {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	text.WriteString("no,created,paid,province,goods,pieces,price,customer\n")
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range orders {
		at = at.Add(time.Duration(r.IntN(2*72*3600/orders)) * time.Second)
		paid := ""
		if r.IntN(5) > 0 {
			paid = at.Add(time.Duration(r.IntN(3000)) * time.Second).Format(time.DateTime)
		}
		fmt.Fprintf(&text, "%d,%s,%s,%s,%s,%d,%d.%02d,user%d\n", i, at.Format(time.DateTime), paid,
			[]string{"广东省", "上海市", "浙江省", ""}[r.IntN(4)], []string{"tea", "cups", "茶叶"}[r.IntN(3)], 1+r.IntN(9), r.IntN(500), r.IntN(100), r.IntN(900))
	}
	return file(t, filepath.Join(t.TempDir(), "shop.csv"), text.String())
}

// everything is all that `query` gives of the built-in job.
func everything(t *testing.T, where ...string) map[string]string {
	t.Helper()
	text, _ := liushui.BuiltinJob(liushui.DefaultJob)
	job, err := liushui.ParseJob(liushui.DefaultJob, text)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, s := range job.Statistics {
		for _, w := range s.Windows {
			args := append([]string{"query", s.Name, "--window", w.Name, "--format", "json"}, where...)
			all[s.Name+" "+w.Name] = must(t, command(t, args...)).out
		}
	}
	return all
}

// The line on a real Kafka gives what it gives on the embedded one, to the last
// digit; with a real database as well.
func TestLineOnApacheKafka(t *testing.T) {
	for _, test := range []struct {
		release, database string
		orders            int
	}{
		{dev.Kafka43, "mariadb", 5000},
		{dev.Kafka43, "mysql", 500},
		{dev.Kafka39, "sqlite", 500},
	} {
		t.Run(test.release+" "+test.database, func(t *testing.T) {
			dir := t.TempDir()
			feed := []string{"--csv", shopCSV(t, test.orders), "--mapping", "../../docs/examples/orders.yaml", "--speed", "max"}
			must(t, command(t, upArgs(t, filepath.Join(dir, "up"), append(feed, "--exit-when-done")...)...))
			want := everything(t, "--data", filepath.Join(dir, "up"))

			dsn := "sqlite:" + filepath.Join(dir, "results.db")
			switch test.database {
			case "mariadb":
				dsn = dev.MariaDB(t)
			case "mysql":
				dsn = dev.MySQL(t)
			}
			topic := "category_" + test.database
			kafka := []string{"--brokers", dev.Kafka(t, test.release).Addrs(), "--topic", topic, "--results", topic + "_results"}
			line := append(kafka, "--data", filepath.Join(dir, "line"))
			with := func(name string, more ...string) []string { return append(append([]string{name}, line...), more...) }
			must(t, command(t, with("produce", feed...)...))
			must(t, command(t, with("process", "--exit-when-done")...))
			store := launch(t, with("store", "--database", dsn)...)
			eventually(t, "all days are final in the tables", func() bool {
				r := command(t, "query", "sales", "--window", "1d", "--format", "json", "--database", dsn)
				return r.code == exitFine && r.out == want["sales 1d"]
			})
			if diff := cmp.Diff(want, everything(t, "--database", dsn)); diff != "" {
				t.Errorf("the tables differ from those of the embedded line (-embedded +real):\n%s", diff)
			}
			same := must(t, command(t, append(append([]string{"reconcile"}, kafka...), "--database", dsn)...))
			contains(t, same.out, "no differences in ")
			store.stop()
		})
	}
}

// away is how long a broker stays away; LIUSHUI_AWAY sets it.
func away(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("LIUSHUI_AWAY")
	if text == "" {
		return 5 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A cluster loses one broker to a kill, and later another one to a stop, while
// the line is at work: leaders move, and nothing is lost or counted twice.
func TestLineOnAClusterThatLosesBrokers(t *testing.T) {
	dir := t.TempDir()
	feed := []string{"--csv", shopCSV(t, 2500), "--mapping", "../../docs/examples/orders.yaml"}
	must(t, command(t, upArgs(t, filepath.Join(dir, "up"), append(feed, "--speed", "max", "--exit-when-done")...)...))
	want := everything(t, "--data", filepath.Join(dir, "up"))

	k := dev.StartKafka(t, dev.KafkaConfig{Brokers: 3})
	dsn := "sqlite:" + filepath.Join(dir, "results.db")
	line := []string{"--brokers", k.Addrs(), "--data", filepath.Join(dir, "line")}
	engine := launch(t, append([]string{"process", "--checkpoint-every", "1s"}, line...)...)
	store := launch(t, append([]string{"store", "--database", dsn}, line...)...)
	produce := launch(t, slices.Concat([]string{"produce", "--rate", "250/s"}, feed, line)...)
	for i, end := range []func(*dev.KafkaBroker){(*dev.KafkaBroker).Kill, func(b *dev.KafkaBroker) {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	}} {
		time.Sleep(2 * time.Second)
		end(k.Brokers[i])
		time.Sleep(away(t))
		if err := k.Brokers[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	<-produce.done
	if produce.code != exitFine {
		t.Errorf("produce exited with %d: %s", produce.code, produce.errOut.String())
	}
	eventually(t, "all days are final in the tables", func() bool {
		r := command(t, "query", "sales", "--window", "1d", "--format", "json", "--database", dsn)
		return r.code == exitFine && r.out == want["sales 1d"]
	})
	if diff := cmp.Diff(want, everything(t, "--database", dsn)); diff != "" {
		t.Errorf("the tables differ from those of the embedded line (-embedded +cluster):\n%s", diff)
	}
	same := must(t, command(t, "reconcile", "--brokers", k.Addrs(), "--database", dsn))
	contains(t, same.out, "no differences in ")
	engine.stop()
	store.stop()
}
