package native

import (
	"container/heap"
	"iter"
	"slices"

	"liushui"
)

// cell is one statistic, window and key: absolute values, and what was sent of
// them. What each event needs of a cell with one count stands in its first 64 bytes.
type cell struct {
	start    int64
	end      int64
	version  int64 // events folded in
	counts   []int64
	few      [1]int64 // where counts stands when there is one
	window   int32    // into statistic.windows
	dirty    bool     // stands in the list of cells to send
	tooLarge bool     // some sum does not fit into 64 bits; sums never fall
	late     int64    // events that came after the window was final
	sent     int64    // clock ms of the newest sending; 0 = never
	delta    int32    // what the batch adds, by folder.deltas
	batch    uint32   // in which delta was given
	stat     *statistic
	series   *series // nil where the statistic is chained
	older    *cell   // of a chained statistic: the key's next older one
	sums     []liushui.Sum
	sketches []sketch
	key      [maxBy]uint32
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

// table holds all open cells. They lie in blocks of cells that end together,
// in which they go together too.
type table struct {
	plan     *plan
	dims     []*dictionary // by plan.dims
	chains   [][][]*cell   // of chained statistics: the newest cells, by kind (0 where the type does not group) and number
	small    [][][]*series // of others with at most one field besides type: likewise
	large    []map[[maxBy]uint32]*series
	cells    map[cellKey]*cell // of statistics that are not chained
	blocks   map[int64][][]cell
	ends     endHeap // of blocks
	open     int     // cells
	tooLarge int64   // of them, those with a sum that does not fit
}

// Cells in a window's first block and in its largest ones.
const (
	firstBlock   = 8
	largestBlock = 256
)

func newTable(p *plan) *table {
	t := &table{plan: p, cells: map[cellKey]*cell{}, blocks: map[int64][][]cell{}}
	for range p.dims {
		t.dims = append(t.dims, newDictionary())
	}
	t.chains = make([][][]*cell, len(p.stats))
	t.small = make([][][]*series, len(p.stats))
	t.large = make([]map[[maxBy]uint32]*series, len(p.stats))
	for i, s := range p.stats {
		switch {
		case s.chained:
			t.chains[i] = make([][]*cell, len(liushui.EventTypes))
		case s.many:
			t.large[i] = map[[maxBy]uint32]*series{}
		default:
			t.small[i] = make([][]*series, len(liushui.EventTypes))
		}
	}
	return t
}

// reach returns the cell of any statistic, key and window, made where it is new.
func (t *table) reach(s *statistic, key [maxBy]uint32, window int, sp *span) *cell {
	if s.chained {
		return t.chained(s, key, sp)
	}
	return t.cell(s, t.find(s, key), window, sp)
}

// chained returns the cell of a chained statistic, made where it is new.
func (t *table) chained(s *statistic, key [maxBy]uint32, sp *span) *cell {
	at := t.chain(s, key)
	for *at != nil && (*at).start > sp.start {
		at = &(*at).older
	}
	c := *at
	if c == nil || c.start != sp.start {
		c = t.newCell(s, key, 0, sp)
		c.older = *at
		*at = c
	}
	return c
}

// chain is where the newest cell of a key stands.
func (t *table) chain(s *statistic, key [maxBy]uint32) **cell {
	kind, number := s.smallAt(key)
	t.chains[s.number][kind] = reaching(t.chains[s.number][kind], number)
	return &t.chains[s.number][kind][number]
}

// reaching lengthens list so that it has an element of a number.
func reaching[E any](list []E, number uint32) []E {
	if missing := int(number) + 1 - len(list); missing > 0 {
		list = append(list, make([]E, missing+len(list)/2)...)
	}
	return list
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
	small := reaching(t.small[s.number][kind], number)
	t.small[s.number][kind] = small
	if small[number] == nil {
		small[number] = t.newSeries(s, key)
	}
	return small[number]
}

// smallAt is where a key stands in table.small and table.chains.
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

// cell returns a series' cell of a window, made where it is new.
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
	place := cellKey{of, window, sp.start}
	c := t.cells[place]
	if c == nil {
		c = t.newCell(s, of.key, window, sp)
		c.series = of
		of.cells++
		t.cells[place] = c
	}
	if held := *at; held == nil || held.start < sp.start {
		*at = c
	}
	return c
}

