package spark

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"liushui"
)

// Config is what an engine works with. Zero values are the defaults named.
type Config struct {
	Job     *liushui.Job
	Address string // of the Spark Connect server: sc://host:15002
	Token   string // for it; none
	CAFile  string // PEM: who may sign the server's certificate; those that the system trusts
	// Checkpoint is a folder that all of the cluster reaches, in its own words.
	Checkpoint string
	Brokers    string            // Kafka as the cluster reaches it: host:port, several separated by commas
	Kafka      map[string]string // further options of Spark's Kafka source and sink, as in kafka.security.protocol
	Topic      string            // of the events; liushui.TopicEvents
	ResultsTo  string            // topic of the results; liushui.TopicResults
	LettersTo  string            // topic of the dead letters; liushui.TopicDeadLetters
	Partitions int               // that Spark parts the state into, for good; 8
	Trigger    string            // least time between the starts of two batches, or realtime; 1s
	Dir        string            // holds the ids of the queries in its folder spark. One engine at a time.
	MaxAhead   time.Duration     // an event further ahead of its record's Kafka time is bad; 5 min

	Results      liushui.Writer // for job and progress records
	ResultsLog   func(ctx context.Context, topicID string) (liushui.Reader, error)
	Ends         func(ctx context.Context) ([]liushui.PartitionEnd, error) // of the events
	TopicID      func(ctx context.Context) (string, error)                 // of the events
	FromEarliest bool                                                      // compute all anew from the log
	ExitWhenDone bool                                                      // end at the end offsets found at the start
	Retries      func() int64                                              // what did not work with Kafka and was tried again; none
	Log          *slog.Logger
}

// Engine has Spark compute one job. It implements liushui.Engine.
type Engine struct {
	c       Config
	trigger time.Duration // 0: real time
	topicID string

	generation, replaces int64
	before               liushui.Progress // the last that was sent in this generation before this run
	targets              map[int32]int64  // with ExitWhenDone
	plan                 *plan

	conn    *connection
	session *session
	kept    kept
	queries []*query
	retries atomic.Int64

	mu      sync.Mutex // of what follows
	ledger  ledger
	letters map[int32]int64 // where the letters' query stands

	sent     liushui.Progress // newest
	rateRead int64
	rateTime time.Time
}

// New checks the configuration; Run does the rest.
func New(c Config) (*Engine, error) {
	if c.Job == nil || c.Dir == "" || c.Results == nil || c.ResultsLog == nil || c.Ends == nil || c.TopicID == nil || c.Log == nil {
		return nil, errors.New("spark: the configuration lacks a job, a directory, a topic or a log")
	}
	if c.Checkpoint == "" {
		return nil, fmt.Errorf("--checkpoint: missing; want a folder that the whole cluster reaches, such as s3a://bucket/liushui or hdfs:///liushui: %w", liushui.ErrMisuse)
	}
	c.Topic, c.ResultsTo = or(c.Topic, liushui.TopicEvents), or(c.ResultsTo, liushui.TopicResults)
	c.LettersTo, c.Trigger = or(c.LettersTo, liushui.TopicDeadLetters), or(c.Trigger, "1s")
	if c.Partitions == 0 {
		c.Partitions = 8
	}
	e := &Engine{c: c, letters: map[int32]int64{}}
	if c.Trigger != "realtime" {
		var err error
		if e.trigger, err = time.ParseDuration(c.Trigger); err != nil || e.trigger < time.Millisecond || e.trigger > time.Hour {
			return nil, fmt.Errorf("--trigger %s: want 1ms to 1h, or realtime: %w", c.Trigger, liushui.ErrMisuse)
		}
	}
	if _, err := compile(c.Job, options{MaxAhead: c.MaxAhead}); err != nil {
		return nil, err
	}
	return e, nil
}

// How long things take at most, and how often they are done.
const (
	lookEvery  = time.Second      // at the queries, and at once a progress record
	jobEvery   = time.Minute      // a job record
	patience   = 5 * time.Second  // for an answer of Spark, before it counts as away
	stopWithin = 4 * time.Second  // a clean stop
	backoffMax = 30 * time.Second // between two starts of a query that fails
)

