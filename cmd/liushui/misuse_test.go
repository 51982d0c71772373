package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const smallJob = `job: small
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1h
statistics:
  sales: {windows: [1h, 1d], by: [province], measures: {orders: {compute: count, where: {type: order}}}}
`

// forOthers is what an address gets that others can reach.
const forOthers = "can be reached from other machines: say who may look, with --users-file or --viewer-token-file, or everybody with --public"

// TestMisuse is every wrong input with the one line that it gets. DIR stands for
// the test's own directory.
func TestMisuse(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	file(t, "wrong.yaml", "job: x\nzone: Asia/Shanghai\ncurrency: CNY\nlatenes: 10s\n")
	file(t, "nozone.yaml", strings.Replace(smallJob, "Asia/Shanghai", "Mars/Olympus", 1))
	file(t, "mapping.yaml", "zone: Asia/Shanghai\nevents:\n  - {type: buy, time: {column: t, layout: yyyy-MM-dd}, id: '{n}'}\n")
	file(t, "key.yaml", "zone: Asia/Shanghai\nevent:\n  - {type: pay}\n")
	file(t, "neither.yaml", "hello: world\n")
	file(t, "orders.csv", "n,t\n1,2020-02-01\n")
	file(t, "bad.csv", "订单编号,总金额,买家实际支付金额,收货地址,订单创建时间,订单付款时间,退款金额\n1,x,1,上海,2020-02-01 10:00:00,,0\n")
	file(t, "full/notes.txt", "mine")
	file(t, "text.db", "this is no database, but a text that is long enough to be looked at as one, and then some more of it\n")
	file(t, "users", "# the shop's people\nli:admin:$2y$10$x\n")
	file(t, "nobody", "\n")
	file(t, "short", "hush\n")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()

	for _, c := range []struct {
		args string
		env  string
		want string
		code int
	}{
		{args: "upp", want: "there is no command \"upp\"; did you mean `liushui up`?"},
		{args: "frobnicate", want: "there is no command \"frobnicate\"; see `liushui --help`"},
		{args: "up now", want: "`liushui up` takes no argument, but got \"now\"; see `liushui up --help`"},
		{args: "up --speeed 3", want: "unknown flag: --speeed; see `liushui up --help`"},
		{args: "up --speed", want: "flag needs an argument: --speed; see `liushui up --help`"},
		{args: "up --log-format xml", want: `--log-format "xml": want text or json`},
		{args: "up --demo=perhaps", want: `--demo "perhaps": want true or false`},

		{args: "health", want: "`liushui health` wants one of produce, process, store, serve"},
		{args: "health kafka", want: "`liushui health` wants one of produce, process, store, serve"},
		{args: "health store --within 10ms", want: "--within 10ms: want 1s or more; a part tells how it stands every second"},

		// What is sent.
		{args: "produce", want: "what is to be sent? Name a file with --csv and --mapping, or send --demo"},
		{args: "produce --csv orders.csv", want: "--csv orders.csv needs --mapping: a file, or one of online-retail, taobao-behavior, taobao-user-log, tmall-orders"},
		{args: "produce --csv orders.csv --demo", want: "--csv and --demo: want one of them"},
		{args: "up --mapping tmall-orders", want: "--mapping tmall-orders goes with --csv and a file"},
		{args: "up --loop", want: "--as-if-now, --loop and --rejects go with --csv"},
		{args: "up --csv orders.csv --mapping tmall-orders --events 5", want: "--events and --seed go with the demo, not with --csv"},
		{args: "up --csv none.csv --mapping tmall-orders", want: "csv none.csv: no such file"},
		{args: "up --csv . --mapping tmall-orders", want: "csv .: not a file; a folder or pipe cannot be replayed"},
		{args: "up --csv orders.csv --mapping tmall", want: "mapping tmall: no such file, and none of the built-in ones (online-retail, taobao-behavior, taobao-user-log, tmall-orders)"},
		{args: "up --csv orders.csv --mapping mapping.yaml", want: `mapping mapping.yaml: events: number 1: type: "buy" is none of view, cart, favorite, order, pay, refund, cancel`},
		{args: "up --csv orders.csv --mapping key.yaml", want: `mapping key.yaml: [2:1] unknown field "event"`},
		{args: "up --csv orders.csv --mapping tmall-orders --speed fast", want: "--speed fast: want times real, such as 60, or max"},
		{args: "up --csv orders.csv --mapping tmall-orders --rate 5/week", want: "--rate 5/week: want a number of events a second, such as 500/s"},
		{args: "up --csv orders.csv --mapping tmall-orders --rate 5/s --speed 2", want: "--speed 2 and --rate 5/s: want one of them"},
		{args: "up --max-bad 2", want: `--max-bad "2": want a percentage from 0% to 100%`},
		{args: "up --partitions 0", want: "--partitions 0: want 1 to 1000"},
		{args: "up --partitions two", want: `--partitions "two": want a whole number`},
		{args: "up --events -1", want: "--events -1: want a number above 0"},
		{args: "up --exit-when-done", want: "--exit-when-done: this feed never ends; name a file with --csv, without --loop, or bound the demo with --events"},

		// What is computed.
		{args: "process --engine spark", want: "--engine spark wants --spark sc://HOST:15002, the address of a Spark Connect server"},
		{args: "process --engine spark --spark sc://h", want: "--engine spark wants --checkpoint FOLDER, one that the whole cluster reaches, such as s3a://bucket/liushui"},
		{args: "process --engine spark --spark sc://h --checkpoint /c --every 1s", want: "--every is for the native engine; --trigger says how often Spark works"},
		{args: "process --engine spark --spark sc://h --checkpoint /c --spark-partitions 0", want: "--spark-partitions 0: want 1 to 10000"},
		{args: "process --spark sc://h", want: "--spark is for --engine spark"},
		{args: "process --engine flink", want: `--engine "flink": want native or spark`},
		{args: "process --from yesterday", want: `--from "yesterday": want earliest, or leave it out to go on where it stopped`},
		{args: "process --every soon", want: `--every "soon": want a time such as 100ms, 10s or 5m`},
		{args: "process --every 0s", want: "--every 0s: want 1ms to 5s"},
		{args: "process --every 10s", want: "--every 10s: want 1ms to 5s"},
		{args: "process --checkpoint-every 1ms", want: "--checkpoint-every 1ms: want 10ms to 1h"},
		{args: "process --max-ahead -5m", want: "--max-ahead -5m0s: want a time such as 5m"},
		{args: "process --job none.yaml", want: "--job none.yaml: there is no such file, and no built-in job of this name (there is shop)"},
		{args: "process --job wrong.yaml", want: `job wrong.yaml: [4:1] unknown field "latenes"`},
		{args: "process --job nozone.yaml", want: `job nozone.yaml: zone: "Mars/Olympus" is no IANA zone; want one such as Asia/Shanghai`},

		// Where Kafka, topics and data are.
		{args: "process --brokers nowhere", want: `--brokers "nowhere": want HOST:PORT such as 127.0.0.1:9092, several separated by commas`},
		{args: "process --topic a/b", want: `--topic "a/b": want a topic's name of letters, digits, dots, _ and -`},
		{args: "serve --results category", want: "--results category is also the topic of events or dead letters; results need one of their own"},
		{args: "broker --listen here", want: `--listen "here": want HOST:PORT such as 127.0.0.1:8080`},
		{args: "broker --retain much", want: `--retain "much": want a size such as 500MB or 1GiB`},
		{args: "broker --listen " + port, want: port + " is in use by another program (a broker that runs already?): stop it, or choose another port with --listen"},
		{args: "serve --listen " + port, want: "--listen " + port + ": bind: address already in use; stop what listens there, or name another address", code: exitFailure},
		{args: "serve --allow-host http://wall.example.com", want: `--allow-host "http://wall.example.com": want a name such as wall.example.com, without scheme and port`},

		// Who may look.
		{args: "serve --listen 0.0.0.0:8080", want: "--listen 0.0.0.0:8080 " + forOthers},
		{args: "serve --listen :8080", want: "--listen :8080 " + forOthers},
		{args: "serve --listen [::]:8080", want: "--listen [::]:8080 " + forOthers},
		{args: "serve --listen wall.example.com:8080", want: "--listen wall.example.com:8080 " + forOthers},
		{args: "serve", env: "LIUSHUI_LISTEN=192.168.1.7:8080", want: "--listen 192.168.1.7:8080 " + forOthers},
		{args: "up --listen 0.0.0.0:8080", want: "--listen 0.0.0.0:8080 " + forOthers},
		{args: "serve --public --users-file users", want: "--public lets everybody look; leave it out, or --users-file and --viewer-token-file"},
		{args: "serve --public", env: "LIUSHUI_VIEWER_TOKEN=0123456789abcdef0123456789abcdef", want: "--public lets everybody look; leave it out, or --users-file and --viewer-token-file"},
		{args: "serve --users-file none", want: "--users-file none: no such file or directory"},
		{args: "serve --users-file users", want: `--users-file users:2: role "admin"; want viewer or operator`},
		{args: "up --users-file nobody", want: "--users-file nobody: names no user; `liushui user NAME` makes a line"},
		{args: "serve --viewer-token-file none", want: "--viewer-token-file none: no such file or directory"},
		{args: "serve --viewer-token-file nobody", want: "--viewer-token-file nobody is empty; `openssl rand -hex 16` makes a token"},
		{args: "serve --viewer-token-file short", want: "--viewer-token-file short: the token has 4 characters; want 20 or more, as `openssl rand -hex 16` makes them"},
		{args: "serve", env: "LIUSHUI_VIEWER_TOKEN=hush", want: "LIUSHUI_VIEWER_TOKEN: the token has 4 characters; want 20 or more, as `openssl rand -hex 16` makes them"},
		{args: "serve --tls-cert short", want: "--tls-cert and --tls-key go together"},
		{args: "serve --tls-key short", want: "--tls-cert and --tls-key go together"},
		{args: "serve --tls-cert none --tls-key short", want: "--tls-cert, --tls-key: read the certificate none with the key short: open none: no such file or directory"},
		{args: "up --tls-cert short --tls-key short", want: "--tls-cert, --tls-key: read the certificate short with the key short: tls: failed to find any PEM data in certificate input"},
		{args: "user", want: "`liushui user` takes one name, but got 0"},
		{args: "user li wang", want: "`liushui user` takes one name, but got 2"},
		{args: "user li:viewer", want: "`liushui user`: the name \"li:viewer\" holds a colon, or what cannot be printed"},
		{args: "user li --role admin", want: `--role "admin": want viewer or operator`},

		{args: "serve --expect-every -1s", want: "--expect-every -1s: want a time such as 1m"},
		{args: "up --data full", want: "--data full holds files, but no data of `liushui up`; name an empty or a new directory"},
		{args: "up --data orders.csv", want: "--data orders.csv: not a directory"},

		// The store.
		{args: "store --database postgres://x", want: `the database address begins with "postgres://"; want sqlite:PATH or mysql://user@host:3306/database`},
		{args: "store --database sqlite:", want: "sqlite: names no file; want a path after the colon, such as sqlite:liushui.db"},
		{args: "store --database sqlite:none/x.db", want: "sqlite:none/x.db: there is no directory DIR/none; make it first"},
		{args: "store --database mysql://host/db", want: "the database address mysql://… names no user; want mysql://user@host:3306/database, with / ? # % @ in user and password written as %2F %3F %23 %25 %40, or the password in LIUSHUI_DATABASE_PASSWORD"},
		{args: "store --database-password-file none", want: "--database-password-file none: no such file or directory"},
		{args: "store --keep 1s", want: `--keep "1s": want WINDOW=AGE such as 1s=7d`},
		{args: "store --keep 1x=7d", want: `--keep "1x=7d": window "1x": want 1s, 1m, 1h, 1d or another size that divides a minute, an hour or a day evenly, such as 5s, 15m, 6h`},
		{args: "store --keep 1s=week", want: `--keep "1s=week": age "week": want a time such as 7d, 36h or 90m`},

		// Questions.
		{args: "query sales", want: "there is no data under ./liushui-data; start `liushui up`, or name a database with --data DIR or --database DSN"},
		{args: "query sales orders", want: "`liushui query` takes one statistic, but got \"orders\" too"},
		{args: "query sales --data a --database sqlite:b", want: "--database and --data both name a database; give one of them"},
		{args: "query sales --data none", want: "there is no database sqlite:none/liushui.db; `liushui store` and `liushui up` make one"},
		{args: "query sales --database sqlite:text.db", want: "open sqlite:text.db: file is not a database (26); the file is not a SQLite database; name another"},
		{args: "query sales --format xml", want: `--format "xml": want table, csv or json`},
		{args: "query sales --where province", want: `--where "province": want FIELD=VALUE such as province=上海`},
		{args: "query sales --top many", want: `--top "many": want a whole number`},

		// Checks.
		{args: "check", want: "`liushui check` takes one file, a job or a mapping; see `liushui check --help`"},
		{args: "check none.yaml", want: "none.yaml: no such file or directory; want a file, or a built-in one: shop (job), online-retail, taobao-behavior, taobao-user-log, tmall-orders (mappings)"},
		{args: "check neither.yaml", want: "neither.yaml: neither a job (with the keys job and statistics) nor a mapping (with events)"},
		{args: "check wrong.yaml", want: `job wrong.yaml: [4:1] unknown field "latenes"`},
		{args: "check key.yaml", want: `mapping key.yaml: [2:1] unknown field "event"`},
		{args: "check shop --csv orders.csv", want: "shop is a job; --csv goes with a mapping"},
		{args: "check tmall-orders --csv none.csv", want: "csv none.csv: no such file"},

		// The same through the environment: the variable is named.
		{args: "up", env: "LIUSHUI_EXIT_WHEN_DONE=perhaps", want: "LIUSHUI_EXIT_WHEN_DONE=perhaps: want true or false"},
		{args: "up", env: "LIUSHUI_RETAIN=much", want: "LIUSHUI_RETAIN=much: want a size such as 500MB or 1GiB"},
		{args: "process", env: "LIUSHUI_ENGINE=spark", want: "--engine spark wants --spark sc://HOST:15002, the address of a Spark Connect server"},
		{args: "version", env: "LIUSHUI_LOG_FORMAT=xml", want: "LIUSHUI_LOG_FORMAT=xml: want text or json"},
	} {
		if c.code == 0 {
			c.code = exitMisuse
		}
		r := commandWith(t, []string{c.env}, strings.Fields(c.args)...)
		want := result{code: c.code, errOut: "liushui: " + strings.ReplaceAll(c.want, "DIR/", dir+"/") + "\n"}
		if diff := cmp.Diff(want, r, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s liushui %s:\n%s", c.env, c.args, diff)
		}
	}
	if made, _ := filepath.Glob("liushui-data*"); len(made) > 0 {
		t.Errorf("a wrong input made %v", made)
	}
}

// TestTooManyBadRows is a file that is not what the mapping takes it for.
func TestTooManyBadRows(t *testing.T) {
	t.Chdir(t.TempDir())
	file(t, "bad.csv", "订单编号,总金额,买家实际支付金额,收货地址,订单创建时间,订单付款时间,退款金额\n1,x,1,上海,2020-02-01 10:00:00,,0\n")
	r := command(t, "up", "--csv", "bad.csv", "--mapping", "tmall-orders", "--data", "d", "--listen", freePort(t), "--kafka-listen", freePort(t))
	last := strings.Split(strings.TrimSpace(r.errOut), "\n")
	if r.code != exitMisuse || !strings.Contains(last[len(last)-1], "liushui: csv bad.csv: 1 of 1 rows are bad, more than --max-bad 1%; most often: amount \"x\" is not a number (line 2); they are in d/rejects.csv; see them with  liushui check tmall-orders --csv bad.csv") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
}

func TestFlagBeatsVariable(t *testing.T) {
	r := commandWith(t, []string{"LIUSHUI_LOG_FORMAT=xml"}, "version", "--log-format", "json")
	if r.code != exitFine {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
}
