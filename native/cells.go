package native

import (
	"container/heap"
	"slices"

	"liushui"
)

// cell is one statistic, window and key: absolute values, and what was sent of them.
type cell struct {
	start    int64
	end      int64
	version  int64 // events folded in
	counts   []int64
	few      [1]int64 // where counts stands when there is one
	dirty    bool     // stands in the list of cells to send
	delta    int32    // what the batch adds, by folder.deltas
	batch    uint32   // in which delta was given
	window   int32    // into statistic.windows
	late     int64    // events that came after the window was final
	stat     *statistic
	series   *series
	sums     []liushui.Sum
	sketches []sketch
	sent     int64 // clock ms of the newest sending; 0 = never
}

// series are the cells of one statistic and key. recent finds the newest cells
// of each window without a map.
type series struct {
	start  int64  // of the smallest window found last
	batch  uint32 // in which delta was given to it
	delta  int32
	only   *cell // of a statistic's only window: the one found last
	key    [maxBy]uint32
	recent [][]*cell // by window; nil where there is one
	cells  int
}

// recentCells is how many cells of a window a series finds at once: seconds
// come out of order within the lateness, long windows hardly.
func recentCells(size int64) int {
	switch {
	case size <= 15_000:
		return 16
	case size <= 900_000:
		return 4
	}
	return 2
}

// cellKey finds a cell that is no longer among the recent ones.
type cellKey struct {
	series *series
	window int
	start  int64
}

// table holds all open cells.
type table struct {
	plan  *plan
	dims  []*dictionary // by plan.dims
	small [][][]*series // of statistics with at most one field besides type: by its kind (0 where the type does not group) and number
	large []map[[maxBy]uint32]*series
	cells map[cellKey]*cell
	byEnd map[int64][]*cell
	ends  endHeap
}

func newTable(p *plan) *table {
	t := &table{plan: p, cells: map[cellKey]*cell{}, byEnd: map[int64][]*cell{}}
	for range p.dims {
		t.dims = append(t.dims, newDictionary())
	}
	t.small = make([][][]*series, len(p.stats))
	t.large = make([]map[[maxBy]uint32]*series, len(p.stats))
	for i, s := range p.stats {
		if s.many {
			t.large[i] = map[[maxBy]uint32]*series{}
		} else {
			t.small[i] = make([][]*series, len(liushui.EventTypes))
		}
	}
	return t
}

// find returns the series of a key, made where it is new. The key has the
// numbers of the dictionaries, and the type's own.
func (t *table) find(s *statistic, key [maxBy]uint32) *series {
	if s.many {
		found := t.large[s.number][key]
		if found == nil {
			found = t.newSeries(s, key)
			t.large[s.number][key] = found
		}
		return found
	}
	kind, number := s.smallAt(key)
	small := t.small[s.number][kind]
	if int(number) >= len(small) {
		small = append(small, make([]*series, int(number)+1-len(small)+len(small)/2)...)
		t.small[s.number][kind] = small
	}
	if small[number] == nil {
		small[number] = t.newSeries(s, key)
	}
	return small[number]
}

// smallAt is where the series of a key stands in table.small.
func (s *statistic) smallAt(key [maxBy]uint32) (kind, number uint32) {
	for i, dim := range s.by {
		if dim == isType {
			kind = key[i]
		} else {
			number = key[i]
		}
	}
	return kind, number
}

func (t *table) newSeries(s *statistic, key [maxBy]uint32) *series {
	if len(s.windows) == 1 {
		return &series{key: key}
	}
	found := &series{key: key, recent: make([][]*cell, len(s.windows))}
	for i, w := range s.windows {
		found.recent[i] = make([]*cell, recentCells(t.plan.windows[w].Size))
	}
	return found
}

// cell returns the cell of a window, made where it is new.
func (t *table) cell(s *statistic, of *series, window int, sp *span) *cell {
	if of.recent == nil {
		return t.cellApart(s, of, window, sp, &of.only)
	}
	recent := of.recent[window]
	at := &recent[sp.number&(len(recent)-1)]
	if c := *at; c != nil && c.start == sp.start {
		return c
	}
	return t.cellApart(s, of, window, sp, at)
}

// cellApart finds or makes a cell that is not among the recent ones.
func (t *table) cellApart(s *statistic, of *series, window int, sp *span, at **cell) *cell {
	start, end := sp.start, sp.end
	key := cellKey{of, window, start}
	c := t.cells[key]
	if c == nil {
		c = &cell{stat: s, series: of, window: int32(window), start: start, end: end}
		if s.counts > len(c.few) {
			c.counts = make([]int64, s.counts)
		} else {
			c.counts = c.few[:s.counts]
		}
		c.sums = make([]liushui.Sum, s.sums)
		c.sketches = make([]sketch, s.hashes)
		of.cells++
		t.cells[key] = c
		if t.byEnd[end] == nil {
			heap.Push(&t.ends, end)
		}
		t.byEnd[end] = append(t.byEnd[end], c)
	}
	if held := *at; held == nil || held.start < start {
		*at = c
	}
	return c
}

// evict drops the cells whose window ended at or before tooLate: no event can
// reach them any more. They must have been sent.
func (t *table) evict(tooLate int64) {
	for len(t.ends) > 0 && t.ends[0] <= tooLate {
		end := heap.Pop(&t.ends).(int64)
		kept := t.byEnd[end][:0]
		for _, c := range t.byEnd[end] {
			if c.dirty {
				kept = append(kept, c)
				continue
			}
			t.drop(c)
		}
		if len(kept) == 0 {
			delete(t.byEnd, end)
			continue
		}
		t.byEnd[end] = kept
		heap.Push(&t.ends, end)
		return // the rest goes when these are sent
	}
}

func (t *table) drop(c *cell) {
	delete(t.cells, cellKey{c.series, int(c.window), c.start})
	if c.series.only == c {
		c.series.only = nil
	}
	if c.series.recent != nil {
		for i, held := range c.series.recent[c.window] {
			if held == c {
				c.series.recent[c.window][i] = nil
			}
		}
	}
	if c.series.cells--; c.series.cells > 0 {
		return
	}
	if large := t.large[c.stat.number]; large != nil {
		delete(large, c.series.key)
		return
	}
	kind, number := c.stat.smallAt(c.series.key)
	t.small[c.stat.number][kind][number] = nil
}

// sweep forgets values of dimensions that no open cell uses, where they have
// become many. It is called between batches.
func (t *table) sweep() {
	due := false
	for _, d := range t.dims {
		due = due || d.crowded()
	}
	if !due {
		return
	}
	used := make([][]bool, len(t.dims))
	for i, d := range t.dims {
		used[i] = make([]bool, len(d.values))
	}
	for _, c := range t.cells {
		for i, dim := range c.stat.by {
			if dim != isType {
				used[dim][c.series.key[i]] = true
			}
		}
	}
	for i, d := range t.dims {
		d.sweep(used[i])
	}
}

// keyText appends the values of a cell's key.
func (t *table) keyText(c *cell, text []string) []string {
	for i, dim := range c.stat.by {
		if dim == isType {
			text = append(text, liushui.EventTypes[c.series.key[i]])
		} else {
			text = append(text, t.dims[dim].values[c.series.key[i]])
		}
	}
	return text
}

// endHeap is a heap of window ends, the earliest first.
type endHeap []int64

func (h endHeap) Len() int           { return len(h) }
func (h endHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h endHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *endHeap) Push(x any)        { *h = append(*h, x.(int64)) }
func (h *endHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = slices.Delete(old, len(old)-1, len(old))
	return x
}
