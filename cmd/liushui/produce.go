package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
	"liushui/source"
)

// sourceFlags say what is sent, and how fast.
type sourceFlags struct {
	csv         string
	mapping     nameFlag
	demo        bool
	speed, rate string
	asIfNow     bool
	loop        bool
	maxBad      percentFlag
	rejects     string
	seed        uint64
	events      int64
	partitions  int

	pace     source.Pace
	shopRate float64 // of the demo, events a second; 0: the generator's own
	maps     *source.Mapping
}

func (f *sourceFlags) bind(c *cobra.Command) {
	f.maxBad = source.DefaultMaxBad
	flags := c.Flags()
	flags.StringVar(&f.csv, "csv", "", "replay this CSV `file`")
	flags.Var(&f.mapping, "mapping", "how its rows become events: a built-in mapping, or a file")
	flags.BoolVar(&f.demo, "demo", false, "send a generated day, without end")
	flags.StringVar(&f.speed, "speed", "", "how many `times` real, such as 60, or max (default: 1)")
	flags.StringVar(&f.rate, "rate", "", "a steady rate instead, such as `500/s`; of the demo: how busy its shop is")
	flags.BoolVar(&f.asIfNow, "as-if-now", false, "an event's time is the moment it is sent")
	flags.BoolVar(&f.loop, "loop", false, "begin the file anew at its end, at later times")
	flags.Var(&f.maxBad, "max-bad", "share of bad rows that is borne")
	flags.StringVar(&f.rejects, "rejects", "", "`file` for the bad rows (default: rejects-FILE.csv in --data)")
	flags.Uint64Var(&f.seed, "seed", 0, "another demo for each `number`")
	flags.Int64Var(&f.events, "events", 0, "end the demo after this `number` of events (default: never)")
	flags.IntVar(&f.partitions, "partitions", 4, "`number` of partitions of the topic of events, where it is made")
}

// check settles mapping and pace; demoByDefault where naming nothing means the demo.
func (f *sourceFlags) check(demoByDefault bool) (err error) {
	switch {
	case f.csv != "" && f.demo:
		return misuse("--csv and --demo: want one of them")
	case f.csv == "" && f.mapping != "":
		return misuse("--mapping %s goes with --csv and a file", f.mapping)
	case f.csv == "" && !f.demo && !demoByDefault:
		return misuse("what is to be sent? Name a file with --csv and --mapping, or send --demo")
	case f.csv != "" && f.mapping == "":
		return misuse("--csv %s needs --mapping: a file, or one of %s", f.csv, names(source.BuiltinMappings(), func(s string) string { return s }))
	case f.csv == "" && (f.asIfNow || f.loop || f.rejects != ""):
		return misuse("--as-if-now, --loop and --rejects go with --csv")
	case f.csv != "" && (f.events != 0 || f.seed != 0):
		return misuse("--events and --seed go with the demo, not with --csv")
	case f.events < 0:
		return misuse("--events %d: want a number above 0", f.events)
	case f.partitions < 1 || f.partitions > 1000:
		return misuse("--partitions %d: want 1 to 1000", f.partitions)
	}
	if f.csv == "" {
		return f.checkDemo()
	}
	if f.pace, err = source.ParsePace(f.speed, f.rate); err != nil {
		return err
	}
	f.maps, err = source.LoadMapping(string(f.mapping))
	return err
}

// checkDemo takes a rate as how busy the shop is, so that its clock stays as told by --speed.
func (f *sourceFlags) checkDemo() error {
	rate, err := source.ParsePace("", f.rate)
	if err != nil {
		return err
	}
	f.shopRate = rate.Rate
	f.pace, err = source.ParsePace(f.speed, "")
	if f.pace == (source.Pace{}) && f.shopRate == 0 {
		f.shopRate = denseRate
	}
	return err
}

// denseRate is how busy the demo's shop is at --speed max: as fast as can be, a
// quiet shop's time would fly.
const denseRate = 2000

// generator is the demo. A finite one at full speed ends about now, so that the
// next run does not begin behind its watermark.
func (f *sourceFlags) generator() *source.Generator {
	now := time.Now().UnixMilli()
	c := source.GeneratorConfig{Seed: f.seed, Events: f.events, Rate: f.shopRate, Flat: f.shopRate > 0, RunStart: now, Begin: now}
	if f.pace == (source.Pace{}) {
		c.Begin -= int64(float64(f.events) / f.shopRate * 1000)
	}
	return source.NewGenerator(c)
}

