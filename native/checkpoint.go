package native

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/zeebo/xxh3"

	"liushui"
)

// state is all that a checkpoint holds besides the ids, which it names.
type state struct {
	number       int64
	jobHash      string
	topicID      string // of the events
	resultsID    string
	generation   int64
	replaces     int64   // the generation that another log gave, or 0
	completeFrom int64   // windows that begin earlier are not sent; none = not known yet
	unseen       []int32 // partitions whose first event is still to come before completeFrom is known
	watermark    int64
	partitions   map[int32]partition
	account      liushui.Account
	corrected    int64
	judged       int64
	newest       int64
	feed         string
	segments     []segment
	table        *table
	ids          *idSet
}

const checkpointStart = "liushui checkpoint 3\n"

// encode writes the checkpoint: its start, the cells from pages of a table, what
// end gives (the head, which names segments), the head's offset and XXH3 (64
// bits each) of all before it.
func encode(to io.Writer, pages <-chan []byte, end func() ([]byte, error)) error {
	sum, at := xxh3.New(), counter(0)
	w := io.MultiWriter(to, sum, &at)
	if _, err := io.WriteString(w, checkpointStart); err != nil {
		return err
	}
	for page := range pages {
		if _, err := w.Write(page); err != nil {
			return err
		}
	}
	head, err := end()
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(head, uint64(at))); err != nil {
		return err
	}
	_, err = to.Write(binary.LittleEndian.AppendUint64(nil, sum.Sum64()))
	return err
}

func (s *state) encodeHead(b []byte) []byte {
	b = appendText(b, s.jobHash)
	b = appendText(b, s.topicID)
	b = appendText(b, s.resultsID)
	b = appendText(b, s.feed)
	for _, n := range []int64{s.number, s.generation, s.replaces, s.completeFrom, s.watermark, s.account.Read, s.account.Counted,
		s.account.Duplicate, s.account.Late, s.account.Bad, s.account.Ignored, s.corrected, s.judged, s.newest} {
		b = binary.AppendVarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(s.unseen)))
	for _, n := range s.unseen {
		b = binary.AppendVarint(b, int64(n))
	}
	b = binary.AppendUvarint(b, uint64(len(s.partitions)))
	for number, p := range s.partitions {
		for _, n := range []int64{int64(number), p.from, p.offset, p.newest, p.passed, p.first} {
			b = binary.AppendVarint(b, n)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(s.segments)))
	for _, seg := range s.segments {
		for _, n := range []int64{seg.number, seg.size, int64(seg.sum), seg.newest, seg.oldest} {
			b = binary.AppendVarint(b, n)
		}
	}
	return b
}

// pageSize is how much of the cells is handed over at once.
const pageSize = 256 << 10

// encode hands over what the numbers in cells mean, how many cells there are,
// and the cells.
func (t *table) encode(pages chan<- []byte) {
	page := binary.AppendUvarint(t.plan.encodeNames(make([]byte, 0, pageSize)), uint64(t.open))
	var before times
	for c := range t.all() {
		if page = t.encodeCell(page, c, &before); len(page) > pageSize*7/8 {
			pages <- page
			page = make([]byte, 0, pageSize)
		}
	}
	pages <- page
}

// encodeNames appends the names of statistics and measures: a job in which they
// stand in another order is the same job.
func (p *plan) encodeNames(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p.stats)))
	for _, stat := range p.stats {
		b = appendText(b, stat.Name)
		b = binary.AppendUvarint(b, uint64(len(stat.Measures)))
		for _, m := range stat.Measures {
			b = appendText(b, m.Name)
		}
	}
	return b
}

// times are of the cell before: cells of a block mostly have the same, so each
// difference takes a byte.
type times struct{ start, end int64 }

