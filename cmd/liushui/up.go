package main

import (
	"context"
	"fmt"
	"time"

	"liushui/kafka"
	"liushui/source"
	"liushui/store"
	"liushui/wall"
)

// up is the whole line in one process:
//
//	CSV or generator ──► category ──► engine ──► category_results ──► tables
//	  produce                         process                    └──► wall
type up struct {
	*program
	topics       topicFlags
	source       sourceFlags
	engine       engineFlags
	database     databaseFlags
	data         string // empty: named after the feed
	kafkaListen  addressFlag
	listen       addressFlag
	retain       sizeFlag
	keep         keepFlag
	adopt        bool
	exitWhenDone bool
}

func (u *up) run(ctx context.Context) error {
	begun := time.Now()
	job, feed, err := u.check(ctx)
	if err != nil {
		return err
	}
	dir, err := openDirectory(u.data, feed)
	if err != nil {
		return err
	}
	defer dir.close()
	events, err := u.openSource(ctx, &u.source, dir.file("rejects.csv"))
	if err != nil {
		return err
	}
	defer closeSource(events)
	if err := dir.take(feed); err != nil {
		return err
	}

	// Kafka, in this process. The parts below meet at its topics only.
	broker, err := kafka.StartBroker(ctx, u.topics.broker(u.program, dir.file("broker"), u.freeAddress("broker", u.kafkaListen), u.source.partitions, int64(u.retain)))
	if err != nil {
		return err
	}
	defer broker.Close()
	client, err := kafka.Connect(ctx, kafka.Config{Brokers: []string{broker.Addr()}, ClientID: "liushui-up", Log: u.log})
	if err != nil {
		return err
	}
	defer client.Close()

	// CSV or generator → category
	produce, err := u.openProducer(ctx, client, &u.topics, u.source.partitions, source.ProduceConfig{
		Source: events, Pace: u.source.pace, Corrections: job.Corrections, ResumeFile: dir.file("resume.json")})
	if err != nil {
		return err
	}
	defer produce.close()

	// category → category_results
	process, err := u.openEngine(ctx, client, &u.topics, u.engine.config(job, dir.path))
	if err != nil {
		return err
	}
	defer process.close()

	// category_results → tables
	database, err := u.databaseConfig(&u.database)
	if err != nil {
		return err
	}
	database.Keep, database.Adopt = u.keep, u.adopt
	tables, err := store.Open(ctx, database)
	if err != nil {
		return err
	}
	defer tables.Close()
	keep, err := u.openKeeper(ctx, client, string(u.topics.results), tables)
	if err != nil {
		return err
	}
	defer keep.close()

	// category_results, and the history in the tables → wall
	serve, err := u.openServer(&u.topics, wall.Config{History: tables}, u.freeAddress("wall", u.listen), always(client))
	if err != nil {
		return err
	}
	fmt.Fprintln(u.stdout, "the wall is at", serve.address())

	// They stop in this order too, each when it has what the one before sent last,
	// and the broker after its clients.
	err = u.runLine(ctx, u.exitWhenDone,
		produce.station(),
		process.stationUntil(produce.ended),
		keep.station(),
		serve.station(),
		station{"broker", broker.Run, atOnce})
	if err == nil && u.exitWhenDone {
		err = u.summarize(ctx, tables, produce, process, keep, begun)
	}
	return err
}