// endless reports whether the source has no end.
func (f *sourceFlags) endless() bool { return f.csv == "" && f.events == 0 || f.loop }

func (f *sourceFlags) replay(p *program) source.ReplayConfig {
	c := source.ReplayConfig{File: f.csv, Mapping: f.maps, RejectsFile: f.rejects, MaxBad: float64(f.maxBad),
		Loop: f.loop, AsIfNow: f.asIfNow, RunStart: time.Now().UnixMilli(), Log: p.log}
	if c.MaxBad == 0 {
		c.MaxBad = -1
	}
	return c
}

// feed names what is sent.
func (f *sourceFlags) feed(ctx context.Context, p *program) (feed, error) {
	if f.csv == "" {
		return demoFeed, nil
	}
	return fileFeed(ctx, f.replay(p))
}

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
			pr, err := p.openProducer(c.Context(), client, &topics, flags.partitions, source.ProduceConfig{
				Source: events, Pace: flags.pace, Corrections: j.Corrections, ResumeFile: filepath.Join(dir, "resume-"+f.file()+".json")})
			if err != nil {
				return err
			}
			defer pr.close()
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
	ends    map[int32]int64 // when finished: the end offsets of the events
}

// openProducer makes the topics that it writes where they are missing; c lacks what Kafka gives.
func (p *program) openProducer(ctx context.Context, client *kafka.Client, topics *topicFlags, partitions int, c source.ProduceConfig) (_ *producer, err error) {
	for _, t := range []kafka.Topic{{Name: string(topics.events), Partitions: partitions}, {Name: string(topics.results), Results: true}} {
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
	c.Writer, c.Log = pr.events, p.log
	pr.Producer, err = source.NewProducer(c)
	return pr, err
}

// openSource reads the file, or begins a demo. rejects is where bad rows go when no flag says.
func (p *program) openSource(ctx context.Context, flags *sourceFlags, rejects string) (source.Source, error) {
	if flags.csv == "" {
		return flags.generator(), nil
	}
	c := flags.replay(p)
	if c.RejectsFile == "" {
		c.RejectsFile = rejects
	}
	reading := p.newMeter("reading "+flags.csv, "bytes")
	defer reading.close()
	c.Progress = reading.set
	r, err := source.OpenReplay(ctx, c)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// closeSource closes the file that a replay reads.
func closeSource(s source.Source) {
	if file, ok := s.(*source.Replay); ok {
		file.Close()
	}
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
		return err
	}
	return pr.tellEnd(ctx)
}

func (pr *producer) tellEverySecond(ctx context.Context) {
	shown := pr.newMeter("sending", "events")
	defer shown.close()
	for {
		// A record that cannot be sent now is made good by the next one; a lasting
		// fault stops the events' writer, too.
		_ = pr.tell(ctx, pr.Status())
		for range 5 {
			shown.set(pr.Done())
			if sleep(ctx, time.Second/5) != nil {
				shown.set(pr.Done())
				return
			}
		}
	}
}

func (pr *producer) tell(ctx context.Context, status liushui.Produce) error {
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
	if err := pr.tell(ctx, status); err != nil {
		return fmt.Errorf("say that the input has ended: %w", err)
	}
	if err := pr.results.Flush(ctx); err != nil {
		return fmt.Errorf("say that the input has ended: %w", err)
	}
	pr.ends = offsets
	pr.log.Info("all is sent", "events", status.Sent)
	return nil
}

// jobTail is how many of the newest results are searched for the job record,
// which comes every minute.
const jobTail = 200_000

// newestJob is the job that the results name, or nil where none is found.
func (p *program) newestJob(ctx context.Context, client *kafka.Client, topic string) *liushui.Job {
	ends, err := client.Ends(ctx, topic)
	if err != nil || len(ends) != 1 || ends[0].Start == ends[0].End {
		return nil
	}
	from := max(ends[0].Start, ends[0].End-jobTail)
	reader, err := client.Reader(ctx, topic, kafka.From{Offsets: map[int32]int64{0: from}})
	if err != nil {
		return nil
	}
	defer reader.Close()
	var standing liushui.Standing
	for next := from; next < ends[0].End; {
		fetches, err := reader.Poll(ctx)
		if err != nil {
			return nil
		}
		for _, f := range fetches {
			for i := range f.Records {
				next = f.Records[i].Offset + 1
				if liushui.KindOf(f.Records[i].Key) == liushui.KindJob && standing.Observe(liushui.KindJob, f.Records[i].Value) != nil {
					return nil
				}
			}
		}
	}
	_, job := standing.Current()
	return job
}
