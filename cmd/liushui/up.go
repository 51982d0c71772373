package main

import (
	"context"
	"fmt"
	"time"

	"liushui/kafka"
	"liushui/source"
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
	everySet     bool // --every is the user's
	database     databaseFlags
	data         string // empty: named after the feed
	kafkaListen  addressFlag
	listen       addressFlag
	hosts        hostsFlag
	access       accessFlags
	wall         wall.Config // who is let in
	retain       sizeFlag
	keep         keepFlag
	adopt        bool
	exitWhenDone bool
}

func (u *up) run(ctx context.Context) error {
	begun := time.Now()
	collectAt(50)              // five parts in one process: a third less memory for a twentieth more CPU
	has, err := u.prepare(ctx) // job, data directory, source and tables
	if err != nil {
		return err
	}
	defer has.close()

	// Kafka, in this process. The parts below meet at its topics only.
	broker, err := kafka.StartBroker(ctx, u.brokerConfig(has.dir))
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
	produce, err := u.openProducer(ctx, client, &u.topics, &u.source, has.job, source.ProduceConfig{
		Source: has.events, ResumeFile: has.dir.file("resume.json")})
	if err != nil {
		return err
	}
	defer produce.close()

	// category → category_results
	process, err := u.openEngine(ctx, client, &u.topics, u.engine.config(has.job, has.dir.path))
	if err != nil {
		return err
	}
	defer process.close()

	// category_results → tables
	keep, err := u.openKeeper(ctx, client, string(u.topics.results), has.tables)
	if err != nil {
		return err
	}
	defer keep.close()

	// category_results, and the history in the tables → wall
	u.wall.History, u.wall.Hosts = has.tables, u.hosts
	serve, err := u.openServer(&u.topics, u.wall, u.freeAddress("wall", u.listen), always(client))
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
		err = u.summarize(ctx, has.tables, produce, process, keep, begun)
	}
	return err
}
