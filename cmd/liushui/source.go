package main

import (
	"context"
	"encoding/json"
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

// generator is the demo. It begins now, and a finite one at full speed ends about
// now; but it never begins before what the log holds already, of which the
// newest event has the time newest (0: none): it would come behind the watermark.
func (f *sourceFlags) generator(job *liushui.Job, newest int64) *source.Generator {
	now := time.Now().UnixMilli()
	c := source.GeneratorConfig{Seed: f.seed, Events: f.events, Rate: f.shopRate, Flat: f.shopRate > 0, RunStart: now, Begin: now,
		Lateness: job.Lateness, Corrections: job.Corrections}
	if f.pace == (source.Pace{}) {
		c.Begin -= int64(float64(f.events) / f.shopRate * 1000)
	}
	c.Begin = max(c.Begin, newest+1)
	return source.NewGenerator(c)
}

// newestTail is how many records at the end of each partition are looked at for
// the newest event. A few of them may be late ones.
const newestTail = 1000

// newestEvent is the newest event time at the end of the log, 0 where it is
// empty. Neither progress records nor resume points know it after a kill: both
// are behind what was sent.
func newestEvent(ctx context.Context, client *kafka.Client, topic string) (newest int64, err error) {
	ends, err := tail(ctx, client, topic, newestTail)
	if err != nil {
		return 0, err
	}
	err = scan(ctx, client, topic, ends, nil, func(r *liushui.Record) error {
		newest = max(newest, timeOf(r))
		return nil
	})
	return newest, err
}

// timeOf is the time of a record's event, 0 where there is none that can be
// read. A live one that is ahead of its record is bad.
func timeOf(r *liushui.Record) int64 {
	var e struct{ Time int64 }
	if json.Unmarshal(r.Value, &e) != nil || e.Time > liushui.MaxTime || r.Feed == liushui.FeedLive && e.Time > r.Time {
		return 0
	}
	return e.Time
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

// openSource reads the file; nil for the demo, which begins when the log is
// known. rejects is where bad rows go when no flag says.
func (p *program) openSource(ctx context.Context, flags *sourceFlags, rejects string) (source.Source, error) {
	if flags.csv == "" {
		return nil, nil
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
