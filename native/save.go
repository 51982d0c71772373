package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"liushui"
)

// saving is a checkpoint on its way to the disk. The loop goes on meanwhile:
// until it is there, the one before it and the journals of both hold the state.
type saving struct {
	state  *state // with the new list of segments, once done; its table is the loop's
	before []segment
	begun  time.Time
	ids    int
	bytes  int64
	done   chan error // has how it ended
}

// pagesAhead is how many pages of cells may wait for the disk; a slower one
// holds the loop up.
const pagesAhead = 32

// save begins to write what added says and a checkpoint with the cells of pages,
// aside, synced, renamed into place; then what two checkpoints do not need goes.
func (d directory) save(v *saving, added [][]idEntry, span int64) chan<- []byte {
	pages := make(chan []byte, pagesAhead)
	v.done = make(chan error, 1)
	go func() {
		err := d.write(v, pages, added, span)
		for range pages { // where it has failed, nobody waits for it
		}
		if err == nil {
			err = errors.Join(d.dropOld(v.before, v.state.segments), d.dropAside())
		}
		v.done <- err
	}()
	return pages
}

func (d directory) write(v *saving, pages <-chan []byte, added [][]idEntry, span int64) error {
	var size counter
	name := d.checkpoint(v.state.number)
	under := name + aside // another at each: a crash may leave both names on one file
	err := d.writeAt(under, 0, func(w io.Writer) error {
		return encode(io.MultiWriter(w, &size), pages, func() (head []byte, err error) {
			v.state.segments, err = d.appendIDs(v.state.segments, added, span)
			return v.state.encodeHead(nil), err
		})
	})
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	if err := d.Rename(under, name); err != nil {
		return fmt.Errorf("keep checkpoint: %w", err)
	}
	v.bytes = int64(size)
	return d.SyncDir(d.path)
}

// counter counts what is written.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// checkpoint sends what is held back and says so, waits until all is acknowledged,
// and begins to write the state, beside the loop; the journal begins anew.
func (e *Engine) checkpoint(ctx context.Context) error {
	if err := e.saved(ctx, true); err != nil {
		return err
	}
	now := time.Now()
	if err := e.send(ctx, now, true); err != nil {
		return err
	}
	if e.account.Read > 0 { // before that there is no result that could be lost
		if err := e.sendProgress(ctx, now, false); err != nil {
			return err
		}
	}
	if err := errors.Join(e.c.Results.Flush(ctx), e.c.DeadLetters.Flush(ctx)); err != nil {
		return fmt.Errorf("wait for acknowledgements: %w", err)
	}
	s := e.snapshot()
	next, err := e.dir.createJournal(s.number)
	if err != nil {
		return err
	}
	e.saving = &saving{state: s, before: e.segments, begun: now, ids: e.ids.size()}
	pages := e.dir.save(e.saving, e.ids.added, e.marks.corrections)
	e.table.encode(pages)
	close(pages)
	if e.journal != nil {
		err = e.journal.close()
	}
	e.journal, e.number = next, s.number
	e.ids.added = nil
	e.settled = e.marks.watermark
	e.sinceCheckpoint, e.checkpointed = 0, now
	return err
}

// saved takes up a checkpoint that has come to the disk; it waits for it if told to.
func (e *Engine) saved(ctx context.Context, wait bool) error {
	v := e.saving
	if v == nil {
		return nil
	}
	var err error
	if wait {
		err = <-v.done
	} else {
		select {
		case err = <-v.done:
		default:
			return nil
		}
	}
	e.saving = nil
	if err != nil {
		return err
	}
	e.kept = &liushui.Checkpoint{Time: v.begun.UnixMilli(), Bytes: v.bytes, Took: time.Since(v.begun).Milliseconds(), IDs: int64(v.ids)}
	e.segments = v.state.segments
	e.older, e.newest = e.newest, offsetsOf(v.state.partitions)
	return e.commitOlder(ctx)
}

// commitOlder tells others what the engine will never read again.
func (e *Engine) commitOlder(ctx context.Context) error {
	if len(e.older) == 0 {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := e.intake.reader.Commit(within, Group, e.older); err != nil && ctx.Err() == nil {
		e.c.Log.Warn("offsets were not committed; the next checkpoint tries again", "group", Group, "error", err)
	}
	return nil
}

func offsetsOf(partitions map[int32]partition) map[int32]int64 {
	offsets := map[int32]int64{}
	for number, p := range partitions {
		offsets[number] = p.offset
	}
	return offsets
}

func (e *Engine) snapshot() *state {
	s := &state{number: e.number + 1, jobHash: e.c.Job.Hash(), topicID: e.topicID, resultsID: e.resultsID, generation: e.generation, replaces: e.replaces,
		completeFrom: e.completeFrom, unseen: slices.Clone(e.unseen), watermark: e.marks.watermark, partitions: map[int32]partition{},
		account: e.account, corrected: e.corrected, judged: e.judged, newest: e.marks.newest, feed: e.feed,
		segments: liveSegments(e.segments, e.marks.tooLate())}
	for number, p := range e.marks.partitions {
		s.partitions[number] = *p
	}
	return s
}
