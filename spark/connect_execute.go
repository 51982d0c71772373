package spark

import (
	"context"
	"time"

	"google.golang.org/grpc/status"

	pb "liushui/spark/proto"
)

// execute runs a command until the server says that it is complete, and hands
// over each response once. A broken way to the server is mended meanwhile: the
// execution goes on there, and is found again by its id.
func (s *session) execute(ctx context.Context, within time.Duration, command *pb.Command, each func(*pb.ExecutePlanResponse)) error {
	o := &operation{session: s, id: newUUID(), command: command, each: each}
	err := s.conn.persist(ctx, within, o.attempt)
	if o.last != "" {
		o.release(ctx)
	}
	return s.explain(ctx, err)
}

// operation is one execution.
type operation struct {
	session *session
	id      string
	command *pb.Command
	each    func(*pb.ExecutePlanResponse)

	sent bool   // the server may know of it
	last string // id of the last response; "" = none came
}

// attempt follows the execution until it is complete (nil) or the stream ends.
// A server ends each stream on purpose after two minutes.
func (o *operation) attempt(ctx context.Context, rpc pb.SparkConnectServiceClient) error {
	stream, err := o.open(ctx, rpc)
	for err == nil {
		var r *pb.ExecutePlanResponse
		if r, err = stream.Recv(); err != nil {
			break
		}
		o.session.observe(r.ServerSideSessionId)
		o.last = r.ResponseId
		if r.GetResultComplete() != nil {
			stream.Recv() // the end: a server that is left before logs it as a fault
			return nil
		}
		o.each(r)
	}
	if o.last == "" && unheard(err) {
		o.sent = false
		return again{err}
	}
	return err
}

// unheard says that the server knows nothing of the execution, so that it must be
// sent anew.
func unheard(err error) bool {
	class := classOf(status.Convert(err))
	return class == "INVALID_HANDLE.OPERATION_NOT_FOUND" || class == "INVALID_HANDLE.SESSION_NOT_FOUND"
}

func (o *operation) open(ctx context.Context, rpc pb.SparkConnectServiceClient) (responses, error) {
	s := o.session
	if o.sent {
		request := &pb.ReattachExecuteRequest{SessionId: s.id.Session, UserContext: s.user(), ClientType: str(clientType),
			OperationId: o.id, ClientObservedServerSideSessionId: s.observed()}
		if o.last != "" {
			request.LastResponseId = str(o.last)
		}
		return rpc.ReattachExecute(ctx, request)
	}
	o.sent = true
	return rpc.ExecutePlan(ctx, &pb.ExecutePlanRequest{SessionId: s.id.Session, UserContext: s.user(), ClientType: str(clientType),
		OperationId: str(o.id), ClientObservedServerSideSessionId: s.observed(),
		Plan: &pb.Plan{OpType: &pb.Plan_Command{Command: o.command}},
		RequestOptions: []*pb.ExecutePlanRequest_RequestOption{{RequestOption: &pb.ExecutePlanRequest_RequestOption_ReattachOptions{
			ReattachOptions: &pb.ReattachOptions{Reattachable: true}}}}})
}

// release tells the server that nobody will ask for the responses again. Left
// undone, the server does it by itself after some minutes.
func (o *operation) release(ctx context.Context) {
	s := o.session
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	_, rpc := s.conn.current()
	_, err := rpc.ReleaseExecute(ctx, &pb.ReleaseExecuteRequest{SessionId: s.id.Session, UserContext: s.user(), ClientType: str(clientType),
		OperationId: o.id, ClientObservedServerSideSessionId: s.observed(),
		Release: &pb.ReleaseExecuteRequest_ReleaseAll_{ReleaseAll: &pb.ReleaseExecuteRequest_ReleaseAll{}}})
	if err != nil {
		s.conn.log.Debug("release an execution", "error", err)
	}
}
