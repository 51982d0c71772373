package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
	"liushui/source"
)

func (p *program) produceCommand() *cobra.Command {
	var topics topicFlags
	var flags sourceFlags
	job := nameFlag(liushui.DefaultJob)
	var data string
	c := &cobra.Command{
		Use:   "produce",
		Short: "Send events: CSV or generator → category",
		Long: `Send events to the topic of events: those that a mapping makes of a CSV file, in the
order of their times, or a generated day. A replay that was stopped goes on where it was.`,
		Example: `  liushui produce --demo
  liushui produce --csv tmall_orders_202002.csv --mapping tmall-orders --speed 3600
  liushui produce --csv orders.csv --mapping my.yaml --rate 500/s --as-if-now --loop`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := flags.check(false); err != nil {
				return err
			}
			j, err := loadJob("--job ", job)
			if err != nil {
				return err
			}
			f, err := flags.feed(c.Context(), p)
			if err != nil {
				return err
			}
			dir := filepath.Join(data, "produce")
			events, err := p.openSource(c.Context(), &flags, filepath.Join(dir, "rejects-"+f.file()+".csv"))
			if err != nil {
				return err
			}
			defer closeSource(events)
			client, err := p.connect(c.Context(), &topics, "liushui-produce")
			if err != nil {
				return err
			}
			defer client.Close()
			if newest := p.newestJob(c.Context(), client, string(topics.results)); newest != nil {
				j = newest
			}
			pr, err := p.openProducer(c.Context(), client, &topics, &flags, j, source.ProduceConfig{
				Source: events, ResumeFile: filepath.Join(dir, "resume-"+f.file()+".json")})
			if err != nil {
				return err
			}
			defer pr.close()
			pr.retries = client.Retries
			return p.runLine(c.Context(), true, pr.station())
		},
	}
	topics.bind(c)
	flags.bind(c)
	c.Flags().Var(&job, "job", "whose corrections bound how far is sent ahead, until the results name a job")
	c.Flags().StringVar(&data, "data", defaultData, "data `directory`; resume points and rejects are in its folder produce")
	return c
}

// producer sends events and says so in the topic of results.
type producer struct {
	*program
	*source.Producer
	client  *kafka.Client
	topics  *topicFlags
	events  liushui.Writer
	results liushui.Writer
	retries func() int64    // nil: the engine tells those of the same client
	ends    map[int32]int64 // when finished: the end offsets of the events
}

// openProducer makes the topics that it writes where they are missing. c lacks
// what flags, job and Kafka give; without a source it is the demo.
func (p *program) openProducer(ctx context.Context, client *kafka.Client, topics *topicFlags, flags *sourceFlags, job *liushui.Job, c source.ProduceConfig) (_ *producer, err error) {
	for _, t := range []kafka.Topic{{Name: string(topics.events), Partitions: flags.partitions}, {Name: string(topics.results), Results: true}} {
		if _, err := client.EnsureTopic(ctx, t); err != nil {
			return nil, err
		}
	}
	pr := &producer{program: p, client: client, topics: topics}
	defer func() {
		if err != nil {
			pr.close()
		}
	}()
	if pr.events, err = client.Writer(ctx, string(topics.events)); err != nil {
		return nil, err
	}
	if pr.results, err = client.Writer(ctx, string(topics.results)); err != nil {
		return nil, err
	}
	if c.TopicID, err = client.TopicID(ctx, string(topics.events)); err != nil {
		return nil, err
	}
	if c.Source == nil {
		newest, err := newestEvent(ctx, client, string(topics.events))
		if err != nil {
			return nil, fmt.Errorf("look for the newest event: %w", err)
		}
		c.Source = flags.generator(job, newest)
	}
	c.Writer, c.Log, c.Pace, c.Corrections = pr.events, p.log, flags.pace, job.Corrections
	pr.Producer, err = source.NewProducer(c)
	return pr, err
}

func (pr *producer) close() {
	for _, w := range []liushui.Writer{pr.events, pr.results} {
		if w != nil {
			w.Close()
		}
	}
}

func (pr *producer) station() station { return station{name: "produce", run: pr.run} }

// ended is where the events end, once all are sent; before that nothing.
func (pr *producer) ended() map[int32]int64 { return pr.ends }

// run sends, and says every second how it stands, at last that the input has ended.
func (pr *producer) run(ctx context.Context) error {
	sending, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		pr.tellEverySecond(sending)
	}()
	err := pr.Producer.Run(ctx)
	stop()
	<-told
	if err != nil {
		return withInputMend(err)
	}
	return pr.tellEnd(ctx)
}

