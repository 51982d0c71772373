package spark

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	pb "liushui/spark/proto"
)

// fakeSpark answers as a test says. What it is asked is kept.
type fakeSpark struct {
	pb.UnimplementedSparkConnectServiceServer
	// answers are those to ExecutePlan and ReattachExecute, one a call, in order.
	answers []func(stream grpc.ServerStreamingServer[pb.ExecutePlanResponse]) error
	version func(context.Context) (string, error)
	details *pb.FetchErrorDetailsResponse

	mu    sync.Mutex
	calls []string    // as in execute, reattach after r1
	times []time.Time // of calls
	ops   []string    // operation ids of executions
	saw   []string    // observed ids of the server
}

func (f *fakeSpark) answer(call, op, observed string, stream grpc.ServerStreamingServer[pb.ExecutePlanResponse]) error {
	f.mu.Lock()
	f.calls, f.times, f.ops, f.saw = append(f.calls, call), append(f.times, time.Now()), append(f.ops, op), append(f.saw, observed)
	if len(f.answers) == 0 {
		f.mu.Unlock()
		return status.Error(codes.FailedPrecondition, "the test has no more answers")
	}
	next := f.answers[0]
	f.answers = f.answers[1:]
	f.mu.Unlock()
	return next(stream)
}

func (f *fakeSpark) ExecutePlan(r *pb.ExecutePlanRequest, stream grpc.ServerStreamingServer[pb.ExecutePlanResponse]) error {
	call := "execute"
	if !r.RequestOptions[0].GetReattachOptions().GetReattachable() {
		call = "execute once"
	}
	return f.answer(call, r.GetOperationId(), r.GetClientObservedServerSideSessionId(), stream)
}

func (f *fakeSpark) ReattachExecute(r *pb.ReattachExecuteRequest, stream grpc.ServerStreamingServer[pb.ExecutePlanResponse]) error {
	return f.answer("reattach after "+r.GetLastResponseId(), r.OperationId, r.GetClientObservedServerSideSessionId(), stream)
}

func (f *fakeSpark) ReleaseExecute(_ context.Context, r *pb.ReleaseExecuteRequest) (*pb.ReleaseExecuteResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.ops = append(f.calls, "release"), append(f.ops, r.OperationId)
	return &pb.ReleaseExecuteResponse{}, nil
}

func (f *fakeSpark) AnalyzePlan(ctx context.Context, _ *pb.AnalyzePlanRequest) (*pb.AnalyzePlanResponse, error) {
	v, err := "4.2.0", error(nil)
	if f.version != nil {
		v, err = f.version(ctx)
	}
	return &pb.AnalyzePlanResponse{ServerSideSessionId: "server-1", Result: &pb.AnalyzePlanResponse_SparkVersion_{
		SparkVersion: &pb.AnalyzePlanResponse_SparkVersion{Version: v}}}, err
}

func (f *fakeSpark) FetchErrorDetails(context.Context, *pb.FetchErrorDetailsRequest) (*pb.FetchErrorDetailsResponse, error) {
	if f.details == nil {
		return nil, status.Error(codes.Unavailable, "no details today")
	}
	return f.details, nil
}

// serve makes the fake a server, and returns a session on it. Its connections are
// wrapped as the test says.
func (f *fakeSpark) serve(t *testing.T, wraps ...func(net.Conn) net.Conn) *session {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	s := grpc.NewServer()
	pb.RegisterSparkConnectServiceServer(s, f)
	served := make(chan struct{})
	go func() { defer close(served); s.Serve(listener) }()
	c, err := open(server{Address: "sc://fake", Log: silent,
		dial: func(ctx context.Context, _ string) (net.Conn, error) {
			conn, err := listener.DialContext(ctx)
			for _, wrap := range wraps {
				conn = wrap(conn)
			}
			return conn, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Stop(); <-served })
	return c.session(newIdentity("test"))
}

// says is a stream of responses that ends with an error, nil = the end.
func says(end error, responses ...*pb.ExecutePlanResponse) func(grpc.ServerStreamingServer[pb.ExecutePlanResponse]) error {
	return func(stream grpc.ServerStreamingServer[pb.ExecutePlanResponse]) error {
		for _, r := range responses {
			if err := stream.Send(r); err != nil {
				return err
			}
		}
		return end
	}
}

// isActive is the response with a query's status, whose message is the response's id.
func isActive(id string) *pb.ExecutePlanResponse {
	return &pb.ExecutePlanResponse{ResponseId: id, ServerSideSessionId: "server-1", ResponseType: &pb.ExecutePlanResponse_StreamingQueryCommandResult{
		StreamingQueryCommandResult: &pb.StreamingQueryCommandResult{ResultType: &pb.StreamingQueryCommandResult_Status{
			Status: &pb.StreamingQueryCommandResult_StatusResult{StatusMessage: id, IsActive: true}}}}}
}

func complete(id string) *pb.ExecutePlanResponse {
	return &pb.ExecutePlanResponse{ResponseId: id, ServerSideSessionId: "server-1",
		ResponseType: &pb.ExecutePlanResponse_ResultComplete_{ResultComplete: &pb.ExecutePlanResponse_ResultComplete{}}}
}

// fault is an error as Spark sends it.
func fault(code codes.Code, class, message, id string) error {
	s, err := status.New(code, message).WithDetails(&errdetails.ErrorInfo{Domain: "org.apache.spark", Reason: "org.apache.spark.SparkException",
		Metadata: map[string]string{"errorClass": class, "sqlState": "HY000", "errorId": id}})
	if err != nil {
		panic(err)
	}
	return s.Err()
}
