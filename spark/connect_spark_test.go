package spark

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liushui"
	"liushui/dev"
	pb "liushui/spark/proto"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// connected is a session of its own on a server.
func connected(t *testing.T, s server) *session {
	t.Helper()
	s.Log = silent
	c, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.session(newIdentity("test"))
}

// rate is a stream of so many rows a second.
func rate(rows int) *pb.Relation {
	return &pb.Relation{RelType: &pb.Relation_Read{Read: &pb.Read{IsStreaming: true, ReadType: &pb.Read_DataSource_{
		DataSource: &pb.Read_DataSource{Format: str("rate"), Options: map[string]string{"rowsPerSecond": fmt.Sprint(rows)}}}}}}
}

// sql is text over a relation named events.
func sql(text string, events *pb.Relation) *pb.Relation {
	return &pb.Relation{RelType: &pb.Relation_WithRelations{WithRelations: &pb.WithRelations{
		Root:       &pb.Relation{RelType: &pb.Relation_Sql{Sql: &pb.SQL{Query: text}}},
		References: []*pb.Relation{{RelType: &pb.Relation_SubqueryAlias{SubqueryAlias: &pb.SubqueryAlias{Input: events, Alias: "events"}}}}}}}
}

// into writes a stream nowhere.
func into(t *testing.T, name string, input *pb.Relation) *pb.WriteStreamOperationStart {
	return &pb.WriteStreamOperationStart{Input: input, Format: "noop", OutputMode: "append", QueryName: name,
		Options: map[string]string{"checkpointLocation": filepath.Join(t.TempDir(), "checkpoint")},
		Trigger: &pb.WriteStreamOperationStart_ProcessingTimeInterval{ProcessingTimeInterval: "100 milliseconds"}}
}

// A query is started, watched, adopted by another client as after a restart of
// ours, and stopped.
func TestAQueryOnARealSpark(t *testing.T) {
	for release, want := range map[string]string{dev.Spark42: "4.2.0", dev.Spark41: "4.1.3"} {
		t.Run(want, func(t *testing.T) { aQuery(t, dev.Spark(t, release).Addr, want) })
	}
}

func aQuery(t *testing.T, address, release string) {
	ctx := t.Context()
	s := connected(t, server{Address: address})
	v, err := s.version(ctx)
	if err != nil || v.String() != release {
		t.Fatalf("version %s, %v", v, err)
	}
	if s.identity().Server == "" {
		t.Error("the server's id was not kept")
	}
	if err := s.set(ctx, settings()); err != nil {
		t.Fatal(err)
	}
	rows := sql("SELECT value AS `a b`, timestamp FROM events", rate(100))
	if tree, err := s.schema(ctx, rows); err != nil || !strings.Contains(tree, "|-- a b: long") {
		t.Errorf("schema: %s, %v", tree, err)
	}
	if streams, err := s.isStreaming(ctx, rows); err != nil || !streams {
		t.Errorf("it streams: %v, %v", streams, err)
	}

	q, err := s.start(ctx, into(t, "watched", rows))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.drain(ctx, q); err != nil {
		t.Fatal(err)
	}
	text := ""
	for end := time.Now().Add(30 * time.Second); text == ""; time.Sleep(50 * time.Millisecond) {
		if text, err = s.progress(ctx, q); err != nil || time.Now().After(end) {
			t.Fatalf("no progress: %v", err)
		}
	}
	var progress struct {
		ID   string
		Name string
	}
	if err := json.Unmarshal([]byte(text), &progress); err != nil || progress.ID != q.ID || progress.Name != "watched" {
		t.Errorf("progress %+v, %v of %s", progress, err, text)
	}
	if all, err := s.recent(ctx, q); err != nil || len(all) == 0 {
		t.Errorf("recent progress: %d, %v", len(all), err)
	}

	adopter := connected(t, server{Address: address}).conn.session(s.identity())
	if all, err := adopter.active(ctx); err != nil || len(all) != 1 || all[0] != (activeQuery{q, "watched"}) {
		t.Errorf("active: %+v, %v; want %v", all, err, q)
	}
	if found, ok, err := adopter.find(ctx, q.ID); err != nil || !ok || found.queryID != q {
		t.Errorf("found %v, %v, %v", found, ok, err)
	}
	if _, ok, err := adopter.find(ctx, newUUID()); err != nil || ok {
		t.Errorf("a query that is not there: %v, %v", ok, err)
	}
	if st, err := adopter.status(ctx, q); err != nil || !st.Active {
		t.Errorf("status %+v, %v", st, err)
	}
	if err := adopter.stop(ctx, q); err != nil {
		t.Fatal(err)
	}
	if st, err := s.status(ctx, q); err != nil || st.Active {
		t.Errorf("status after the stop: %+v, %v", st, err)
	}
	if f, err := s.failure(ctx, q); err != nil || f != nil {
		t.Errorf("failure of a query that was stopped: %v, %v", f, err)
	}
	if _, err := connected(t, server{Address: address}).status(ctx, q); !unknown(err) {
		t.Errorf("the query in another session: %v", err)
	}
}

