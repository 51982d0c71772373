package spark

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "liushui/spark/proto"
)

// queryID names a streaming query: ID stays over restarts from its checkpoint,
// Run does not.
type queryID struct{ ID, Run string }

func (q queryID) proto() *pb.StreamingQueryInstanceId {
	return &pb.StreamingQueryInstanceId{Id: q.ID, RunId: q.Run}
}

func idOf(q *pb.StreamingQueryInstanceId) queryID { return queryID{q.GetId(), q.GetRunId()} }

// queryStatus is what a query does.
type queryStatus struct {
	Message   string // Spark's words
	Active    bool   // false: stopped or failed
	Available bool   // there is something to read
	Working   bool   // a batch is under way
}

// activeQuery is a query of the session that runs.
type activeQuery struct {
	queryID
	Name string
}

// queryFailure is why a query has ended by itself.
type queryFailure struct {
	Class   string // Spark's error class; "" = it named none
	Message string // whole
	Stack   string
}

// Error is the line that says what is wrong, and its innermost cause.
func (f *queryFailure) Error() string {
	line := firstLine(f.Message)
	if i := strings.LastIndex(f.Stack, "Caused by: "); i >= 0 {
		if inner := firstLine(f.Stack[i+len("Caused by: "):]); !strings.Contains(line, inner) {
			line += "; caused by " + inner
		}
	}
	return line
}

// firstLine is that of a text, without the name of the Java class that it
// begins with.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if class, rest, ok := strings.Cut(line, ": "); ok && strings.Contains(class, ".") && !strings.ContainsAny(class, " []") {
		line = rest
	}
	return strings.TrimRight(line, ";: \t")
}

// start starts a streaming query.
func (s *session) start(ctx context.Context, w *pb.WriteStreamOperationStart) (id queryID, err error) {
	command := &pb.Command{CommandType: &pb.Command_WriteStreamOperationStart{WriteStreamOperationStart: w}}
	err = s.execute(ctx, startTime, command, func(r *pb.ExecutePlanResponse) {
		if started := r.GetWriteStreamOperationStartResult(); started != nil {
			id = idOf(started.QueryId)
		}
	})
	if err == nil && id.ID == "" {
		err = errors.New("the server has named no query")
	}
	if err != nil {
		return queryID{}, fmt.Errorf("start the query %s: %w", w.QueryName, err)
	}
	return id, nil
}

// ask sends a command to a query of this session.
func (s *session) ask(ctx context.Context, q queryID, what string, within time.Duration, c *pb.StreamingQueryCommand) (answer *pb.StreamingQueryCommandResult, err error) {
	c.QueryId = q.proto()
	command := &pb.Command{CommandType: &pb.Command_StreamingQueryCommand{StreamingQueryCommand: c}}
	err = s.execute(ctx, within, command, func(r *pb.ExecutePlanResponse) {
		if result := r.GetStreamingQueryCommandResult(); result != nil {
			answer = result
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s the query %s: %w", what, q.ID, err)
	}
	return answer, nil
}

// status is also the sign of life that keeps the session, and so its queries.
func (s *session) status(ctx context.Context, q queryID) (queryStatus, error) {
	answer, err := s.ask(ctx, q, "ask for", s.conn.patience, &pb.StreamingQueryCommand{Command: &pb.StreamingQueryCommand_Status{Status: true}})
	st := answer.GetStatus()
	return queryStatus{st.GetStatusMessage(), st.GetIsActive(), st.GetIsDataAvailable(), st.GetIsTriggerActive()}, err
}

// progress is Spark's JSON of the newest batch, "" before the first.
func (s *session) progress(ctx context.Context, q queryID) (string, error) {
	answer, err := s.ask(ctx, q, "ask for the progress of", s.conn.patience, &pb.StreamingQueryCommand{Command: &pb.StreamingQueryCommand_LastProgress{LastProgress: true}})
	if all := answer.GetRecentProgress().GetRecentProgressJson(); len(all) > 0 {
		return all[len(all)-1], err
	}
	return "", err
}

// recent is that of the newest batches, oldest first; Spark keeps a hundred.
func (s *session) recent(ctx context.Context, q queryID) ([]string, error) {
	answer, err := s.ask(ctx, q, "ask for the progress of", s.conn.patience, &pb.StreamingQueryCommand{Command: &pb.StreamingQueryCommand_RecentProgress{RecentProgress: true}})
	return answer.GetRecentProgress().GetRecentProgressJson(), err
}

// failure is why a query ended by itself; nil where it did not.
func (s *session) failure(ctx context.Context, q queryID) (*queryFailure, error) {
	answer, err := s.ask(ctx, q, "ask for the failure of", s.conn.patience, &pb.StreamingQueryCommand{Command: &pb.StreamingQueryCommand_Exception{Exception: true}})
	e := answer.GetException()
	if e == nil || e.ExceptionMessage == nil {
		return nil, err
	}
	return &queryFailure{Class: e.GetErrorClass(), Message: e.GetExceptionMessage(), Stack: e.GetStackTrace()}, err
}

// stop stops a query after the batch that is under way.
func (s *session) stop(ctx context.Context, q queryID) error {
	_, err := s.ask(ctx, q, "stop", startTime, &pb.StreamingQueryCommand{Command: &pb.StreamingQueryCommand_Stop{Stop: true}})
	return err
}

// drain waits until a query has worked on all that its source held when it was asked.
func (s *session) drain(ctx context.Context, q queryID) error {
	_, err := s.ask(ctx, q, "drain", startTime, &pb.StreamingQueryCommand{Command: &pb.StreamingQueryCommand_ProcessAllAvailable{ProcessAllAvailable: true}})
	return err
}

// active lists the queries of this session that run.
func (s *session) active(ctx context.Context) (all []activeQuery, err error) {
	answer, err := s.manage(ctx, &pb.StreamingQueryManagerCommand{Command: &pb.StreamingQueryManagerCommand_Active{Active: true}})
	if err != nil {
		return nil, fmt.Errorf("list the queries: %w", err)
	}
	for _, q := range answer.GetActive().GetActiveQueries() {
		all = append(all, activeQuery{idOf(q.Id), q.GetName()})
	}
	return all, nil
}

// find looks for a query of this session that runs, by its id.
func (s *session) find(ctx context.Context, id string) (q activeQuery, found bool, err error) {
	answer, err := s.manage(ctx, &pb.StreamingQueryManagerCommand{Command: &pb.StreamingQueryManagerCommand_GetQuery{GetQuery: id}})
	if err != nil {
		return q, false, fmt.Errorf("look for the query %s: %w", id, err)
	}
	one := answer.GetQuery()
	return activeQuery{idOf(one.GetId()), one.GetName()}, one != nil, nil
}

func (s *session) manage(ctx context.Context, c *pb.StreamingQueryManagerCommand) (answer *pb.StreamingQueryManagerCommandResult, err error) {
	command := &pb.Command{CommandType: &pb.Command_StreamingQueryManagerCommand{StreamingQueryManagerCommand: c}}
	err = s.execute(ctx, s.conn.patience, command, func(r *pb.ExecutePlanResponse) {
		if result := r.GetStreamingQueryManagerCommandResult(); result != nil {
			answer = result
		}
	})
	return answer, err
}
