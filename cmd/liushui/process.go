package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
	"liushui/native"
	"liushui/spark"
)

// engineFlags are what an engine may be told.
type engineFlags struct {
	job        nameFlag
	every      time.Duration
	maxAhead   time.Duration
	checkpoint time.Duration
}

func (f *engineFlags) bind(c *cobra.Command) {
	f.job = liushui.DefaultJob
	c.Flags().Var(&f.job, "job", "what to compute: a built-in job, or a file")
	c.Flags().DurationVar(&f.every, "every", 100*time.Millisecond, "`time` between two results of a figure, at least")
	c.Flags().DurationVar(&f.checkpoint, "checkpoint-every", 10*time.Second, "`time` between two checkpoints; longer ones make a start after a crash longer")
	c.Flags().DurationVar(&f.maxAhead, "max-ahead", 5*time.Minute, "`time` that an event may be ahead of its arrival; more is bad")
}

// mostEvery keeps what was judged from waiting longer than an engine that is
// behind lets it: whoever reads the results counts on that (sentWithin).
const mostEvery = 5 * time.Second

func (f *engineFlags) check() error {
	switch {
	case f.every < time.Millisecond || f.every > mostEvery:
		return misuse("--every %s: want 1ms to %s", f.every, mostEvery)
	case f.maxAhead <= 0:
		return misuse("--max-ahead %s: want a time such as 5m", f.maxAhead)
	case f.checkpoint < 10*time.Millisecond || f.checkpoint > time.Hour:
		return misuse("--checkpoint-every %s: want 10ms to 1h", f.checkpoint)
	}
	return nil
}

// config is the engine's configuration, without what Kafka gives.
func (f *engineFlags) config(job *liushui.Job, dir string) native.Config {
	return native.Config{Job: job, Dir: dir, Every: f.every, MaxAhead: f.maxAhead, CheckpointEvery: f.checkpoint}
}

func (p *program) processCommand() *cobra.Command {
	var topics topicFlags
	var flags engineFlags
	var cluster sparkFlags
	engine, from := engineFlag("native"), fromFlag("")
	var data string
	var exitWhenDone bool
	c := &cobra.Command{
		Use:   "process",
		Short: "Compute statistics: category → category_results",
		Long: `Compute a job's statistics from the topic of events and send them to the topic of
results. It keeps its state in the data directory and goes on from there after a
stop or a crash, without losing or doubling anything.

With --engine spark an Apache Spark cluster (4.1 or 4.2) computes the same figures,
driven over Spark Connect; what it has computed is in its checkpoint, and this
program starts its queries, finds them again, and says how far they are.`,
		Example: `  liushui process
  liushui process --job myjob.yaml
  liushui process --from earliest      # forget what was computed, and compute the log anew
  liushui process --exit-when-done     # up to what the topic holds now
  liushui process --engine spark --spark sc://spark:15002 --checkpoint s3a://bucket/liushui`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			job, err := loadJob("--job ", flags.job)
			if err != nil {
				return err
			}
			if err := flags.check(); err != nil {
				return err
			}
			if err := cluster.check(c, engine); err != nil {
				return err
			}
			collectAt(200) // a sixth more memory for a twenty-fifth less CPU
			client, err := p.connect(c.Context(), &topics, "liushui-process")
			if err != nil {
				return err
			}
			defer client.Close()
			if err := p.awaitTopic(c.Context(), client, "--topic", string(topics.events), "produce"); err != nil {
				return err
			}
			if engine == "spark" {
				config := spark.Config{Job: job, Dir: data, MaxAhead: flags.maxAhead, FromEarliest: from != "", ExitWhenDone: exitWhenDone}
				return p.processOnSpark(c.Context(), client, &topics, &cluster, config)
			}
			config := flags.config(job, data)
			config.FromEarliest, config.ExitWhenDone = from != "", exitWhenDone
			e, err := p.openEngine(c.Context(), client, &topics, config)
			if err != nil {
				return err
			}
			defer e.close()
			return p.runLine(c.Context(), exitWhenDone, e.station())
		},
	}
	topics.bind(c)
	flags.bind(c)
	c.Flags().Var(&engine, "engine", "what computes: native or spark")
	cluster.bind(c)
	c.Flags().Var(&from, "from", "forget the state, and compute from the log's start")
	c.Flags().StringVar(&data, "data", defaultData, "data `directory`; the engine's state is in its folder native, the ids of Spark's queries in spark")
	c.Flags().BoolVar(&exitWhenDone, "exit-when-done", false, "exit at the end offsets found at the start")
	return c
}