func TestWhatSparkSays(t *testing.T) {
	ctx := t.Context()
	s := connected(t, server{Address: dev.Spark(t, dev.Spark42).Addr})
	_, err := s.schema(ctx, sql("SELECT nothing FROM events", rate(1)))
	var said *sparkError
	if !errors.As(err, &said) || said.Class != "UNRESOLVED_COLUMN.WITH_SUGGESTION" || said.State != "42703" {
		t.Errorf("%#v", said)
	}
	for _, words := range []string{"resolve the plan: ", "`nothing`", "`value`"} {
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is missing, or more than a line: %v", words, err)
		}
	}
	if said != nil && !strings.Contains(said.Message, "'Project") {
		t.Errorf("the plan is missing in the whole message:\n%s", said.Message)
	}

	_, err = s.start(ctx, into(t, "broken", sql("SELEC 1", rate(1))))
	if !errors.As(err, &said) || said.Class != "PARSE_SYNTAX_ERROR" || !strings.HasPrefix(err.Error(), "start the query broken: ") {
		t.Errorf("%#v: %v", said, err)
	}

	// A query that fails at work says why.
	q, err := s.start(ctx, into(t, "failing", sql("SELECT raise_error(concat('row ', value)) FROM events", rate(10))))
	if err != nil {
		t.Fatal(err)
	}
	var failure *queryFailure
	for end := time.Now().Add(30 * time.Second); failure == nil; time.Sleep(50 * time.Millisecond) {
		if failure, err = s.failure(ctx, q); err != nil || time.Now().After(end) {
			t.Fatalf("no failure: %v", err)
		}
	}
	if said := failure.Error(); !strings.HasPrefix(said, "[USER_RAISED_EXCEPTION] row ") || strings.Contains(said, "caused by") || strings.Contains(said, "\n") {
		t.Errorf("%q of %s", said, failure.Message)
	}
	if st, err := s.status(ctx, q); err != nil || st.Active {
		t.Errorf("status %+v, %v", st, err)
	}
}

func TestASparkThatWantsAToken(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const token = "a-long-secret"
	spark := dev.StartSpark(t, dev.SparkConfig{Token: token})
	for _, s := range []server{{Address: spark.Addr, Token: token}, {Address: spark.Addr + "/;token=" + token}} {
		if _, err := connected(t, s).version(ctx); err != nil {
			t.Error(err)
		}
	}
	for said, s := range map[string]server{"wants a token": {Address: spark.Addr}, "refuses the token": {Address: spark.Addr, Token: "wrong-secret"}} {
		_, err := connected(t, s).version(ctx)
		if err == nil || !strings.Contains(err.Error(), said) || strings.Contains(err.Error(), "secret") || !errors.Is(err, liushui.ErrMisuse) {
			t.Errorf("want %q: %v", said, err)
		}
	}
}

// The server dies under a query and comes back as another.
func TestASparkThatDies(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	spark := dev.StartSpark(t, dev.SparkConfig{})
	s := connected(t, server{Address: spark.Addr, Patience: 2 * time.Second})
	q, err := s.start(ctx, into(t, "killed", rate(10)))
	if err != nil {
		t.Fatal(err)
	}
	spark.Connect.Kill()
	_, err = s.status(ctx, q)
	if !away(err) || !strings.Contains(err.Error(), "no answer from Spark at "+spark.Addr+" within 2s: ") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
	if err := spark.Connect.Start(); err != nil {
		t.Fatal(err)
	}
	for away(err) { // it is slow at first
		_, err = s.status(ctx, q)
	}
	if !lost(err) {
		t.Errorf("after its restart: %v", err)
	}
	next := s.conn.session(newIdentity("test"))
	if _, err := next.version(ctx); err != nil {
		t.Errorf("a new session: %v", err)
	}
}
