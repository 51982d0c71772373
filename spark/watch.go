package spark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"liushui"
	pb "liushui/spark/proto"
)

// query is one of the two that a job runs.
type query struct {
	name, topic, mode string
	headers           bool
	rows              func(records *pb.Relation) *pb.Relation

	id    queryID
	heard string        // the newest batch that was taken
	wait  time.Duration // before the next start; it has failed
	next  time.Time
}

// persist tries until the server is there, says so once, and returns any error
// but that of its absence.
func (e *Engine) persist(ctx context.Context, try func() error) error {
	for said := false; ; {
		err := try()
		switch {
		case err == nil && said:
			e.c.Log.Info("Spark is there again", "spark", e.conn.address)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !away(err):
			return err
		}
		e.retries.Add(1)
		if !said {
			said = true
			e.c.Log.Warn("waiting for Spark: " + err.Error())
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// renew begins a session that the server does not know yet.
func (e *Engine) renew(ctx context.Context) error {
	e.session = e.conn.session(newIdentity(clientType))
	for _, q := range e.queries {
		q.id = queryID{}
	}
	return e.prepareSession(ctx)
}

func (e *Engine) prepareSession(ctx context.Context) error {
	all := settings()
	all["spark.sql.shuffle.partitions"] = strconv.Itoa(e.c.Partitions)
	if err := e.persist(ctx, func() error { return e.session.set(ctx, all) }); err != nil {
		return err
	}
	return e.keep()
}

// adopt goes on with the session of an earlier run, and with its queries where
// they are still the right ones.
func (e *Engine) adopt(ctx context.Context, id identity, queries map[string]queryID, same bool) error {
	e.session = e.conn.session(id)
	for _, q := range e.queries {
		old := queries[q.name]
		if old.ID == "" {
			continue
		}
		var found activeQuery
		err := e.persist(ctx, func() (err error) {
			found, _, err = e.session.find(ctx, old.ID)
			return err
		})
		switch {
		case err != nil && lost(err):
			return e.renew(ctx)
		case err != nil && !unknown(err):
			return err
		case err != nil || found.ID == "":
			continue
		case same:
			e.c.Log.Info("the query still runs", "query", q.name, "id", found.ID)
			q.id, e.kept.Queries[q.name] = found.queryID, found.queryID
		default:
			err := e.persist(ctx, func() error { return e.session.stop(ctx, found.queryID) })
			if err != nil && lost(err) {
				return e.renew(ctx)
			}
			if err != nil && !unknown(err) {
				return err
			}
		}
	}
	err := e.prepareSession(ctx)
	if err != nil && lost(err) {
		return e.renew(ctx)
	}
	return err
}

// watch keeps the queries running until ctx is done, or something must be mended.
func (e *Engine) watch(ctx context.Context) error {
	for ctx.Err() == nil {
		err := e.persist(ctx, func() error { return e.look(ctx) })
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
		case lost(err):
			e.c.Log.Warn("Spark has lost the session; the queries go on from their checkpoint", "reason", err)
			e.retries.Add(1)
			if err := e.renew(ctx); err != nil && ctx.Err() == nil && !lost(err) {
				return err
			}
			continue
		default:
			return err
		}
		if err := pause(ctx, lookEvery); err != nil {
			return nil
		}
	}
	return nil
}

// look sees after each query once.
func (e *Engine) look(ctx context.Context) error {
	for _, q := range e.queries {
		if q.id.ID == "" {
			if time.Now().Before(q.next) {
				continue
			}
			if err := e.begin(ctx, q); err != nil {
				return err
			}
			if q.id.ID == "" {
				continue // it did not start, and is tried again later
			}
		}
		status, err := e.session.status(ctx, q.id)
		if unknown(err) {
			q.id = queryID{}
			continue
		}
		if err != nil {
			return err
		}
		if err := e.hear(ctx, q); err != nil {
			return err
		}
		if status.Active {
			continue
		}
		failure, err := e.session.failure(ctx, q.id)
		if err != nil {
			return err
		}
		reason := "it was stopped by somebody else"
		if failure != nil {
			reason = failure.Error()
		}
		e.retry(q, reason)
	}
	return nil
}

// retry has a query started again after a while.
func (e *Engine) retry(q *query, reason string) {
	q.wait = min(max(2*q.wait, time.Second), backoffMax)
	q.id, q.next = queryID{}, time.Now().Add(q.wait)
	e.retries.Add(1)
	e.c.Log.Warn("a query of Spark has ended; it is started again from its checkpoint", "query", q.name, "after", q.wait, "reason", reason)
}

// begin starts a query.
func (e *Engine) begin(ctx context.Context, q *query) error {
	from, err := json.Marshal(map[string]map[int32]int64{e.c.Topic: e.kept.From})
	if err != nil {
		return fmt.Errorf("start the query %s: %w", q.name, err)
	}
	in := source{Brokers: e.c.Brokers, Topic: e.c.Topic, Starting: string(from), Options: e.c.Kafka}
	if len(e.kept.From) == 0 {
		in.Starting = ""
	}
	out := map[string]string{"kafka.bootstrap.servers": e.c.Brokers, "topic": q.topic, "checkpointLocation": e.directory(q)}
	if q.headers {
		out["includeHeaders"] = "true"
	}
	maps.Copy(out, e.c.Kafka)
	w := &pb.WriteStreamOperationStart{Input: q.rows(in.records()), Format: "kafka", OutputMode: q.mode, QueryName: "liushui-" + q.name + "-" + e.c.Topic, Options: out}
	if e.trigger == 0 {
		w.Trigger = &pb.WriteStreamOperationStart_RealTimeBatchDuration{RealTimeBatchDuration: "5 seconds"}
	} else {
		w.Trigger = &pb.WriteStreamOperationStart_ProcessingTimeInterval{ProcessingTimeInterval: fmt.Sprint(e.trigger.Milliseconds(), " milliseconds")}
	}
	id, err := e.session.start(ctx, w)
	if err != nil {
		return e.cannotStart(q, err)
	}
	q.id, e.kept.Queries[q.name] = id, id
	e.c.Log.Info("Spark runs the query", "query", q.name, "id", id.ID, "checkpoint", e.directory(q))
	return e.keep()
}

// noFolder is what Hadoop's file systems say of a folder that cannot be: it has
// no error class of its own.
var noFolder = regexp.MustCompile(`(?i)no filesystem for scheme|mkdir of |permission denied|urisyntaxexception`)

// cannotStart tells what a person must mend from what may mend itself.
func (e *Engine) cannotStart(q *query, err error) error {
	var said *sparkError
	if !errors.As(err, &said) || away(err) || lost(err) || errors.Is(err, liushui.ErrMisuse) {
		return err
	}
	switch {
	case strings.Contains(strings.ToLower(said.Message), "data source: kafka") || strings.Contains(said.Class, "DATA_SOURCE_NOT_FOUND"):
		return fmt.Errorf("the Spark at %s lacks its Kafka connector: put spark-sql-kafka-0-10 and what it needs into jars/ of every node, or start it with --packages: %w: %w", e.conn.address, err, liushui.ErrMisuse)
	case noFolder.MatchString(said.Message):
		return fmt.Errorf("--checkpoint %s: Spark cannot keep its checkpoint there: %w: %w", e.c.Checkpoint, err, liushui.ErrMisuse)
	}
	e.retry(q, err.Error())
	return nil
}

// hear takes what the query's newest batches say.
func (e *Engine) hear(ctx context.Context, q *query) error {
	texts, err := e.session.recent(ctx, q.id)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	texts = texts[slices.Index(texts, q.heard)+1:] // Spark tells its newest hundred each time
	for _, text := range texts {
		b, err := readBatch(text)
		if err != nil {
			return err
		}
		if q.name == "results" {
			e.ledger.take(&b, e.c.Job.Corrections)
		} else {
			maps.Copy(e.letters, b.offsets(ends))
		}
		q.heard = text
	}
	if len(texts) > 0 {
		q.wait = 0 // it works
	}
	return nil
}
