package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"liushui/kafka"
)

// defaultData is where the separate programs keep what they need.
var defaultData = filepath.Join(dataRoot, "line")

func (p *program) brokerCommand() *cobra.Command {
	var topics topicFlags
	listen, retain := addressFlag("127.0.0.1:9092"), sizeFlag(1<<30)
	var data string
	var partitions int
	var forget []string
	c := &cobra.Command{
		Use:   "broker",
		Short: "Run the embedded Kafka broker alone",
		Long: `Run the embedded Kafka broker alone. It speaks Kafka's protocol to any client,
keeps its log on disk and syncs every batch.

The log waits for every group liushui-* that has committed a position. With --forget
the command drops such a group from the broker of --data, whether that runs or not,
and ends.`,
		Example: `  liushui broker
  liushui broker --listen 0.0.0.0:9092 --data /var/lib/liushui --retain 20GiB
  liushui broker --forget liushui-spark     # an engine that will not come back`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := topics.check(); err != nil {
				return err
			}
			if partitions < 1 || partitions > 1000 {
				return misuse("--partitions %d: want 1 to 1000", partitions)
			}
			config := topics.broker(p, filepath.Join(data, "broker"), string(listen), partitions, int64(retain))
			if len(forget) > 0 {
				return p.forgetGroups(c.Context(), config, forget)
			}
			return p.runBroker(c.Context(), config)
		},
	}
	topics.bindNames(c)
	c.Flags().Var(&listen, "listen", "where the broker is")
	c.Flags().StringVar(&data, "data", defaultData, "data `directory`; the log is in its folder broker")
	c.Flags().Var(&retain, "retain", "events to keep, and as much again of results and of dead letters")
	c.Flags().IntVar(&partitions, "partitions", 4, "`number` of partitions of topics that a client makes without saying how many")
	c.Flags().StringArrayVar(&forget, "forget", nil, "drop the position of this `group`, so that the log no longer waits for it, and end; may be repeated")
	return c
}

// broker is the embedded broker's configuration.
func (f *topicFlags) broker(p *program, dir, listen string, partitions int, retain int64) kafka.BrokerConfig {
	return kafka.BrokerConfig{Dir: dir, Listen: listen, Partitions: partitions, Retain: retain, Log: p.log,
		Events: string(f.events), Results: string(f.results), DeadLetters: f.deadLetters()}
}

// forgetGroups drops groups from the broker of the directory. Its own start and
// stop, where it did not run, are no news.
func (p *program) forgetGroups(ctx context.Context, config kafka.BrokerConfig, groups []string) error {
	config.Log = slog.New(slog.DiscardHandler)
	for _, group := range groups {
		address, err := kafka.Forget(ctx, config, group)
		if err != nil {
			return fmt.Errorf("--forget %s: %w", group, err)
		}
		broker := "the broker at " + address
		if address == "" {
			broker = "the broker in " + config.Dir + ", which does not run"
		}
		fmt.Fprintf(p.stdout, "forgot %s: %s no longer waits for it; a program that still commits as this group brings it back\n", group, broker)
	}
	return nil
}

func (p *program) runBroker(ctx context.Context, config kafka.BrokerConfig) error {
	broker, err := kafka.StartBroker(ctx, config)
	if err != nil {
		return err
	}
	defer broker.Close()
	fmt.Fprintln(p.stdout, "the broker is at", broker.Addr())
	return p.runLine(ctx, false, station{name: "broker", run: broker.Run})
}
