package main

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
	"liushui/source"
	"liushui/store"
)

func (p *program) upCommand() *cobra.Command {
	u := &up{program: p, kafkaListen: "127.0.0.1:9092", listen: "127.0.0.1:8080", retain: 1 << 30}
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the whole line in one process",
		Long: `Run the whole line in one process: the embedded broker, a CSV replay or the demo's
generator, the engine, the store and the wall. Without a flag it is the demo.
Where the ports are taken it takes the next free ones, and says so. With --speed max
--every is two seconds unless it is set.`,
		Example: `  liushui up
  liushui up --csv tmall_orders_202002.csv --mapping tmall-orders --speed 3600
  liushui up --csv orders.csv --mapping my.yaml --job myjob.yaml --speed max --exit-when-done`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			u.everySet = c.Flags().Changed("every")
			return u.run(c.Context())
		},
	}
	f := c.Flags()
	u.source.bind(c)
	u.engine.bind(c)
	u.database.bind(c, "`DSN`: sqlite:PATH or mysql://user@host:3306/db (default: liushui.db in --data)")
	f.StringVar(&u.data, "data", "", "data `directory` (default: liushui-data/demo, or liushui-data/ and the file's name with 8 hex of its content)")
	f.Var(&u.listen, "listen", "where the wall is")
	f.Var(&u.hosts, "allow-host", allowHostUsage)
	u.access.bind(c)
	f.Var(&u.kafkaListen, "kafka-listen", "where the broker is")
	f.Var(&u.retain, "retain", "events that the broker keeps, and as much again of results and of dead letters")
	f.Var(&u.keep, "keep", "drop rows of a window size at an age, such as 1s=7d; may be repeated; by default all are kept")
	f.BoolVar(&u.adopt, "adopt", false, "start anew in a database that holds rows of another log")
	f.BoolVar(&u.exitWhenDone, "exit-when-done", false, "exit with a summary when all is read, computed and stored")
	u.topics.bindNames(c)
	return c
}

// prepared is what the line begins with, before Kafka is there.
type prepared struct {
	job    *liushui.Job
	dir    *directory
	events source.Source // nil: the demo
	tables *store.Store
}

// close closes what was opened.
func (has *prepared) close() {
	if has.tables != nil {
		has.tables.Close()
	}
	closeSource(has.events)
	if has.dir != nil {
		has.dir.close()
	}
}

// everyAtFullSpeed is how often a figure is sent while events come as fast as can
// be: nobody reads a hundred seconds of a shop's day in one, and the tables would
// only be written more often.
const everyAtFullSpeed = 2 * time.Second

// prepare finds what is wrong with flags and files before anything is started.
func (u *up) prepare(ctx context.Context) (_ *prepared, err error) {
	f, err := u.check(ctx)
	if err != nil {
		return nil, err
	}
	has := &prepared{}
	defer func() {
		if err != nil {
			has.close()
		}
	}()
	if has.job, err = loadJob("--job ", u.engine.job); err != nil {
		return nil, err
	}
	if has.dir, err = openDirectory(u.data, f); err != nil {
		return nil, err
	}
	database, err := u.databaseConfig(&u.database)
	if err != nil {
		return nil, err
	}
	database.Keep, database.Adopt = u.keep, u.adopt
	if has.tables, err = store.Open(ctx, database); err != nil {
		return nil, err
	}
	if has.events, err = u.openSource(ctx, &u.source, has.dir.file("rejects.csv")); err != nil {
		return nil, err
	}
	return has, has.dir.take(f)
}

// check judges the flags, and settles the data directory and the database.
func (u *up) check(ctx context.Context) (feed, error) {
	if err := u.topics.check(); err != nil {
		return feed{}, err
	}
	if err := u.guard(&u.wall, &u.access, u.listen); err != nil {
		return feed{}, err
	}
	if err := u.engine.check(); err != nil {
		return feed{}, err
	}
	if err := u.source.check(true); err != nil {
		return feed{}, err
	}
	if u.source.pace == (source.Pace{}) && !u.everySet {
		u.engine.every = everyAtFullSpeed
	}
	if u.exitWhenDone && u.source.endless() {
		return feed{}, misuse("--exit-when-done: this feed never ends; name a file with --csv, without --loop, or bound the demo with --events")
	}
	f, err := u.source.feed(ctx, u.program)
	if err != nil {
		return feed{}, err
	}
	if u.data == "" {
		u.data = f.directory()
	}
	if u.database.dsn == "" {
		u.database.dsn = databaseIn(u.data)
	}
	return f, nil
}

func (u *up) brokerConfig(dir *directory) kafka.BrokerConfig {
	return u.topics.broker(u.program, dir.file("broker"), u.freeAddress("broker", u.kafkaListen), u.source.partitions, int64(u.retain))
}

// portsTried is how many ports after a taken one are looked at.
const portsTried = 50

// freeAddress is the address, or the next free port where it is taken.
func (u *up) freeAddress(what string, listen addressFlag) string {
	host, first, err := net.SplitHostPort(string(listen))
	port, bad := strconv.Atoi(first)
	if err != nil || bad != nil {
		return string(listen)
	}
	for n := port; n < port+portsTried; n++ {
		address := net.JoinHostPort(host, strconv.Itoa(n))
		l, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err == nil {
			l.Close()
		}
		if n != port {
			u.log.Warn("port "+first+" is taken; taking the next free one", "for", what, "address", address)
		}
		return address
	}
	return string(listen)
}

// always is a client that is there already.
func always(client *kafka.Client) func(context.Context) (*kafka.Client, error) {
	return func(context.Context) (*kafka.Client, error) { return client, nil }
}
