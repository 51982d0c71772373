package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
	"liushui/reconcile"
	"liushui/store"
)

// reconcileSpec is what is compared, and what is done about it.
type reconcileSpec struct {
	topics            topicFlags
	statistic, window string
	from, to          string
	repair, withLate  bool
	maxAhead          time.Duration
	keep              keepFlag
}

func (p *program) reconcileCommand() *cobra.Command {
	var spec reconcileSpec
	var database databaseFlags
	var data string
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "Compute the log once more by plainer code, and compare",
		Long: `Compute the log of events once more, by plainer code that shares nothing with the
engine, and compare with the topic of results and, where one is named, with the
database. Every difference is printed; where there are any, it exits with 1.

While the engine runs, only windows are compared that can no longer change: those
that end before its watermark less the job's corrections. Records that the engine
parked as late are summed up, and are no difference. Times of --from and --to are in
the job's zone unless they name one; --to is exclusive.

Events wait on disk, about 100 bytes each, in the directory for temporary files (TMPDIR);
in memory it keeps about 25 bytes an id.

With --repair the recomputed figures of such windows are sent to the topic of results,
above those that are held; store and wall take them from there.`,
		Example: `  liushui reconcile --data liushui-data/line
  liushui reconcile --from 2020-02-25 --to 2020-02-26 --database mysql://shop@db:3306/liushui
  liushui reconcile --statistic sales --window 1d
  liushui reconcile --from 2020-02-25 --repair --with-late`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := spec.topics.check(); err != nil {
				return err
			}
			if spec.maxAhead <= 0 {
				return misuse("--max-ahead %s: want a time such as 5m", spec.maxAhead)
			}
			var tables *store.Store
			if database.dsn != "" || data != "" {
				db, err := p.openToRead(c.Context(), &database, data)
				if err != nil {
					return err
				}
				defer db.Close()
				tables = db
			}
			config, err := p.kafkaConfig(&spec.topics, "liushui-reconcile")
			if err != nil {
				return err
			}
			client, err := kafka.Connect(c.Context(), config)
			if err != nil {
				return err
			}
			defer client.Close()
			return p.reconcile(c.Context(), client, tables, &spec)
		},
	}
	spec.bind(c)
	c.Flags().StringVar(&data, "data", "", "compare the tables of this data `directory`, too")
	database.bind(c, "compare the tables of this database, too: sqlite:PATH or mysql://user@host:3306/db `DSN`")
	return c
}

func (spec *reconcileSpec) bind(c *cobra.Command) {
	spec.topics.bind(c)
	f := c.Flags()
	f.StringVar(&spec.statistic, "statistic", "", "only this `statistic`")
	f.StringVar(&spec.window, "window", "", "only windows of this `size`, such as 1m or 1d")
	f.StringVar(&spec.from, "from", "", "first window's begin: a `time` such as 2020-02-01 or 2020-02-01T10:00")
	f.StringVar(&spec.to, "to", "", "only windows that begin before this `time`")
	f.BoolVar(&spec.repair, "repair", false, "put right what differs")
	f.BoolVar(&spec.withLate, "with-late", false, "count the records, too, that came too late")
	f.DurationVar(&spec.maxAhead, "max-ahead", reconcile.MaxAhead, "what the engine was told: `time` that an event may be ahead of its arrival")
	f.Var(&spec.keep, "keep", "what the store was told: rows of a window size that are dropped at an age, such as 1s=7d, are not compared; may be repeated")
}

// errDiffers is the end of a comparison that found something.
var errDiffers = errors.New("what is held differs from the log")

func (p *program) reconcile(ctx context.Context, client *kafka.Client, tables *store.Store, spec *reconcileSpec) error {
	at, err := p.findMoment(ctx, client, string(spec.topics.results))
	if err != nil {
		return err
	}
	scope, err := spec.scope(at.job)
	if err != nil {
		return err
	}
	r := &reconciling{program: p, client: client, spec: spec, moment: at, scope: scope}
	if r.late, err = r.lateRecords(ctx); err != nil {
		return err
	}
	r.computation = reconcile.New(reconcile.Config{Job: at.job, Scope: scope, MaxAhead: spec.maxAhead, Late: r.late, WithLate: spec.withLate, Dir: os.TempDir()})
	defer r.computation.Close()
	if err := r.takeEvents(ctx); err != nil {
		return err
	}
	if err := r.holdResults(ctx, tables); err != nil {
		return err
	}
	return r.compare(ctx)
}

