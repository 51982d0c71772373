package spark

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"liushui"
	"liushui/dev"
	pb "liushui/spark/proto"
)

// live is a session on a real Spark that computes on this machine, so it shares
// files with the test.
type live struct {
	t   testing.TB
	rpc pb.SparkConnectServiceClient
	id  string
	dir string
	n   int
}

func newLive(t testing.TB, release string) *live {
	t.Helper()
	server := dev.Spark(t, release)
	conn, err := grpc.NewClient(strings.TrimPrefix(server.Addr, "sc://"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var b [16]byte
	rand.Read(b[:])
	l := &live{t: t, rpc: pb.NewSparkConnectServiceClient(conn), dir: t.TempDir(),
		id: fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])}
	set := settings()
	set["spark.sql.shuffle.partitions"] = "2"
	for key, value := range set {
		l.sql(fmt.Sprintf("SET %s=%s", key, value))
	}
	return l
}

func (l *live) execute(plan *pb.Plan, each func(*pb.ExecutePlanResponse)) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	stream, err := l.rpc.ExecutePlan(ctx, &pb.ExecutePlanRequest{SessionId: l.id, UserContext: &pb.UserContext{UserId: "test"}, Plan: plan})
	for err == nil {
		var r *pb.ExecutePlanResponse
		if r, err = stream.Recv(); err == nil && each != nil {
			each(r)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (l *live) sql(query string) {
	l.t.Helper()
	if err := l.execute(&pb.Plan{OpType: &pb.Plan_Root{Root: sqlOf(query)}}, nil); err != nil {
		l.t.Fatalf("%.2000s\n%.300s", err, query)
	}
}

func sqlOf(query string) *pb.Relation {
	return &pb.Relation{RelType: &pb.Relation_Sql{Sql: &pb.SQL{Query: query}}}
}

// rows reads a query's rows as JSON into a list.
func rows[T any](l *live, query string) []T {
	l.t.Helper()
	l.n++
	dir := filepath.Join(l.dir, fmt.Sprint("rows", l.n))
	l.sql(fmt.Sprintf("INSERT OVERWRITE DIRECTORY '%s' USING text SELECT to_json(struct(*)) FROM (%s)", dir, query))
	parts, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		l.t.Fatal(err)
	}
	var all []T
	for _, part := range parts {
		b, err := os.ReadFile(part)
		if err != nil {
			l.t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var row T
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				l.t.Fatalf("%v: %s", err, line)
			}
			all = append(all, row)
		}
	}
	return all
}

// kafkaRecord is a record in a file, for Spark to read as if from Kafka.
type kafkaRecord struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"p"`
	Offset    int64  `json:"o"`
	Time      int64  `json:"t"`
	Feed      string `json:"feed"`
	Value     string `json:"v"` // base64
}

const (
	kafkaSchema  = "topic STRING, p INT, o BIGINT, t BIGINT, feed STRING, v STRING"
	kafkaColumns = "SELECT CAST(NULL AS BINARY) AS key, unbase64(v) AS value, topic, p AS partition, o AS offset, timestamp_millis(t) AS timestamp, IF(feed = '', NULL, array(named_struct('key', 'feed', 'value', CAST(feed AS BINARY)))) AS headers FROM files"
)

// write puts records into a file of a folder, at once.
func (l *live) write(dir string, records []liushui.Record) {
	l.t.Helper()
	var b strings.Builder
	for _, r := range records {
		line, err := json.Marshal(kafkaRecord{"category", r.Partition, r.Offset, r.Time, r.Feed, base64.StdEncoding.EncodeToString(r.Value)})
		if err != nil {
			l.t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	l.n++
	aside, written := filepath.Join(l.dir, fmt.Sprint("aside", l.n)), time.Now().Add(time.Duration(l.n)*time.Second) // Spark reads files by their age
	if err := errors.Join(os.WriteFile(aside, []byte(b.String()), 0o644), os.Chtimes(aside, written, written), os.MkdirAll(dir, 0o755), os.Rename(aside, filepath.Join(dir, fmt.Sprintf("%06d.json", l.n)))); err != nil {
		l.t.Fatal(err)
	}
}

// records is the relation of the records in a folder's files.
func (l *live) records(dir string, streaming bool) *pb.Relation {
	files := &pb.Relation{RelType: &pb.Relation_Read{Read: &pb.Read{IsStreaming: streaming, ReadType: &pb.Read_DataSource_{
		DataSource: &pb.Read_DataSource{Format: proto.String("json"), Schema: proto.String(kafkaSchema), Options: map[string]string{"path": dir, "maxFilesPerTrigger": "1"}}}}}}
	return over("files", files, kafkaColumns)
}

// inMemory runs a streaming query over all files of a folder, each a batch, into a
// table of Spark's memory, and returns its last progress.
func (l *live) inMemory(table, mode string, rows *pb.Relation) (last sparkProgress) {
	l.t.Helper()
	start := &pb.WriteStreamOperationStart{Input: rows, Format: "memory", OutputMode: mode, QueryName: table,
		Trigger: &pb.WriteStreamOperationStart_AvailableNow{AvailableNow: true}}
	var id *pb.StreamingQueryInstanceId
	err := l.execute(&pb.Plan{OpType: &pb.Plan_Command{Command: &pb.Command{CommandType: &pb.Command_WriteStreamOperationStart{WriteStreamOperationStart: start}}}},
		func(r *pb.ExecutePlanResponse) {
			if s := r.GetWriteStreamOperationStartResult(); s != nil {
				id = s.QueryId
			}
		})
	if err != nil {
		l.t.Fatal(err)
	}
	ask := func(c *pb.StreamingQueryCommand) (r *pb.StreamingQueryCommandResult) {
		c.QueryId = id
		err := l.execute(&pb.Plan{OpType: &pb.Plan_Command{Command: &pb.Command{CommandType: &pb.Command_StreamingQueryCommand{StreamingQueryCommand: c}}}},
			func(answer *pb.ExecutePlanResponse) {
				if answer.GetStreamingQueryCommandResult() != nil {
					r = answer.GetStreamingQueryCommandResult()
				}
			})
		if err != nil {
			l.t.Fatal(err)
		}
		return r
	}
	for ask(&pb.StreamingQueryCommand{Command: &pb.StreamingQueryCommand_Status{Status: true}}).GetStatus().GetIsActive() {
		time.Sleep(200 * time.Millisecond)
	}
	if failed := ask(&pb.StreamingQueryCommand{Command: &pb.StreamingQueryCommand_Exception{Exception: true}}).GetException().GetExceptionMessage(); failed != "" {
		l.t.Fatalf("%.3000s", failed)
	}
	said := ask(&pb.StreamingQueryCommand{Command: &pb.StreamingQueryCommand_LastProgress{LastProgress: true}}).GetRecentProgress().GetRecentProgressJson()
	if err := json.Unmarshal([]byte(said[0]), &last); err != nil {
		l.t.Fatal(err)
	}
	return last
}

// sparkProgress is what a query says of itself.
type sparkProgress struct {
	EventTime      struct{ Watermark time.Time }
	StateOperators []struct {
		OperatorName              string
		NumRowsTotal              int
		NumRowsDroppedByWatermark int
	}
}

// state is how many rows an operator holds.
func (p sparkProgress) state(operator string) int {
	for _, o := range p.StateOperators {
		if o.OperatorName == operator {
			return o.NumRowsTotal
		}
	}
	return -1
}
