package source

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"liushui"
)

// DefaultMaxBad is the share of bad rows above which a file is refused.
const DefaultMaxBad = 0.01

// ReplayConfig says what is replayed.
type ReplayConfig struct {
	File        string // CSV
	Mapping     *Mapping
	RejectsFile string  // gets the bad rows; empty: none is written
	MaxBad      float64 // share of bad rows that is borne; 0: DefaultMaxBad; negative: none at all
	Loop        bool    // begin anew at the end, with later times and new ids
	AsIfNow     bool    // an event's time is the moment it is sent; new ids each run
	RunStart    int64   // ms; goes into new ids
	Progress    func(read, size int64)
	Log         *slog.Logger

	held int64 // the largest file that is held in memory; 0: heldSize
}

// Replay gives a file's events in order of time; of equal times the file's
// order stands. It is a Source.
type Replay struct {
	config      ReplayConfig
	table       *table
	plan        *plan
	index       *index
	fingerprint string
	span        int64 // ms that a lap adds
	lap         int64
	next        int // entry
	row         row
	often       BadRow // of the most frequent reason
}

// OpenReplay reads the file once: it finds the bad rows, writes them to the
// rejects file, and sorts the events by time, at 24 bytes an event.
func OpenReplay(ctx context.Context, c ReplayConfig) (r *Replay, err error) {
	if c.MaxBad == 0 {
		c.MaxBad = DefaultMaxBad
	}
	r = &Replay{config: c}
	if r.fingerprint, err = Fingerprint(ctx, c); err != nil {
		return nil, err
	}
	if r.table, err = openTable(ctx, "csv", c.File, c.Mapping.csv, cmp.Or(c.held, heldSize)); err != nil {
		return nil, err
	}
	if err = r.open(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Replay) open(ctx context.Context) (err error) {
	if r.plan, err = r.config.Mapping.bindTo(ctx, r.table); err != nil {
		return err
	}
	if r.config.AsIfNow || r.config.Loop {
		r.plan.suffix = longestSuffix
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	r.setLap(0)
	if err := r.judgeBad(); err != nil {
		return err
	}
	if n := r.index.entries.Len(); n > 0 {
		r.span = ((r.index.entries.at(n-1).time-r.index.entries.at(0).time)/day + 1) * day
	} else if r.index.bad == 0 {
		r.config.Log.Warn("the file makes no events", "file", r.config.File, "rows", r.index.rows)
	}
	return nil
}

// shownBad is how many bad rows are logged one by one.
const shownBad = 10

func (r *Replay) read(ctx context.Context) (err error) {
	out := &rejects{path: r.config.RejectsFile}
	defer func() { err = errors.Join(err, out.close()) }()
	shown, reasons := 0, map[string]int{}
	r.index, err = buildIndex(ctx, &scan{table: r.table, plan: r.plan, progress: r.config.Progress, bad: func(b BadRow) error {
		if reasons[b.Reason]++; reasons[b.Reason] > reasons[r.often.Reason] {
			r.often = b
		}
		if shown++; shown <= shownBad {
			r.config.Log.Warn("bad row", "file", b.File, "line", b.Line, "reason", b.Detail)
		}
		return out.add(b)
	}})
	return err
}

func (r *Replay) judgeBad() error {
	x := r.index
	if x.bad == 0 {
		return nil
	}
	where := ""
	if r.config.RejectsFile != "" {
		where = "; they are in " + r.config.RejectsFile
	}
	if float64(x.bad) > max(r.config.MaxBad, 0)*float64(x.rows) {
		return misuse("csv %s: %d of %d rows are bad, more than --max-bad %s; most often: %s (line %d)%s; see them with  liushui check %s --csv %s",
			r.config.File, x.bad, x.rows, percent(r.config.MaxBad), r.often.Detail, r.often.Line, where, r.config.Mapping.Name, r.config.File)
	}
	r.config.Log.Warn("bad rows are left out", "file", r.config.File, "bad", x.bad, "rows", x.rows, "rejects", r.config.RejectsFile)
	return nil
}

func percent(share float64) string {
	return strconv.FormatFloat(max(share, 0)*100, 'g', 4, 64) + "%"
}

// Fingerprint names, in hex, all that makes a replay's ids and times: the
// file's and its lookups' content, the mapping, and the options that change them.
func Fingerprint(ctx context.Context, c ReplayConfig) (string, error) {
	h := sha256.New()
	add := func(what, path string) error {
		sum, err := contentHash(ctx, what, path)
		fmt.Fprintln(h, sum)
		return err
	}
	if err := add("csv", c.File); err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Mapping.lookups)) {
		if err := add("lookup "+name+":", c.Mapping.findLookup(c.Mapping.lookups[name], c.File)); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(h, "%t %t %s", c.Loop, c.AsIfNow, c.Mapping.Text)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Close closes the file.
func (r *Replay) Close() error { return r.table.text.Close() }

// Rows is how many rows the file has; bad of them are bad, silent ones are
// good but make no event.
func (r *Replay) Rows() (all, bad, silent int64) { return r.index.rows, r.index.bad, r.index.silent }

// Events is how many events one lap has.
func (r *Replay) Events() int64 { return int64(r.index.entries.Len()) }

// Feed is liushui.FeedReplay.
func (r *Replay) Feed() string { return liushui.FeedReplay }

// Total is how many items the run has; 0 with Loop.
func (r *Replay) Total() int64 {
	if r.config.Loop {
		return 0
	}
	return r.Events()
}

// Fingerprint names all that makes the replay's items; empty with AsIfNow,
// where each start is a new run.
func (r *Replay) Fingerprint() string {
	if r.config.AsIfNow {
		return ""
	}
	return r.fingerprint
}

// RunStart is what goes into the ids of laps.
func (r *Replay) RunStart() int64 { return r.config.RunStart }

// Resume makes Next go on behind so many items of the run that began at runStart.
func (r *Replay) Resume(runStart, items int64) error {
	events := r.Events()
	if items < 0 || items > events && !r.config.Loop {
		return fmt.Errorf("resume %s behind %d events: it has %d", filepath.Base(r.config.File), items, events)
	}
	r.config.RunStart = runStart
	if r.config.Loop && events > 0 {
		r.setLap(items / events)
		r.next = int(items % events)
		return nil
	}
	r.next = int(items)
	return nil
}

// longestSuffix stands for any that an id may get, when its length is judged.
const longestSuffix = "@123456789.1234567890"

// setLap begins a lap; ids of all but the first, and of every run as if now, carry the run's start.
func (r *Replay) setLap(lap int64) {
	r.lap, r.plan.suffix = lap, ""
	if lap > 0 || r.config.AsIfNow {
		r.plan.suffix = "@" + strconv.FormatInt(r.config.RunStart, 36)
	}
	if lap > 0 {
		r.plan.suffix += "." + strconv.FormatInt(lap, 10)
	}
}

// Next fills items.
func (r *Replay) Next(items []Item) (n int, err error) {
	for n < len(items) {
		if r.next == r.index.entries.Len() {
			if !r.config.Loop || r.next == 0 {
				break
			}
			r.setLap(r.lap + 1)
			r.next = 0
		}
		if err := r.item(r.index.entries.at(r.next), &items[n]); err != nil {
			return n, err
		}
		r.next++
		n++
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// item reads an entry's row again and makes its event.
func (r *Replay) item(at *entry, into *Item) error {
	text, err := r.table.text.read(at.offset, at.length())
	if err == nil {
		err = r.table.rows.row(text)
	}
	if err != nil || len(r.table.rows.fields) != len(r.table.columns) {
		return r.changed(err)
	}
	r.row.number, r.row.fields = int64(at.row), r.table.rows.fields
	made, d := r.plan.make(at.event(), &r.row, &into.Event)
	if !made || d != nil || into.Event.Time != at.time {
		return r.changed(nil)
	}
	into.Event.Time += r.lap * r.span
	into.At, into.Now, into.Raw = into.Event.Time, r.config.AsIfNow, nil
	return nil
}

func (r *Replay) changed(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return misuse("csv %s: changed while it was replayed; start again", r.config.File)
	}
	return fmt.Errorf("read %s again: %w", r.config.File, err)
}

// trimBad leaves out the sentinel's words at the end.
func trimBad(err error) string { return strings.TrimSuffix(err.Error(), ": "+liushui.ErrBad.Error()) }