// scope checks what is asked for against the job.
func (spec *reconcileSpec) scope(job *liushui.Job) (reconcile.Scope, error) {
	scope := reconcile.Scope{Statistic: spec.statistic, Window: spec.window}
	statistics := job.Statistics
	if spec.statistic != "" {
		s := job.Statistic(spec.statistic)
		if s == nil {
			return scope, misuse("--statistic %s: the job %s has %s", spec.statistic, job.Name, names(job.Statistics, func(s *liushui.Statistic) string { return s.Name }))
		}
		statistics = []*liushui.Statistic{s}
	}
	if spec.window != "" {
		found := false
		for _, s := range statistics {
			_, has := s.Window(spec.window)
			found = found || has
		}
		if !found {
			return scope, misuse("--window %s: no such windows are computed; see `liushui check` and the job", spec.window)
		}
	}
	var err error
	if scope.From, err = parseTime("--from", spec.from, job.Zone); err != nil {
		return scope, err
	}
	if scope.To, err = parseTime("--to", spec.to, job.Zone); err != nil {
		return scope, err
	}
	if scope.From != 0 && scope.To != 0 && scope.To <= scope.From {
		return scope, misuse("--to %s is not after --from %s", spec.to, spec.from)
	}
	return scope, nil
}

// reconciling is one comparison.
type reconciling struct {
	*program
	*moment
	client      *kafka.Client
	spec        *reconcileSpec
	scope       reconcile.Scope
	late        map[reconcile.Place]bool
	computation *reconcile.Computation

	lettersLost  bool  // the topic of dead letters has lost its start
	completeFrom int64 // windows that begin earlier are not in the log; 0: all are
	oldest       int64 // event times that were read
	newest       int64
}

// lateRecords are those that a dead letter of the engine and generation calls late.
func (r *reconciling) lateRecords(ctx context.Context) (map[reconcile.Place]bool, error) {
	late, topic := map[reconcile.Place]bool{}, r.spec.topics.deadLetters()
	there, err := r.client.HasTopic(ctx, topic)
	if err != nil || !there {
		return late, err
	}
	ends, err := r.client.Ends(ctx, topic)
	if err != nil {
		return nil, err
	}
	for _, end := range ends {
		r.lettersLost = r.lettersLost || end.Start > 0
	}
	return late, r.scanLetters(ctx, r.client, topic, func(l *letter) error {
		if l.reason == reasonLate && l.engine == r.progress.Engine && l.generation == r.generation && l.topic == string(r.spec.topics.events) {
			late[l.of] = true
		}
		return nil
	})
}

// takeEvents reads the log as far as the engine had judged it.
func (r *reconciling) takeEvents(ctx context.Context) error {
	topic := string(r.spec.topics.events)
	id, err := r.client.TopicID(ctx, topic)
	if err != nil {
		return err
	}
	if id != r.progress.TopicID {
		return fmt.Errorf("topic %s was made again since the results were computed: %w", topic, liushui.ErrOtherTopic)
	}
	all, err := whole(ctx, r.client, topic)
	if err != nil {
		return err
	}
	judged, cut := map[int32]int64{}, false
	for _, part := range r.progress.Partitions {
		judged[part.Partition] = part.Offset
	}
	for partition, of := range all {
		all[partition] = stretch{of.start, max(of.start, min(of.end, judged[partition]))}
		cut = cut || of.start > 0
	}
	reading := r.newMeter("reading events", "records")
	defer reading.close()
	first := map[int32]int64{}
	err = scan(ctx, r.client, topic, all, reading, func(record *liushui.Record) error {
		_, e, err := r.computation.Take(record)
		if e == nil || err != nil {
			return err
		}
		if _, known := first[record.Partition]; !known {
			first[record.Partition] = e.Time
		}
		if r.oldest == 0 || e.Time < r.oldest {
			r.oldest = e.Time
		}
		r.newest = max(r.newest, e.Time)
		return nil
	})
	r.completeFrom = r.progress.CompleteFrom
	for _, at := range first {
		if cut {
			r.completeFrom = max(r.completeFrom, at+r.job.Corrections.Milliseconds()+1)
		}
	}
	return err
}
