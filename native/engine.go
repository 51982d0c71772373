package native

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"liushui"
)

const (
	engineName = "native"
	// Group is the group that the engine commits the offsets of its older checkpoint for.
	Group = "liushui-" + engineName
)

const defaultCheckpointEvery = 10 * time.Second

// Config is what an engine works with. Zero values are the defaults named.
type Config struct {
	Job *liushui.Job
	// Dir holds journal, checkpoints and ids in its folder native. One engine at a time.
	Dir  string
	Disk Disk // the operating system's
	// Topic is the name of the events' topic in dead letters; liushui.TopicEvents.
	Topic string
	// Events opens the events at offsets (nil: from the log's start); topicID, where
	// not empty, must be the topic's, else ErrOtherTopic.
	Events      func(ctx context.Context, offsets map[int32]int64, topicID string) (liushui.Reader, error)
	Results     liushui.Writer
	DeadLetters liushui.Writer
	// ResultsLog opens the results topic from its start, for job records; topicID as in Events.
	ResultsLog      func(ctx context.Context, topicID string) (liushui.Reader, error)
	Every           time.Duration // least time between two results of a cell; 100 ms
	MaxAhead        time.Duration // an event further ahead of its record's Kafka time is bad; 5 min
	CheckpointEvery time.Duration // 10 s
	FromEarliest    bool          // forget what was kept and compute all anew from the log
	ExitWhenDone    bool          // end at the end offsets found at the start
	Retries         func() int64  // what did not work with Kafka and was tried again, for progress records; none
	Log             *slog.Logger
}

// Engine computes one job. It implements liushui.Engine.
type Engine struct {
	c       Config
	dir     directory
	plan    *plan
	decoder *decoder
	table   *table
	folder  *folder
	ids     *idSet
	marks   *marks

	generation   int64
	run, said    int64            // see liushui.Progress: Run, and the newest Sent
	lost         error            // results of what was kept are no longer there
	forgotten    map[int32]int64  // with FromEarliest: where the state that was there had come to
	replaces     int64            // the generation that another log gave, or 0
	before       liushui.Progress // the last that was sent in this generation before this run
	earlier      liushui.Progress // the last that was sent by any engine before this run
	topicID      string           // of the events
	resultsID    string           // of the results
	completeFrom int64            // none: all windows are complete
	unseen       []int32          // partitions whose first event decides completeFrom
	account      liushui.Account
	corrected    int64
	judged       int64 // Kafka time of the newest judged record
	feed         string

	entryWatermark int64 // of the batch under way
	settled        int64 // the newest watermark in the journal or a checkpoint

	intake   *intake
	journal  *journal
	number   int64     // of the current journal
	saving   *saving   // nil where none is under way
	segments []segment // of the newest checkpoint
	kept     *liushui.Checkpoint
	older    map[int32]int64 // offsets of the checkpoint before the newest
	newest   map[int32]int64 // offsets of the newest checkpoint
	ends     []liushui.PartitionEnd
	targets  map[int32]int64 // with ExitWhenDone
	lagging  bool

	waiting  []changed
	ahead    [32]event // decoded, to be judged next
	aheadErr [32]error
	result   liushui.Result     // used again for each
	unsent   [][]liushui.Record // results that are made but not handed over, sendRecords at a time
	parked   []liushui.Record

	jobSent, progressSent, checkpointed, sentAll, rateSince time.Time
	rateRead                                                int64
	sinceCheckpoint                                         int64 // records

	mu       sync.Mutex
	progress liushui.Progress
}

// New checks the configuration; Run does the rest.
func New(c Config) (*Engine, error) {
	if c.Job == nil || c.Dir == "" || c.Events == nil || c.Results == nil || c.DeadLetters == nil || c.ResultsLog == nil || c.Log == nil {
		return nil, errors.New("native: the configuration lacks a job, a directory, a topic or a log")
	}
	if c.Topic == "" {
		c.Topic = liushui.TopicEvents
	}
	if c.Every == 0 {
		c.Every = 100 * time.Millisecond
	}
	if c.Disk == nil {
		c.Disk = osDisk{}
	}
	if c.MaxAhead == 0 {
		c.MaxAhead = 5 * time.Minute
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = defaultCheckpointEvery
	}
	c.Results = resultsWriter{c.Results}
	e := &Engine{c: c, dir: directory{c.Disk, filepath.Join(c.Dir, engineName)}, plan: compile(c.Job)}
	e.decoder = newDecoder(e.plan)
	e.reset()
	return e, nil
}

// reset is the state before the first record.
func (e *Engine) reset() {
	e.table = newTable(e.plan)
	e.folder = newFolder(e.plan, e.table)
	e.ids = &idSet{}
	e.marks = newMarks(e.c.Job)
	e.completeFrom, e.settled, e.entryWatermark = none, none, none
}

// Progress is the newest progress record that was sent.
func (e *Engine) Progress() liushui.Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.progress
}