// Run has the queries run until ctx is done, or with ExitWhenDone until the end.
// Where ctx ended it, it stops them and returns nil.
func (e *Engine) Run(ctx context.Context) (err error) {
	if err := e.load(); err != nil {
		return err
	}
	e.conn, err = open(server{Address: e.c.Address, Token: e.c.Token, CAFile: e.c.CAFile, Log: e.c.Log, Patience: patience})
	if err != nil {
		return err
	}
	defer e.conn.Close()
	if err := e.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	watching, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		cancel(e.watch(watching))
	}()
	told := e.tell(watching)
	cancel(told)
	<-watched
	if told == nil {
		if cause := context.Cause(watching); cause != nil && !errors.Is(cause, context.Canceled) {
			told = cause
		}
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer done()
	err = e.stop(last)
	if told != nil && ctx.Err() == nil {
		return told
	}
	return err
}

// prepare finds out what to run, and where it stood.
func (e *Engine) prepare(ctx context.Context) error {
	var err error
	if e.topicID, err = e.c.TopicID(ctx); err != nil {
		return fmt.Errorf("ask for the events: %w", err)
	}
	e.session = e.conn.session(newIdentity(clientType))
	if err := e.persist(ctx, func() error {
		v, err := e.session.version(ctx)
		if err == nil && e.trigger == 0 {
			err = v.realtime()
		}
		return err
	}); err != nil {
		return err
	}
	if e.kept.TopicID != "" && e.kept.TopicID != e.topicID && !e.c.FromEarliest && e.kept.Job == e.c.Job.Hash() {
		return fmt.Errorf("topic %s was made again; what was computed is not in the new one: `liushui process --from earliest` computes all that this one holds, and its figures take the place of the old ones: %w", e.c.Topic, liushui.ErrOtherTopic)
	}
	if err := e.chooseGeneration(ctx); err != nil {
		return err
	}
	if e.plan, err = compile(e.c.Job, options{Generation: e.generation, MaxAhead: e.c.MaxAhead}); err != nil {
		return err
	}
	return e.resume(ctx)
}

// resume takes up what was kept, or begins at the log's start.
func (e *Engine) resume(ctx context.Context) error {
	ends, err := e.c.Ends(ctx)
	if err != nil {
		return fmt.Errorf("ask how far the events reach: %w", err)
	}
	from := map[int32]int64{}
	e.targets = map[int32]int64{}
	for _, end := range ends {
		from[end.Partition], e.targets[end.Partition] = end.Start, end.End
	}
	same := e.kept.Generation == e.generation && e.kept.Checkpoint == e.c.Checkpoint && e.kept.TopicID == e.topicID
	identity, queries, attempt, runs := e.kept.Identity, e.kept.Queries, e.kept.Attempt, e.kept.Plan
	if same && !e.c.FromEarliest && e.kept.From != nil {
		from = e.kept.From
	}
	if !same {
		attempt = 0
	}
	before := &e.before
	if e.before.Generation != e.generation {
		before = nil
	}
	if e.c.FromEarliest {
		attempt, before = time.Now().UnixMilli(), nil
	}
	for number := range from {
		e.letters[number] = from[number]
	}
	e.ledger.begin(maps.Clone(from), before)
	e.kept = kept{Generation: e.generation, Job: e.c.Job.Hash(), TopicID: e.topicID, Checkpoint: e.c.Checkpoint, Attempt: attempt, From: from,
		Queries: map[string]queryID{}, Plan: e.planHash()}
	e.queries = []*query{
		{name: "results", topic: e.c.ResultsTo, mode: "update", rows: e.plan.resultRows},
		{name: "letters", topic: e.c.LettersTo, mode: "append", rows: e.plan.letterRows, headers: true},
	}
	e.rateTime, e.rateRead = time.Now(), e.ledger.account.Read
	if identity.Session == "" {
		return e.renew(ctx)
	}
	return e.adopt(ctx, identity, queries, same && !e.c.FromEarliest && runs == e.kept.Plan)
}

// planHash names all that the queries are made of: one that was made of something
// else, as by another version of the program, is started again.
func (e *Engine) planHash() string {
	sum := sha256.Sum256(fmt.Append(nil, e.plan, e.c.Brokers, e.c.Kafka, e.c.Topic, e.c.ResultsTo, e.c.LettersTo, e.c.Partitions, e.trigger))
	return hex.EncodeToString(sum[:8])
}

// directory is a query's checkpoint: of this job, this generation and this
// attempt only, so that none takes another's state.
func (e *Engine) directory(q *query) string {
	generation := fmt.Sprint(e.generation)
	if e.kept.Attempt != 0 {
		generation += fmt.Sprint(".", e.kept.Attempt)
	}
	return strings.TrimRight(e.c.Checkpoint, "/") + "/" + e.c.Job.Hash() + "/" + generation + "/" + q.name
}

// Progress is the newest progress record that was sent.
func (e *Engine) Progress() liushui.Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sent
}