// engine is the native engine with its ways in and out.
type engine struct {
	*native.Engine
	results, deadLetters liushui.Writer
}

// openEngine makes the topics that it writes, and the engine; c lacks what Kafka gives.
func (p *program) openEngine(ctx context.Context, client *kafka.Client, f *topicFlags, c native.Config) (_ *engine, err error) {
	if err := makeOutputs(ctx, client, f); err != nil {
		return nil, err
	}
	e := &engine{}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if e.results, err = client.Writer(ctx, string(f.results)); err != nil {
		return nil, err
	}
	if e.deadLetters, err = client.Writer(ctx, f.deadLetters()); err != nil {
		return nil, err
	}
	c.Topic, c.Results, c.DeadLetters, c.Log, c.Retries = string(f.events), e.results, e.deadLetters, p.log, client.Retries
	c.Events = func(ctx context.Context, offsets map[int32]int64, topicID string) (liushui.Reader, error) {
		return client.Reader(ctx, string(f.events), kafka.From{Offsets: offsets, TopicID: topicID})
	}
	c.ResultsLog = resultsLog(client, f)
	e.Engine, err = native.New(c)
	return e, err
}

// makeOutputs makes the topics that every engine writes where they are missing.
func makeOutputs(ctx context.Context, client *kafka.Client, f *topicFlags) error {
	for _, t := range []kafka.Topic{{Name: string(f.results), Partitions: 1, Results: true}, {Name: f.deadLetters(), Partitions: 1}} {
		if _, err := client.EnsureTopic(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// resultsLog opens the topic of results at its start for an engine's own questions.
func resultsLog(client *kafka.Client, f *topicFlags) func(ctx context.Context, topicID string) (liushui.Reader, error) {
	return func(ctx context.Context, topicID string) (liushui.Reader, error) {
		return client.Reader(ctx, string(f.results), kafka.From{TopicID: topicID})
	}
}

func (e *engine) close() {
	for _, w := range []liushui.Writer{e.results, e.deadLetters} {
		if w != nil {
			w.Close()
		}
	}
}

func (e *engine) station() station { return station{name: "process", run: e.Run} }

// stationUntil is drained at the end of a finished input.
func (e *engine) stationUntil(ended func() map[int32]int64) station {
	s := e.station()
	s.drained = func(ctx context.Context) error { return e.reached(ctx, ended()) }
	return s
}

// reached waits until the engine stands at the given end of the events.
func (e *engine) reached(ctx context.Context, ends map[int32]int64) error {
	for !standsAt(e.Progress(), ends) {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func standsAt(progress liushui.Progress, ends map[int32]int64) bool {
	at := map[int32]int64{}
	for _, part := range progress.Partitions {
		at[part.Partition] = part.Offset
	}
	for partition, end := range ends {
		if at[partition] < end {
			return false
		}
	}
	return true
}

// engineFlag chooses an engine.
type engineFlag string

func (f *engineFlag) Type() string   { return "engine" }
func (f *engineFlag) String() string { return string(*f) }

func (f *engineFlag) Set(s string) error {
	if s != "native" && s != "spark" {
		return errors.New("want native or spark")
	}
	*f = engineFlag(s)
	return nil
}

// fromFlag is earliest, or nothing.
type fromFlag string

func (f *fromFlag) Type() string   { return "earliest" }
func (f *fromFlag) String() string { return string(*f) }

func (f *fromFlag) Set(s string) error {
	if s != "earliest" {
		return errors.New("want earliest, or leave it out to go on where it stopped")
	}
	*f = fromFlag(s)
	return nil
}