// stopWithin bounds the last sendings of a clean stop.
const stopWithin = 4 * time.Second

// Run judges and sends until ctx is done, or with ExitWhenDone until the end.
// Where ctx ended it, it stops cleanly and returns nil.
func (e *Engine) Run(ctx context.Context) (err error) {
	e.run = time.Now().UnixMicro()
	unlock, err := e.dir.Lock(e.dir.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	kept, err := e.load()
	if err != nil {
		return err
	}
	if err := e.chooseGeneration(ctx, &kept); err != nil {
		return stopped(ctx, err)
	}
	reader, err := e.openEvents(ctx, kept)
	if err != nil {
		return stopped(ctx, err)
	}
	defer reader.Close()
	fetching, stopFetching := context.WithCancel(ctx)
	e.intake = startIntake(fetching, reader)
	defer func() { stopFetching(); <-e.intake.done }()
	defer func() {
		if e.saving != nil { // the engine fails of something else
			<-e.saving.done
		}
		if e.journal != nil {
			err = errors.Join(err, e.journal.close())
		}
	}()
	if err := e.begin(ctx, kept); err != nil {
		return stopped(ctx, err)
	}
	if err := e.loop(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	return e.stop(last)
}

func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// load reads what the directory keeps, or nil where there is nothing to go on with.
func (e *Engine) load() (*restored, error) {
	if e.c.FromEarliest {
		e.forgotten = e.dir.judged(e.plan)
		return nil, e.dir.forget()
	}
	kept, err := restore(e.dir, e.plan, func(path string, err error) {
		e.c.Log.Warn("checkpoint cannot be read, the one before it is taken", "file", path, "error", err)
	})
	if errors.Is(err, errOtherJob) {
		e.c.Log.Info("the job has changed: all is computed anew from the log")
		return nil, e.dir.forget()
	}
	return kept, err
}

// judged is where the state in a directory has come to; nothing, where it cannot be read.
func (d directory) judged(p *plan) map[int32]int64 {
	kept, err := restore(d, p, func(string, error) {})
	if err != nil || kept == nil {
		return nil
	}
	offsets := offsetsOf(kept.partitions)
	for _, entry := range kept.batches {
		maps.Copy(offsets, entry.ends)
	}
	return offsets
}

func (e *Engine) openEvents(ctx context.Context, kept *restored) (liushui.Reader, error) {
	var offsets map[int32]int64
	topicID := ""
	if kept != nil {
		offsets, topicID = map[int32]int64{}, kept.topicID
		for number, p := range kept.partitions {
			offsets[number] = p.offset
		}
	}
	reader, err := e.c.Events(ctx, offsets, topicID)
	if err != nil {
		return nil, fmt.Errorf("open the events: %w", withMend(err))
	}
	return reader, nil
}

// withMend says how to mend a log that is not the one that was judged.
func withMend(err error) error {
	switch {
	case errors.Is(err, liushui.ErrOtherTopic):
		return fmt.Errorf("%w; what was judged is not in the new one: `liushui process --from earliest` computes all that this one holds, and its figures take the place of the old ones", err)
	case errors.Is(err, liushui.ErrGone):
		return fmt.Errorf("%w; `liushui process --from earliest` computes all that the log still holds", err)
	}
	return err
}

// begin brings the engine to where it was, or to the log's start.
func (e *Engine) begin(ctx context.Context, kept *restored) error {
	e.topicID = e.intake.reader.TopicID()
	if err := e.awaitEnds(ctx); err != nil {
		return err
	}
	if kept != nil {
		return e.resume(ctx, kept)
	}
	e.startFresh()
	return errors.Join(e.checkpoint(ctx), e.saved(ctx, true))
}

// awaitEnds waits until each partition's extent is known.
func (e *Engine) awaitEnds(ctx context.Context) error {
	for {
		e.ends = e.intake.reader.Ends()
		known := len(e.ends) > 0
		for _, end := range e.ends {
			known = known && !end.Asked.IsZero()
		}
		if known {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case err := <-e.intake.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if e.c.ExitWhenDone {
		e.targets = map[int32]int64{}
		for _, end := range e.ends {
			e.targets[end.Partition] = end.End
		}
	}
	return nil
}

// startFresh begins at the log's start. Where a partition has lost its start,
// windows are complete only from the first readable events on.
func (e *Engine) startFresh() {
	lost := false
	for _, end := range e.ends {
		e.marks.partition(end.Partition).begin(end.Start)
		lost = lost || end.Start > 0
		if end.End > end.Start || e.allJudged(end) {
			e.unseen = append(e.unseen, end.Partition)
		}
	}
	switch {
	case !lost:
		e.unseen = nil
	case len(e.unseen) == 0: // nothing is left: the first that comes is the first readable one
		e.unseen = e.marks.numbers()
	}
}

// allJudged reports whether a partition holds nothing, and all that it has lost
// had been judged: then windows that begin later than the newest of that lack
// nothing of it.
func (e *Engine) allJudged(end liushui.PartitionEnd) bool {
	if end.Start == 0 || end.End > end.Start || e.earlier.TopicID != e.topicID {
		return false
	}
	for _, part := range e.earlier.Partitions {
		if part.Partition == end.Partition && part.Offset >= end.Start && part.Newest > 0 {
			e.marks.partition(end.Partition).first = part.Newest + 1 - e.marks.corrections
			return true
		}
	}
	return false
}

// unknownStart settles completeFrom once the first event of each partition has
// been read, and reports whether it is still unknown.
func (e *Engine) unknownStart() bool {
	if len(e.unseen) == 0 {
		return false
	}
	from := int64(none)
	for _, end := range e.ends {
		if !slices.Contains(e.unseen, end.Partition) {
			continue
		}
		p := e.marks.partition(end.Partition)
		if p.first == none && p.offset < end.End {
			return true
		}
		from = max(from, p.first)
	}
	if from == none {
		return true
	}
	e.completeFrom, e.unseen = from+e.marks.corrections, nil
	e.c.Log.Warn("the log has lost its start: earlier windows are incomplete and not sent",
		"complete_from", time.UnixMilli(e.completeFrom).In(e.c.Job.Zone))
	return false
}

// resume takes up a checkpoint and judges the batches of its journals again.
func (e *Engine) resume(ctx context.Context, kept *restored) error {
	e.adopt(kept)
	if err := e.checkJournaled(kept.batches); err != nil {
		return err
	}
	if e.lost != nil {
		return e.lost
	}
	begun := time.Now()
	for i, entry := range kept.batches {
		if err := e.rejudge(ctx, entry); err != nil {
			return fmt.Errorf("judge batch %d of %d again: %w", i+1, len(kept.batches), err)
		}
	}
	var err error
	e.number = max(kept.journal, kept.state.number)
	if kept.size > 0 {
		e.journal, err = e.dir.openJournal(e.number, kept.size)
	} else {
		e.journal, err = e.dir.createJournal(e.number) // a crash came between checkpoint and journal
	}
	e.c.Log.Info("went on from a checkpoint", "checkpoint", kept.state.number, "batches", len(kept.batches),
		"ids", e.ids.size(), "took", time.Since(begun).Round(time.Millisecond))
	e.marks.sampleNow(time.Now()) // all up to the newest had been read by now
	e.collect()
	return err
}

// checkJournaled sees that the log holds what was judged since the checkpoint.
// Records that come in the place of lost ones are others.
func (e *Engine) checkJournaled(batches []journalEntry) error {
	for _, entry := range batches {
		for _, end := range e.ends {
			if judged := entry.ends[end.Partition]; judged > end.End {
				return withMend(fmt.Errorf("partition %d of topic %s ends at offset %d, but was judged up to %d: %d records are lost, as after a power cut: %w",
					end.Partition, e.c.Topic, end.End, judged, judged-end.End, liushui.ErrGone))
			}
		}
	}
	return nil
}

// adopt takes a checkpoint's state.
func (e *Engine) adopt(kept *restored) {
	e.table, e.ids = kept.table, kept.ids
	e.folder = newFolder(e.plan, e.table)
	e.account, e.corrected, e.judged, e.feed = kept.account, kept.corrected, kept.judged, kept.feed
	e.completeFrom, e.unseen, e.segments = kept.completeFrom, kept.unseen, kept.segments
	e.marks.watermark, e.marks.newest, e.settled = kept.watermark, kept.state.newest, kept.watermark
	e.newest = map[int32]int64{}
	for number, p := range kept.partitions {
		e.marks.partitions[number] = &p
		e.newest[number] = p.offset
	}
	e.checkpointed = time.Now()
}

// rejudge reads the records of a journaled batch again and judges them as before.
func (e *Engine) rejudge(ctx context.Context, entry journalEntry) error {
	e.entryWatermark = entry.watermark
	for number := range entry.ends {
		e.marks.partition(number)
	}
	for _, number := range e.marks.numbers() {
		p, q := e.marks.partition(number), e.intake.queue(number)
		for p.offset < entry.ends[number] {
			if q.next() == nil {
				if err := e.awaitRecords(ctx); err != nil {
					return err
				}
				continue
			}
			if n, _ := e.judgeSome(number, batchLimit, entry.ends[number], -none); n == 0 {
				return fmt.Errorf("partition %d has lost the records from offset %d on: %w", number, p.offset, liushui.ErrGone)
			}
		}
	}
	e.folder.settle(e.entryWatermark)
	e.marks.raise(entry.after)
	e.settled = e.marks.watermark
	return nil
}

func (e *Engine) awaitRecords(ctx context.Context) error {
	select {
	case fetches := <-e.intake.fetched:
		e.meet(fetches)
		return nil
	case err := <-e.intake.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
