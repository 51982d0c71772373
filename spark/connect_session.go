package spark

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"

	"google.golang.org/grpc"

	pb "liushui/spark/proto"
)

// clientType is what the server's logs call us.
const clientType = "liushui"

// identity is what a server knows a session by. Kept over our restarts, it finds
// the session's queries again.
type identity struct {
	User    string
	Session string // a UUID
	Server  string // the server's own id of it: another means that the server started anew; "" = not heard yet
}

// newIdentity is that of a session which no server knows.
func newIdentity(user string) identity { return identity{User: user, Session: newUUID()} }

// session is one of ours on a server. It lives there for as long as it is asked
// something every now and then (60 minutes by default), and ends with it, its
// queries included. It may be used by several goroutines.
type session struct {
	conn *connection

	mu sync.Mutex
	id identity // of which only Server changes
}

// session opens a session, or goes on with one. The address may name another user.
func (c *connection) session(id identity) *session {
	id.User = or(c.address.user, id.User)
	return &session{conn: c, id: id}
}

// identity is what to keep for going on with the session.
func (s *session) identity() identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

func (s *session) user() *pb.UserContext { return &pb.UserContext{UserId: s.id.User} }

// observed is the server's id as requests carry it.
func (s *session) observed() *string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id.Server == "" {
		return nil
	}
	return str(s.id.Server)
}

func (s *session) observe(server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id.Server = or(s.id.Server, server)
}

// set sets Spark settings of the session.
func (s *session) set(ctx context.Context, settings map[string]string) error {
	var pairs []*pb.KeyValue
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		pairs = append(pairs, &pb.KeyValue{Key: key, Value: str(settings[key])})
	}
	var answer *pb.ConfigResponse
	err := s.conn.persist(ctx, s.conn.patience, func(ctx context.Context, rpc pb.SparkConnectServiceClient) (err error) {
		answer, err = rpc.Config(ctx, &pb.ConfigRequest{
			SessionId: s.id.Session, UserContext: s.user(), ClientType: str(clientType), ClientObservedServerSideSessionId: s.observed(),
			Operation: &pb.ConfigRequest_Operation{OpType: &pb.ConfigRequest_Operation_Set{Set: &pb.ConfigRequest_Set{Pairs: pairs}}}})
		return err
	})
	if err != nil {
		return fmt.Errorf("set the session: %w", s.explain(ctx, err))
	}
	s.observe(answer.ServerSideSessionId)
	for _, warning := range answer.Warnings {
		s.conn.log.Warn("Spark on a setting", "warning", warning)
	}
	return nil
}

// analyze asks one thing about a plan or the server.
func (s *session) analyze(ctx context.Context, request *pb.AnalyzePlanRequest) (answer *pb.AnalyzePlanResponse, err error) {
	request.SessionId, request.UserContext, request.ClientType = s.id.Session, s.user(), str(clientType)
	err = s.conn.persist(ctx, s.conn.patience, func(ctx context.Context, rpc pb.SparkConnectServiceClient) (err error) {
		request.ClientObservedServerSideSessionId = s.observed()
		answer, err = rpc.AnalyzePlan(ctx, request)
		return err
	})
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	s.observe(answer.ServerSideSessionId)
	return answer, nil
}

// schema resolves a relation and returns the tree of its columns as text.
func (s *session) schema(ctx context.Context, r *pb.Relation) (string, error) {
	answer, err := s.analyze(ctx, &pb.AnalyzePlanRequest{Analyze: &pb.AnalyzePlanRequest_TreeString_{
		TreeString: &pb.AnalyzePlanRequest_TreeString{Plan: rooted(r)}}})
	if err != nil {
		return "", fmt.Errorf("resolve the plan: %w", err)
	}
	return answer.GetTreeString().GetTreeString(), nil
}

// isStreaming says whether a relation never ends.
func (s *session) isStreaming(ctx context.Context, r *pb.Relation) (bool, error) {
	answer, err := s.analyze(ctx, &pb.AnalyzePlanRequest{Analyze: &pb.AnalyzePlanRequest_IsStreaming_{
		IsStreaming: &pb.AnalyzePlanRequest_IsStreaming{Plan: rooted(r)}}})
	if err != nil {
		return false, fmt.Errorf("resolve the plan: %w", err)
	}
	return answer.GetIsStreaming().GetIsStreaming(), nil
}

func rooted(r *pb.Relation) *pb.Plan { return &pb.Plan{OpType: &pb.Plan_Root{Root: r}} }

func str(s string) *string { return &s }

// newUUID is a random one, in the form that Spark wants of ids.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// responses is a stream of what an execution answers.
type responses = grpc.ServerStreamingClient[pb.ExecutePlanResponse]