// newCell takes a cell from the newest block of its window's end.
func (t *table) newCell(s *statistic, key [maxBy]uint32, window int, sp *span) *cell {
	blocks := t.blocks[sp.end]
	n := len(blocks)
	switch {
	case n == 0:
		heap.Push(&t.ends, sp.end)
		blocks = append(blocks, make([]cell, 0, firstBlock))
	case len(blocks[n-1]) == cap(blocks[n-1]):
		blocks = append(blocks, make([]cell, 0, min(2*cap(blocks[n-1]), largestBlock)))
	}
	last := &blocks[len(blocks)-1]
	*last = (*last)[:len(*last)+1]
	t.blocks[sp.end] = blocks
	t.open++
	c := &(*last)[len(*last)-1]
	c.stat, c.key, c.window, c.start, c.end = s, key, int32(window), sp.start, sp.end
	switch {
	case s.counts == len(c.few):
		c.counts = c.few[:]
	case s.counts > 0:
		c.counts = make([]int64, s.counts)
	}
	if s.sums > 0 {
		c.sums = make([]liushui.Sum, s.sums)
	}
	if s.hashes > 0 {
		c.sketches = make([]sketch, s.hashes)
	}
	return c
}

// sumChanged notes a sum that no longer fits into 64 bits.
func (t *table) sumChanged(c *cell, slot int) {
	if c.tooLarge {
		return
	}
	if _, ok := c.sums[slot].Int64(); !ok {
		c.tooLarge = true
		t.tooLarge++
	}
}

// evict drops the cells whose window ended at or before tooLate: no event can
// reach them any more. They must have been sent.
func (t *table) evict(tooLate int64) {
	for len(t.ends) > 0 && t.ends[0] <= tooLate {
		blocks := t.blocks[t.ends[0]]
		for _, block := range blocks {
			for i := range block {
				if block[i].dirty {
					return // it goes when this is sent
				}
			}
		}
		delete(t.blocks, heap.Pop(&t.ends).(int64))
		for _, block := range blocks {
			for i := range block {
				t.drop(&block[i])
			}
		}
	}
}

func (t *table) drop(c *cell) {
	t.open--
	if c.tooLarge {
		t.tooLarge--
	}
	if c.stat.chained {
		at := t.chain(c.stat, c.key)
		for *at != c {
			at = &(*at).older
		}
		*at = c.older
		return
	}
	of := c.series
	delete(t.cells, cellKey{of, int(c.window), c.start})
	if of.only == c {
		of.only = nil
	}
	if of.recent != nil {
		for i, held := range of.recent[c.window] {
			if held == c {
				of.recent[c.window][i] = nil
			}
		}
	}
	if of.cells--; of.cells > 0 {
		return
	}
	if large := t.large[c.stat.number]; large != nil {
		delete(large, c.key)
		return
	}
	kind, number := c.stat.smallAt(c.key)
	t.small[c.stat.number][kind][number] = nil
}

// all are the open cells, those that end first first: as they lie in memory.
func (t *table) all() iter.Seq[*cell] {
	return func(yield func(*cell) bool) {
		for _, end := range slices.Sorted(slices.Values(t.ends)) {
			for _, block := range t.blocks[end] {
				for i := range block {
					if !yield(&block[i]) {
						return
					}
				}
			}
		}
	}
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
	for c := range t.all() {
		for i, dim := range c.stat.by {
			if dim != isType {
				used[dim][c.key[i]] = true
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
			text = append(text, liushui.EventTypes[c.key[i]])
		} else {
			text = append(text, t.dims[dim].values[c.key[i]])
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
