package spark

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"liushui"
	pb "liushui/spark/proto"
)

// sparkError is what Spark says went wrong.
type sparkError struct {
	Class   string // Spark's error class, as in PARSE_SYNTAX_ERROR; "" = it named none
	State   string // SQLSTATE; "" = it named none
	Message string // whole, with the plan and the causes where Spark tells them
	code    codes.Code
}

// Error is the first line of the message, which says what is wrong.
func (e *sparkError) Error() string {
	line := firstLine(e.Message)
	if e.Class != "" && !strings.Contains(line, e.Class) {
		line = "[" + e.Class + "] " + line
	}
	return line
}

// hasClass says whether an error is one of Spark's of a class, or below it.
func hasClass(err error, class string) bool {
	var e *sparkError
	return errors.As(err, &e) && (e.Class == class || strings.HasPrefix(e.Class, class+"."))
}

// lost says whether the server has given the session up, and its queries with it:
// it was started anew, or had not heard from us for too long. A new session is
// the way on.
func lost(err error) bool {
	return hasClass(err, "INVALID_HANDLE.SESSION_CHANGED") || hasClass(err, "INVALID_HANDLE.SESSION_CLOSED") || hasClass(err, "INVALID_HANDLE.SESSION_NOT_FOUND")
}

// unknown says whether the session has no such query, or no longer: Spark forgets
// an ended one after an hour. 4.1 has no class for it.
func unknown(err error) bool {
	var e *sparkError
	return hasClass(err, "CONNECT_INVALID_PLAN.STREAMING_QUERY_NOT_FOUND") ||
		hasClass(err, "INTERNAL_ERROR") && errors.As(err, &e) && strings.Contains(e.Message, "Streaming query ") && strings.Contains(e.Message, " is not found")
}

// explain makes of a call's error what it means; it asks the server for the whole
// of a message that was cut.
func (s *session) explain(ctx context.Context, err error) error {
	said, ok := status.FromError(err)
	if err == nil || !ok || said.Code() == codes.OK {
		return err
	}
	e := &sparkError{Class: classOf(said), Message: said.Message(), code: said.Code()}
	if info := infoOf(said); info != nil {
		e.State = info.Metadata["sqlState"]
		if id := info.Metadata["errorId"]; id != "" {
			s.complete(ctx, id, e)
		}
	}
	switch {
	case e.code == codes.Unauthenticated || e.code == codes.PermissionDenied:
		word := "refuses the token"
		if s.conn.address.token == "" {
			word = "wants a token"
		}
		return fmt.Errorf("the Spark at %s %s: %w: %w", s.conn.address, word, e, liushui.ErrMisuse)
	case e.code == codes.Unavailable && distrust(err):
		return fmt.Errorf("no way to Spark at %s: %s: %w", s.conn.address, reason(err), liushui.ErrMisuse)
	case e.code == codes.Unimplemented:
		return fmt.Errorf("what answers at %s is no Spark Connect server: %w: %w", s.conn.address, e, liushui.ErrMisuse)
	}
	return e
}

// complete asks for the whole message and its causes. Where that fails, what is
// known stays.
func (s *session) complete(ctx context.Context, id string, e *sparkError) {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	_, rpc := s.conn.current()
	details, err := rpc.FetchErrorDetails(ctx, &pb.FetchErrorDetailsRequest{
		SessionId: s.id.Session, UserContext: s.user(), ErrorId: id, ClientType: str(clientType), ClientObservedServerSideSessionId: s.observed()})
	if err != nil || details.RootErrorIdx == nil {
		s.conn.log.Debug("no details of an error", "error", err)
		return
	}
	var messages []string
	seen := map[int32]bool{}
	for i := details.RootErrorIdx; i != nil && int(*i) < len(details.Errors) && *i >= 0 && !seen[*i]; i = details.Errors[*i].CauseIdx {
		seen[*i] = true
		one := details.Errors[*i]
		if thrown := one.SparkThrowable; thrown != nil && i == details.RootErrorIdx {
			e.Class, e.State = or(thrown.GetErrorClass(), e.Class), or(thrown.GetSqlState(), e.State)
		}
		if text := strings.TrimSpace(one.Message); text != "" && !strings.Contains(strings.Join(messages, "\n"), text) {
			messages = append(messages, text)
		}
	}
	if len(messages) > 0 {
		e.Message = strings.Join(messages, "\ncaused by: ")
	}
}

func infoOf(s *status.Status) *errdetails.ErrorInfo {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

// classOf is Spark's error class of a status: from its details, or as the
// message begins.
func classOf(s *status.Status) string {
	if info := infoOf(s); info != nil && info.Metadata["errorClass"] != "" {
		return info.Metadata["errorClass"]
	}
	if rest, ok := strings.CutPrefix(s.Message(), "["); ok {
		if class, _, ok := strings.Cut(rest, "] "); ok && strings.Trim(class, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == "" {
			return class
		}
	}
	return ""
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
