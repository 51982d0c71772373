package spark

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"liushui"
	pb "liushui/spark/proto"
)

// version is that of a Spark.
type version struct {
	major, minor int
	text         string
}

func (v version) String() string { return v.text }

// below says whether it is older than a release.
func (v version) below(major, minor int) bool {
	return v.major < major || v.major == major && v.minor < minor
}

// version asks the server for its version, and refuses one that is not known to
// do what we ask of it.
func (s *session) version(ctx context.Context) (version, error) {
	answer, err := s.analyze(ctx, &pb.AnalyzePlanRequest{Analyze: &pb.AnalyzePlanRequest_SparkVersion_{SparkVersion: &pb.AnalyzePlanRequest_SparkVersion{}}})
	if err != nil {
		return version{}, fmt.Errorf("ask Spark for its version: %w", err)
	}
	v, err := parseVersion(answer.GetSparkVersion().GetVersion())
	if err != nil {
		return v, err
	}
	if v.major == 4 && v.minor > 2 {
		s.conn.log.Warn("Liushui was tested with Spark 4.1 and 4.2", "spark", v.text)
	}
	return v, v.supported()
}

func (v version) supported() error {
	switch {
	case v.below(4, 1):
		return fmt.Errorf("this is Spark %s; Liushui needs 4.1 or 4.2: %w", v, liushui.ErrMisuse)
	case v.major > 4:
		return fmt.Errorf("this is Spark %s, which Liushui does not know; it needs 4.1 or 4.2: %w", v, liushui.ErrMisuse)
	}
	return nil
}

// parseVersion reads a version such as 4.2.0 or 4.3.0-SNAPSHOT.
func parseVersion(text string) (version, error) {
	v := version{text: text}
	parts := strings.SplitN(text, ".", 3)
	if len(parts) == 3 {
		var wrong error
		if v.major, wrong = strconv.Atoi(parts[0]); wrong == nil {
			if v.minor, wrong = strconv.Atoi(parts[1]); wrong == nil {
				return v, nil
			}
		}
	}
	return v, fmt.Errorf("the server calls its version %q, which is none", text)
}

// realtime says why the trigger of that name cannot be used. Servers below 4.3
// refuse aggregations there, and those below 4.2 take another trigger instead
// without a word.
func (v version) realtime() error {
	if v.below(4, 3) {
		return fmt.Errorf("--trigger realtime wants Spark 4.3 or later, where it can aggregate; this is %s: %w", v, liushui.ErrMisuse)
	}
	return nil
}
