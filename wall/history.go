package wall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"liushui"
)

// storeState is what the wall says of the store.
type storeState struct {
	word  string // ok, behind, none
	delay *int64 // ms; nil = unknown
	last  int64  // its position when it answered last

	retries int64 // of its transactions, as of then

	corrections []correctionView // that it held then
}

// storeEvery is how often the store is asked for its position.
const storeEvery = 2 * time.Second

// Load fills the board from the history and returns from where the topic of
// results is to be followed: the topic's id (empty: any) and an offset. Without
// a history that is the log's start.
func (w *Wall) Load(ctx context.Context) (topicID string, offset int64, err error) {
	fresh := newBoard()
	fresh.missing = w.config.History == nil
	if w.config.History != nil {
		err = w.config.History.View(ctx, func(s liushui.Snapshot) error {
			topicID, offset = s.Position()
			fresh.standing = s.Standing().Clone()
			fresh.observed(liushui.KindJob)
			fresh.reload = false
			return fresh.fill(ctx, s)
		})
		if err != nil {
			return "", 0, fmt.Errorf("load the board from the store: %w", err)
		}
		fresh.next = offset
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.board, w.loaded = fresh, true
	if w.config.History != nil {
		w.store = storeState{word: "ok", delay: new(int64), last: offset}
	}
	return topicID, offset, nil
}

// fill takes the rows that have a place on the wall.
func (b *board) fill(ctx context.Context, from liushui.Snapshot) error {
	s := b.shelves[b.generation]
	if s == nil {
		return nil
	}
	if s.newest == 0 && s.dayWindow {
		newest := liushui.Query{Statistic: statSales, Window: windowDay, Newest: true, Limit: 1}
		if err := b.take(ctx, from, newest); err != nil {
			return err
		}
	}
	if s.newest == 0 {
		return nil
	}
	for _, c := range s.curves {
		oldest := s.newest - reach(c.window)
		before := liushui.Query{Statistic: statSales, Window: c.window.Name, To: oldest, Newest: true, Limit: 1}
		if err := b.take(ctx, from, before); err != nil {
			return err
		}
		if err := b.take(ctx, from, liushui.Query{Statistic: statSales, Window: c.window.Name, From: oldest}); err != nil {
			return err
		}
	}
	for _, name := range []string{statSales, statActivity, statCategory, statProvince} {
		statistic := s.job.Statistic(name)
		if statistic == nil {
			continue
		}
		if _, ok := statistic.Window(windowDay); !ok {
			continue
		}
		if err := b.take(ctx, from, liushui.Query{Statistic: name, Window: windowDay, From: s.today()}); err != nil {
			return err
		}
	}
	return nil
}

// take asks for rows, which have the form of the shown job, and puts each on the
// shelf of its generation, whose job may order and name measures otherwise.
func (b *board) take(ctx context.Context, from liushui.Snapshot, q liushui.Query) error {
	rows, err := from.Rows(ctx, q)
	if err != nil {
		return fmt.Errorf("rows of %s %s: %w", q.Statistic, q.Window, err)
	}
	asked := b.standing.Job(b.generation).Statistic(q.Statistic)
	for i := range rows {
		r := &rows[i].Result
		if r.Generation != b.generation {
			job := b.standing.Job(r.Generation)
			if job == nil || job.Statistic(q.Statistic) == nil {
				continue
			}
			r = recast(r, asked, job.Statistic(q.Statistic))
		}
		b.put(r)
	}
	return nil
}

// recast brings a result of one statistic into the form of another of its name;
// what the first does not have is null.
func recast(r *liushui.Result, from, to *liushui.Statistic) *liushui.Result {
	c := *r
	c.Key, c.Values = nil, nil
	for _, name := range to.By {
		key := ""
		if i := slices.Index(from.By, name); i >= 0 {
			key = r.Key[i]
		}
		c.Key = append(c.Key, key)
	}
	for _, m := range to.Measures {
		v := liushui.Value{Null: true}
		if i := slices.IndexFunc(from.Measures, func(f liushui.Measure) bool { return f.Name == m.Name && f.Kind == m.Kind }); i >= 0 {
			v = r.Values[i]
		}
		c.Values = append(c.Values, v)
	}
	return &c
}

// watchStore asks the store for its position, and once for all rows when another
// generation came to be shown, until ctx is done.
func (w *Wall) watchStore(ctx context.Context) {
	ticker := time.NewTicker(storeEvery)
	defer ticker.Stop()
	for away := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := w.askStore(ctx)
		if lost := err != nil && !errors.Is(err, context.Canceled); lost != away {
			if away = lost; away {
				w.log.Warn("the store does not answer", "error", err)
			} else {
				w.log.Info("the store answers again")
			}
		}
	}
}

func (w *Wall) askStore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	position, retries := int64(-1), int64(0)
	var corrections []correctionView
	w.mu.Lock()
	today, _, _ := w.board.todayDay()
	w.mu.Unlock()
	err := w.config.History.View(ctx, func(s liushui.Snapshot) (err error) {
		_, position = s.Position()
		if retries, err = s.Retries(ctx); err != nil {
			return err
		}
		if corrections, err = recentCorrections(ctx, s, today); err != nil {
			return err
		}
		return w.reload(ctx, s)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.store.corrections, w.store.retries = corrections, retries
	}
	w.store.position(w.board, position, err)
	return err
}

// position judges how far a store is behind what the board has seen. A store
// that does not answer falls behind from its last position on.
func (s *storeState) position(b *board, position int64, err error) {
	now := time.Now().UnixMilli()
	if err == nil {
		s.last = position
	}
	delay := b.marks.delay(s.last, b.newest, now)
	s.delay, s.word = &delay, "ok"
	if delay > behind || err != nil {
		s.word = "behind"
	}
}

// reload adds a store's rows of a generation that came to be shown after Load,
// once the store has come as far.
func (w *Wall) reload(ctx context.Context, s liushui.Snapshot) error {
	w.mu.Lock()
	wanted, generation := w.board.reload, w.board.generation
	w.mu.Unlock()
	if !wanted {
		return nil
	}
	rows := newBoard()
	rows.standing = s.Standing().Clone()
	rows.observed(liushui.KindJob)
	if rows.generation != generation {
		return nil // not as far yet; ask again
	}
	if err := rows.fill(ctx, s); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.board.generation == generation {
		w.board.merge(rows)
		w.board.reload = false
	}
	return nil
}

// merge takes the results of another board, where they are newer.
func (b *board) merge(from *board) {
	for number, rows := range from.shelves {
		into := b.shelves[number]
		if into == nil {
			continue
		}
		rows.each(into.put)
		for name, c := range rows.curves {
			if into.curves[name] != nil && c.first != 0 {
				into.curves[name].saw(c.first)
			}
		}
	}
}