func (t *table) encodeCell(b []byte, c *cell, before *times) []byte {
	b = binary.AppendUvarint(b, uint64(c.stat.number)) // in the list of the head
	b = binary.AppendUvarint(b, uint64(c.window))      // in the statistic's, whose order the job fixes
	for i, dim := range c.stat.by {
		if dim == isType {
			b = binary.AppendUvarint(b, uint64(c.key[i]))
		} else {
			b = appendText(b, t.dims[dim].values[c.key[i]])
		}
	}
	b = binary.AppendVarint(b, c.start-before.start)
	b = binary.AppendVarint(b, c.end-before.end)
	*before = times{c.start, c.end}
	b = binary.AppendVarint(b, c.version)
	b = binary.AppendVarint(b, c.late)
	for i, m := range c.stat.Measures {
		switch m.Kind {
		case liushui.Count:
			b = binary.AppendVarint(b, c.counts[c.stat.slots[i]])
		case liushui.Distinct:
			b = c.sketches[c.stat.slots[i]].keep(b)
		default:
			sum := c.sums[c.stat.slots[i]]
			b = binary.AppendVarint(b, sum.Hi)
			b = binary.AppendUvarint(b, sum.Lo)
		}
	}
	return b
}

// decodeState reads a checkpoint for a job whose plan is p; it does not read the ids.
func decodeState(b []byte, p *plan) (*state, error) {
	if len(b) < len(checkpointStart)+16 || string(b[:len(checkpointStart)]) != checkpointStart {
		return nil, errors.New("it is not a checkpoint of this version")
	}
	body, cells := b[:len(b)-8], b[len(checkpointStart):len(b)-16]
	if xxh3.Hash(body) != binary.LittleEndian.Uint64(b[len(b)-8:]) {
		return nil, errors.New("wrong checksum")
	}
	at := binary.LittleEndian.Uint64(b[len(b)-16:])
	if at < uint64(len(checkpointStart)) || at > uint64(len(b)-16) {
		return nil, errShort
	}
	r := &reader{b: b[at : len(b)-16]}
	s := &state{jobHash: r.string(), topicID: r.string(), resultsID: r.string(), feed: r.string(), partitions: map[int32]partition{}}
	if s.jobHash != p.job.Hash() {
		return s, errOtherJob
	}
	for _, n := range []*int64{&s.number, &s.generation, &s.replaces, &s.completeFrom, &s.watermark, &s.account.Read, &s.account.Counted,
		&s.account.Duplicate, &s.account.Late, &s.account.Bad, &s.account.Ignored, &s.corrected, &s.judged, &s.newest} {
		*n = r.varint()
	}
	for range r.count() {
		s.unseen = append(s.unseen, int32(r.varint()))
	}
	for range r.count() {
		number := int32(r.varint())
		s.partitions[number] = partition{from: r.varint(), offset: r.varint(), newest: r.varint(), passed: r.varint(), first: r.varint()}
	}
	for range r.count() {
		s.segments = append(s.segments, segment{number: r.varint(), size: r.varint(), sum: uint32(r.varint()), newest: r.varint(), oldest: r.varint()})
	}
	s.table = newTable(p)
	return s, errors.Join(r.err, s.table.decode(&reader{b: cells[:int(at)-len(checkpointStart)]}))
}

// errOtherJob means that a checkpoint is of a job that computes something else.
var errOtherJob = errors.New("it belongs to another job")

func (t *table) decode(r *reader) error {
	list, err := t.plan.decodeNames(r)
	if err != nil {
		return err
	}
	var before times
	for range r.count() {
		number, window := r.uvarint(), r.uvarint()
		if number >= uint64(len(list)) {
			return errors.New("a cell of an unknown statistic")
		}
		of := list[number]
		if window >= uint64(len(of.stat.windows)) {
			return errors.New("a cell of an unknown window")
		}
		c, err := t.decodeKey(r, of.stat, int(window), &before)
		if err != nil {
			return err
		}
		if err := t.decodeValues(c, r, of.measures); err != nil {
			return err
		}
	}
	return r.err
}

// written is a statistic as a checkpoint has it.
type written struct {
	stat     *statistic
	measures []int // into stat.Measures, in the order of the checkpoint
}

func (p *plan) decodeNames(r *reader) ([]written, error) {
	var list []written
	for range r.count() {
		w, name := written{}, r.string()
		for _, s := range p.stats {
			if s.Name == name {
				w.stat = s
			}
		}
		if w.stat == nil {
			return nil, fmt.Errorf("cells of the unknown statistic %q", name)
		}
		for range r.count() {
			name := r.string()
			at := slices.IndexFunc(w.stat.Measures, func(m liushui.Measure) bool { return m.Name == name })
			if at < 0 {
				return nil, fmt.Errorf("cells with the unknown measure %q", name)
			}
			w.measures = append(w.measures, at)
		}
		list = append(list, w)
	}
	return list, r.err
}