// withInputMend says how sending goes on after the topic of events has lost what
// was sent.
func withInputMend(err error) error {
	switch {
	case errors.Is(err, liushui.ErrOtherTopic):
		return fmt.Errorf("%w; start produce again: it sends its input from the beginning, to a topic that it makes where there is none", err)
	case errors.Is(err, liushui.ErrGone):
		return fmt.Errorf("%w; start produce again: it goes on behind them and does not send them once more", err)
	}
	return err
}

func (pr *producer) tellEverySecond(ctx context.Context) {
	shown := pr.newMeter("sending", "events")
	defer shown.close()
	for {
		// A record that cannot be sent now is made good by the next one; a lasting
		// fault stops the events' writer, too, but for a lost topic.
		if err := pr.tell(ctx, pr.Status()); resultsLost(err) {
			pr.tellAnew(ctx, err)
		}
		for range 5 {
			shown.set(pr.Done())
			if sleep(ctx, time.Second/5) != nil {
				shown.set(pr.Done())
				return
			}
		}
	}
}

// resultsLost reports whether the topic of results was made again or has gone
// back: a new writer goes on, and the engine computes anew what is lost.
func resultsLost(err error) bool {
	return errors.Is(err, liushui.ErrOtherTopic) || errors.Is(err, liushui.ErrGone)
}

// tellAnew goes on with a topic of results that has lost some or all; where it is not
// there yet, the next second looks again.
func (pr *producer) tellAnew(ctx context.Context, lost error) {
	topic := string(pr.topics.results)
	if there, err := pr.client.HasTopic(ctx, topic); err != nil || !there {
		return
	}
	w, err := pr.client.Writer(ctx, topic)
	if err != nil {
		return
	}
	pr.results.Close()
	pr.results = w
	pr.log.Warn("results were lost; events are still sent, and how far is said in the topic that is there", "error", lost)
}

func (pr *producer) tell(ctx context.Context, status liushui.Produce) error {
	if pr.retries != nil {
		status.Retries = pr.retries()
	}
	value, err := json.Marshal(status)
	if err != nil {
		return err
	}
	return pr.results.Write(ctx, []liushui.Record{{Key: []byte(liushui.KeyProduce), Value: value}}, nil)
}

// tellEnd says where the events end. It is produce's last record.
func (pr *producer) tellEnd(ctx context.Context) error {
	ends, err := pr.client.Ends(ctx, string(pr.topics.events))
	if err != nil {
		return fmt.Errorf("say that the input has ended: %w", err)
	}
	status := pr.Status()
	status.Due, status.Waiting, status.Ended = 0, "", map[string]int64{}
	offsets := map[int32]int64{}
	for _, end := range ends {
		status.Ended[strconv.Itoa(int(end.Partition))] = end.End
		offsets[end.Partition] = end.End
	}
	if err := pr.tellForGood(ctx, status); err != nil {
		return fmt.Errorf("say that the input has ended: %w", err)
	}
	pr.ends = offsets
	pr.log.Info("all is sent", "events", status.Sent)
	return nil
}

// tellForGood waits until it is said, if need be in a topic of results that has
// lost some or all.
func (pr *producer) tellForGood(ctx context.Context, status liushui.Produce) error {
	err := pr.tell(ctx, status)
	if err == nil {
		err = pr.results.Flush(ctx)
	}
	if !resultsLost(err) {
		return err
	}
	if _, err := pr.client.EnsureTopic(ctx, kafka.Topic{Name: string(pr.topics.results), Results: true}); err != nil {
		return err
	}
	pr.tellAnew(ctx, err)
	if err := pr.tell(ctx, status); err != nil {
		return err
	}
	return pr.results.Flush(ctx)
}

// jobTail is how many of the newest results are searched for the job record,
// which comes every minute.
const jobTail = 200_000

// newestJob is the job that the results name, or nil where none is found.
func (p *program) newestJob(ctx context.Context, client *kafka.Client, topic string) *liushui.Job {
	standing, err := newestStanding(ctx, client, topic)
	if err != nil {
		return nil
	}
	_, job := standing.Current()
	return job
}

// newestStanding is what the newest job and progress records say.
func newestStanding(ctx context.Context, client *kafka.Client, topic string) (*liushui.Standing, error) {
	ends, err := tail(ctx, client, topic, jobTail)
	if err != nil {
		return nil, err
	}
	standing := &liushui.Standing{}
	err = scan(ctx, client, topic, ends, nil, func(r *liushui.Record) error {
		if kind := liushui.KindOf(r.Key); kind != liushui.KindResult {
			return standing.Observe(kind, r.Value)
		}
		return nil
	})
	return standing, err
}
