package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
	"liushui/wall"
)

// parts are what `health` can ask after.
var parts = []string{"produce", "process", "store", "serve"}

func (p *program) healthCommand() *cobra.Command {
	var topics topicFlags
	within := 10 * time.Second
	at := addressFlag("127.0.0.1:8080")
	c := &cobra.Command{
		Use:   "health PART",
		Short: "Is a part of the line at work? For health checks of containers",
		Long: `Say whether a part of the line, produce, process, store or serve, is at work; exit
with 0 if it is and with 1 if not. The first two say every second in the topic of
results how they stand, and the store moves its place there: health listens for
that. Of serve it asks whether it is ready to show the wall.`,
		Example: `  liushui health process
  liushui health store --brokers kafka1:9092,kafka2:9092 --within 5s
  liushui health serve --listen 127.0.0.1:8080`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(parts, args[0]) {
				return misuse("`liushui health` wants one of %s", strings.Join(parts, ", "))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if within < time.Second {
				return misuse("--within %s: want 1s or more; a part tells how it stands every second", within)
			}
			ctx, cancel := context.WithTimeout(c.Context(), within)
			defer cancel()
			if err := p.health(ctx, args[0], &topics, string(at)); err != nil {
				return p.unwell(c.Context(), args[0], within, err)
			}
			_, err := fmt.Fprintln(p.stdout, args[0]+" is at work")
			return err
		},
	}
	topics.bind(c)
	c.Flags().Var(&at, "listen", "where the wall is, for serve")
	c.Flags().DurationVar(&within, "within", within, "`time` that the part has to show that it works")
	return c
}

// unwell tells a part that showed nothing from one that cannot be asked after.
func (p *program) unwell(ctx context.Context, part string, within time.Duration, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("%s showed nothing of its work for %s; its log says why", part, within)
	}
	return fmt.Errorf("ask after %s: %w", part, err)
}

func (p *program) health(ctx context.Context, part string, f *topicFlags, at string) error {
	if part == "serve" {
		return wall.Ready(ctx, at)
	}
	config, err := p.kafkaConfig(f, "liushui-health")
	if err != nil {
		return err
	}
	client, err := kafka.Connect(ctx, config)
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := client.Ends(ctx, string(f.results))
	if err != nil {
		return err
	}
	if part == "store" {
		return awaitStore(ctx, client, string(f.results), ends[0].End)
	}
	return awaitWord(ctx, client, string(f.results), ends[0].End, map[string]liushui.RecordKind{"produce": liushui.KindProduce, "process": liushui.KindProgress}[part])
}

// awaitWord waits for a record of a kind behind an offset.
func awaitWord(ctx context.Context, client *kafka.Client, topic string, behind int64, kind liushui.RecordKind) error {
	reader, err := client.Reader(ctx, topic, kafka.From{Offsets: map[int32]int64{0: behind}})
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		fetches, err := reader.Poll(ctx)
		if err != nil {
			return err
		}
		for _, f := range fetches {
			if slices.ContainsFunc(f.Records, func(r liushui.Record) bool { return liushui.KindOf(r.Key) == kind }) {
				return nil
			}
		}
	}
}

// awaitStore waits until the store's place moves, or is at the end of the results.
func awaitStore(ctx context.Context, client *kafka.Client, topic string, end int64) error {
	for first := int64(-1); ; {
		offsets, err := client.Committed(ctx, storeGroup, topic)
		if err != nil {
			return err
		}
		place, known := offsets[0]
		switch {
		case known && place >= end, known && first >= 0 && place != first:
			return nil
		case known:
			first = place
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}