func (t *table) decodeKey(r *reader, s *statistic, window int, before *times) (*cell, error) {
	var key [maxBy]uint32
	for i, dim := range s.by {
		if dim != isType {
			key[i] = t.dims[dim].number(t.dims[dim].word(r.bytes()))
			continue
		}
		kind := r.uvarint()
		if kind >= uint64(len(liushui.EventTypes)) {
			return nil, fmt.Errorf("a cell of the unknown type %d", kind)
		}
		key[i] = uint32(kind)
	}
	before.start += r.varint()
	before.end += r.varint()
	sp := newSpan(before.start, before.end, t.plan.windows[s.windows[window]].Size)
	c := t.reach(s, key, window, &sp)
	c.version, c.late = r.varint(), r.varint()
	return c, r.err
}

func (t *table) decodeValues(c *cell, r *reader, measures []int) (err error) {
	for _, i := range measures {
		slot := c.stat.slots[i]
		switch c.stat.Measures[i].Kind {
		case liushui.Count:
			c.counts[slot] = r.varint()
		case liushui.Distinct:
			if c.sketches[slot], err = restoreSketch(r.bytes()); err != nil && r.err == nil {
				return err
			}
		default:
			c.sums[slot] = liushui.Sum{Hi: r.varint(), Lo: r.uvarint()}
			t.sumChanged(c, slot)
		}
	}
	return r.err
}

// dropOld removes what the two newest checkpoints do not need: older ones, the
// journals before them, and segments that neither names.
func (d directory) dropOld(kept ...[]segment) error {
	checkpoints, err := d.numbers("checkpoint")
	if err != nil || len(checkpoints) < 2 {
		return err
	}
	older := func(number int64) bool { return number < checkpoints[len(checkpoints)-2] }
	unnamed := func(number int64) bool {
		return !slices.ContainsFunc(kept, func(list []segment) bool {
			return slices.ContainsFunc(list, func(s segment) bool { return s.number == number })
		})
	}
	return errors.Join(d.drop("checkpoint", older), d.drop("journal", older), d.drop("ids", unnamed))
}

// restored is what a directory holds: the newest whole checkpoint, and the
// batches judged since.
type restored struct {
	*state
	batches []journalEntry
	journal int64 // number of the last journal
	size    int64 // bytes of its whole entries
}

// restore reads the newest checkpoint that is whole, with its ids and journals.
// It returns nil where there is none, and errOtherJob where it is another job's.
func restore(d directory, p *plan, warn func(path string, err error)) (*restored, error) {
	numbers, err := d.numbers("checkpoint")
	if err != nil {
		return nil, err
	}
	for _, number := range slices.Backward(numbers) {
		s, err := d.readCheckpoint(number, p)
		if errors.Is(err, errOtherJob) {
			return nil, err
		}
		if err != nil {
			warn(d.checkpoint(number), err)
			if err := d.Rename(d.checkpoint(number), d.checkpoint(number)+".broken"); err != nil {
				return nil, fmt.Errorf("put a broken checkpoint aside: %w", err)
			}
			continue
		}
		r := &restored{state: s}
		if err := r.readJournals(d); err != nil {
			return nil, err
		}
		return r, nil
	}
	if len(numbers) > 0 {
		return nil, fmt.Errorf("none of the checkpoints in %s can be read; `liushui process --from earliest` computes all anew from the log", d.path)
	}
	return nil, nil
}

func (d directory) readCheckpoint(number int64, p *plan) (*state, error) {
	b, err := d.read(d.checkpoint(number))
	if err != nil {
		return nil, err
	}
	s, err := decodeState(b, p)
	if err != nil {
		return nil, err
	}
	s.ids = &idSet{}
	tooLate := int64(none)
	if s.watermark != none {
		tooLate = s.watermark - p.job.Corrections.Milliseconds()
	}
	for _, seg := range s.segments {
		if err := s.ids.readIDs(d, seg, tooLate); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (r *restored) readJournals(d directory) error {
	numbers, err := d.numbers("journal")
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if number < r.number {
			continue
		}
		entries, size, err := d.readJournal(number)
		if err != nil {
			return err
		}
		r.batches = append(r.batches, entries...)
		r.journal, r.size = number, size
	}
	return nil
}
