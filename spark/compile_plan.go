package spark

import (
	"fmt"
	"maps"
	"strconv"

	"google.golang.org/protobuf/proto"

	pb "liushui/spark/proto"
)

// source says which records of Kafka a query reads.
type source struct {
	Brokers  string
	Topic    string
	Starting string            // startingOffsets: earliest (default), latest, or offsets as JSON. A checkpoint goes before it
	Max      int64             // records in a batch; 0: all there are
	Options  map[string]string // of Spark's Kafka source, over ours
}

// records is the relation of the source's records.
func (s source) records() *pb.Relation {
	options := map[string]string{
		"kafka.bootstrap.servers": s.Brokers,
		"subscribe":               s.Topic,
		"startingOffsets":         "earliest",
		"includeHeaders":          "true",
		"failOnDataLoss":          "true",
	}
	if s.Starting != "" {
		options["startingOffsets"] = s.Starting
	}
	if s.Max > 0 {
		options["maxOffsetsPerTrigger"] = strconv.FormatInt(s.Max, 10)
	}
	maps.Copy(options, s.Options)
	return &pb.Relation{RelType: &pb.Relation_Read{Read: &pb.Read{IsStreaming: true,
		ReadType: &pb.Read_DataSource_{DataSource: &pb.Read_DataSource{Format: proto.String("kafka"), Options: options}}}}}
}

// resultRows are key and value of each cell that a batch has changed, to be
// written in update mode.
func (p *plan) resultRows(records *pb.Relation) *pb.Relation {
	events := &pb.Relation{RelType: &pb.Relation_WithWatermark{WithWatermark: &pb.WithWatermark{
		Input: over("records", records, p.events), EventTime: "event_time",
		DelayThreshold: fmt.Sprintf("%d milliseconds", p.delay.Milliseconds())}}}
	once := &pb.Relation{RelType: &pb.Relation_Deduplicate{Deduplicate: &pb.Deduplicate{
		Input: events, ColumnNames: []string{"id"}, WithinWatermark: proto.Bool(true)}}}
	cells := &pb.Relation{RelType: &pb.Relation_Project{Project: &pb.Project{
		Input: over("events", once, p.cells),
		Expressions: []*pb.Expression{expression("* EXCEPT (until)"),
			{ExprType: &pb.Expression_Alias_{Alias: &pb.Expression_Alias{
				Expr: expression("until"), Name: []string{"until"}, Metadata: proto.String(p.cellWatermark())}}}}}}}
	return over("cells", cells, p.results)
}

// letterRows are key, value and headers of the dead letters, to be written in append mode.
func (p *plan) letterRows(records *pb.Relation) *pb.Relation {
	return over("records", records, p.letters)
}

// over is a query in which a name stands for a relation.
func over(name string, in *pb.Relation, query string) *pb.Relation {
	return &pb.Relation{RelType: &pb.Relation_WithRelations{WithRelations: &pb.WithRelations{
		Root:       &pb.Relation{RelType: &pb.Relation_Sql{Sql: &pb.SQL{Query: query}}},
		References: []*pb.Relation{{RelType: &pb.Relation_SubqueryAlias{SubqueryAlias: &pb.SubqueryAlias{Input: in, Alias: name}}}},
	}}}
}

func expression(sql string) *pb.Expression {
	return &pb.Expression{ExprType: &pb.Expression_ExpressionString_{ExpressionString: &pb.Expression_ExpressionString{Expression: sql}}}
}
