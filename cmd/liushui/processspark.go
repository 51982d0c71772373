package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
	"liushui/spark"
)

// sparkFlags say where Spark is, and how it reaches what it needs.
type sparkFlags struct {
	address, tokenFile, caFile string
	checkpoint, trigger        string
	brokers                    brokersFlag
	partitions                 int
}

func (f *sparkFlags) bind(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.address, "spark", "", "with --engine spark: `address` of the Spark Connect server, sc://host:15002")
	flags.StringVar(&f.tokenFile, "spark-token-file", "", "`file` with the token that the server wants; LIUSHUI_SPARK_TOKEN holds it directly")
	flags.StringVar(&f.caFile, "spark-tls-ca", "", "speak TLS with Spark, and trust the authorities in this PEM `file` only")
	flags.StringVar(&f.checkpoint, "checkpoint", "", "`folder` for Spark's checkpoints that the whole cluster reaches, such as s3a://bucket/liushui")
	flags.Var(&f.brokers, "spark-brokers", "where Kafka is as the cluster sees it, when that is not --brokers")
	flags.StringVar(&f.trigger, "trigger", "1s", "least `time` between two batches of Spark, or realtime (Spark 4.3 or later)")
	flags.IntVar(&f.partitions, "spark-partitions", 8, "`number` of parts of Spark's state, about as many as the cluster has cores; a checkpoint keeps it")
}

// check sees that what belongs to Spark is there, or not there.
func (f *sparkFlags) check(c *cobra.Command, engine engineFlag) error {
	own := []string{"spark", "spark-token-file", "spark-tls-ca", "checkpoint", "spark-brokers", "trigger", "spark-partitions"}
	others := []string{"every", "checkpoint-every"}
	if engine != "spark" {
		for _, name := range own {
			if c.Flags().Changed(name) {
				return misuse("--%s is for --engine spark", name)
			}
		}
		return nil
	}
	for _, name := range others {
		if c.Flags().Changed(name) {
			return misuse("--%s is for the native engine; --trigger says how often Spark works", name)
		}
	}
	switch {
	case f.address == "":
		return misuse("--engine spark wants --spark sc://HOST:15002, the address of a Spark Connect server")
	case f.checkpoint == "":
		return misuse("--engine spark wants --checkpoint FOLDER, one that the whole cluster reaches, such as s3a://bucket/liushui")
	case f.partitions < 1 || f.partitions > 10_000:
		return misuse("--spark-partitions %d: want 1 to 10000", f.partitions)
	}
	return nil
}

// processOnSpark has Spark compute; c lacks what flags and Kafka give.
func (p *program) processOnSpark(ctx context.Context, client *kafka.Client, f *topicFlags, s *sparkFlags, c spark.Config) (err error) {
	lock, err := lockFolder(filepath.Join(c.Dir, "spark"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := makeOutputs(ctx, client, f); err != nil {
		return err
	}
	results, err := client.Writer(ctx, string(f.results))
	if err != nil {
		return err
	}
	defer results.Close()
	if c.Token, err = p.password("spark-token", s.tokenFile); err != nil {
		return err
	}
	if c.Kafka, err = p.kafkaOptions(&f.security); err != nil {
		return err
	}
	c.Address, c.CAFile, c.Checkpoint, c.Trigger, c.Partitions = s.address, s.caFile, s.checkpoint, s.trigger, s.partitions
	c.Brokers = f.brokers.String()
	if len(s.brokers) > 0 {
		c.Brokers = s.brokers.String()
	}
	c.Topic, c.ResultsTo, c.LettersTo = string(f.events), string(f.results), f.deadLetters()
	c.Results, c.Retries, c.Log = results, client.Retries, p.log
	c.Ends = func(ctx context.Context) ([]liushui.PartitionEnd, error) { return client.Ends(ctx, string(f.events)) }
	c.TopicID = func(ctx context.Context) (string, error) { return client.TopicID(ctx, string(f.events)) }
	c.ResultsLog = resultsLog(client, f)
	e, err := spark.New(c)
	if err != nil {
		return err
	}
	return p.runLine(ctx, c.ExitWhenDone, station{name: "process", run: e.Run})
}
