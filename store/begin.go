package store

import (
	"context"
	"fmt"

	"liushui"
)

// Begin checks the kept place against the results topic as it is now: its id and
// the offsets [start, end] that may be read next. A new store begins at start.
//
// ErrOtherTopic: the rows come from another log; with Adopt all of them are
// dropped, so that figures of two logs are never mixed. ErrGone: the log no
// longer, or not yet, holds the next record. With Adopt the rows of this topic
// are kept and its log is taken from its start, wherever the store stood.
func (s *Store) Begin(ctx context.Context, topicID string, start, end int64) error {
	if s.write == nil {
		return fmt.Errorf("begin on %s: it was opened to read only", s.db)
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	return s.retry(ctx, "take up the results topic", func() error { return s.begin(ctx, topicID, start, end) })
}

func (s *Store) begin(ctx context.Context, topicID string, start, end int64) error {
	held, err := readPosition(ctx, s.db, s.write)
	if err != nil {
		return err
	}
	next := held.next
	if s.adopt || held.topicID == "" {
		next = start // a log that went back may have grown again past the place, and absolute values do no harm twice
	}
	switch {
	case held.topicID == "":
	case held.topicID != topicID:
		if !s.adopt {
			return fmt.Errorf("%s holds rows of another log (kept topic id %s, found %s): %w; `store --adopt` drops them and starts anew, or name another database", s.db, held.topicID, topicID, liushui.ErrOtherTopic)
		}
		s.log.Warn("starting anew with another topic; dropping the rows of the one before", "database", s.db.String(), "kept", held.topicID, "found", topicID)
		if err := s.drop(ctx); err != nil {
			return err
		}
	case held.next < start || held.next > end:
		if !s.adopt {
			return fmt.Errorf("%s stands at offset %d of the results, but the log has %d to %d: %w; `store --adopt` goes on at %d, and `liushui reconcile --repair` mends what is missing", s.db, held.next, start, end, liushui.ErrGone, start)
		}
		s.log.Warn("going on at another offset; results between are missing until `liushui reconcile --repair`", "database", s.db.String(), "from", held.next, "to", next)
	}
	err = s.setPosition(ctx, topicID, next, held.revision+1)
	if err == nil {
		s.next = next
	}
	return err
}

func (s *Store) setPosition(ctx context.Context, topicID string, next, revision int64) error {
	text := "REPLACE INTO " + s.db.quote(tableStore) + " (" + quoted(s.db, []string{"id", "version", "topic_id", "next", "revision"}) + ") VALUES (1, ?, ?, ?, ?)"
	if _, err := s.write.ExecContext(ctx, text, schemaVersion, topicID, next, revision); err != nil {
		return fmt.Errorf("keep the place in the topic: %w", err)
	}
	s.writer = nil
	return nil
}
