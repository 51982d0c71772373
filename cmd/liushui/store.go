package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
	"liushui/store"
)

func (p *program) storeCommand() *cobra.Command {
	var topics topicFlags
	var database databaseFlags
	var keep keepFlag
	var data string
	var adopt bool
	c := &cobra.Command{
		Use:   "store",
		Short: "Keep results in SQL tables: category_results → tables",
		Long: `Keep results in SQL tables, one a statistic: SQLite, MySQL 8 or MariaDB. The job comes
with the results. Rows and the place in the topic are written in one transaction.
A database that is away is waited for.`,
		Example: `  liushui store
  liushui store --database sqlite:/var/lib/liushui/results.db --keep 1s=7d --keep 1m=90d
  liushui store --database mysql://shop@db:3306/liushui --database-password-file /run/secrets/db`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := p.databaseConfig(&database)
			if err != nil {
				return err
			}
			if config.DSN == "" {
				if config.DSN, err = makeDatabaseIn(data); err != nil {
					return err
				}
			}
			config.Keep, config.Adopt = keep, adopt
			db, err := store.Open(c.Context(), config)
			if err != nil {
				return err
			}
			defer db.Close()
			client, err := p.connect(c.Context(), &topics, "liushui-store")
			if err != nil {
				return err
			}
			defer client.Close()
			if err := p.awaitTopic(c.Context(), client, "--results", string(topics.results), "process"); err != nil {
				return err
			}
			k, err := p.openKeeper(c.Context(), client, string(topics.results), db)
			if err != nil {
				return err
			}
			defer k.close()
			return p.runLine(c.Context(), false, k.station())
		},
	}
	topics.bind(c)
	database.bind(c, "`DSN`: sqlite:PATH or mysql://user@host:3306/db (default: liushui.db in --data)")
	c.Flags().Var(&keep, "keep", "drop rows of a window size at an age, such as 1s=7d; may be repeated; by default all are kept")
	c.Flags().BoolVar(&adopt, "adopt", false, "start anew with the topic as it is now, where it is not the one that was read before")
	c.Flags().StringVar(&data, "data", defaultData, "data `directory` of the embedded database")
	return c
}

// storeGroup is the consumer group under which the store's place is seen in Kafka.
const storeGroup = "liushui-store"

// keeper takes results into the store.
type keeper struct {
	*program
	client  *kafka.Client
	topic   string
	store   *store.Store
	reader  liushui.Reader
	next    atomic.Int64 // offset of the next record to take
	results atomic.Int64 // results taken by this process
	failing bool         // the newest commit failed
}

// openKeeper takes up the results where the store stands.
func (p *program) openKeeper(ctx context.Context, client *kafka.Client, topic string, db *store.Store) (*keeper, error) {
	k := &keeper{program: p, client: client, topic: topic, store: db}
	if _, err := client.EnsureTopic(ctx, kafka.Topic{Name: topic, Results: true}); err != nil {
		return nil, err
	}
	now, err := client.TopicID(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends, err := client.Ends(ctx, topic)
	if err != nil {
		return nil, err
	}
	if err := db.Begin(ctx, now, ends[0].Start, ends[0].End); err != nil {
		return nil, err
	}
	id, offset, err := db.Position(ctx)
	if err != nil {
		return nil, err
	}
	k.next.Store(offset)
	k.reader, err = client.Reader(ctx, topic, kafka.From{Offsets: map[int32]int64{0: offset}, TopicID: id})
	return k, err
}

func (k *keeper) close() { k.reader.Close() }

func (k *keeper) station() station {
	return station{name: "store", run: k.run, drained: k.drained}
}

// run takes records as they come, until ctx is done.
func (k *keeper) run(ctx context.Context) error {
	committed := time.Now()
	for {
		fetches, err := k.reader.Poll(ctx)
		if err != nil {
			return withAdoption(err)
		}
		for _, f := range fetches {
			if err := k.store.Apply(ctx, f.Records); err != nil {
				return err
			}
			k.count(f.Records)
		}
		if time.Since(committed) > time.Second {
			k.commit(ctx)
			committed = time.Now()
		}
	}
}

// withAdoption says how to go on with results that are not those that were read.
func withAdoption(err error) error {
	switch {
	case errors.Is(err, liushui.ErrOtherTopic):
		return fmt.Errorf("%w; the tables hold what the one before said: `liushui store --adopt` drops that and keeps what the new one says", err)
	case errors.Is(err, liushui.ErrGone):
		return fmt.Errorf("%w; `liushui store --adopt` goes on where the log begins, and `liushui reconcile --repair` mends what is missing", err)
	}
	return err
}

func (k *keeper) count(records []liushui.Record) {
	for i := range records {
		if liushui.KindOf(records[i].Key) == liushui.KindResult {
			k.results.Add(1)
		}
	}
	if n := len(records); n > 0 {
		k.next.Store(records[n-1].Offset + 1)
	}
}

// commit shows the store's place in Kafka, where the embedded broker looks for
// what it may trim. It is no resume point: one that fails is made good by the next.
func (k *keeper) commit(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := k.reader.Commit(within, storeGroup, map[int32]int64{0: k.next.Load()})
	if failing := err != nil && ctx.Err() == nil; failing != k.failing {
		if k.failing = failing; failing {
			k.log.Warn("Kafka did not take the store's place; trying again", "group", storeGroup, "error", err)
		} else {
			k.log.Info("Kafka takes the store's place again", "group", storeGroup)
		}
	}
}

// drained waits until all results that are in the topic now are in the tables.
func (k *keeper) drained(ctx context.Context) error {
	ends, err := k.client.Ends(ctx, k.topic)
	if err != nil {
		return err
	}
	for k.next.Load() < ends[0].End {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
