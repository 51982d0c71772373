package wall

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"liushui"
)

// line plays the line before the wall: it folds events plainly, and makes the
// records of the topic of results from them.
type line struct {
	t          testing.TB
	job        *liushui.Job
	text       string
	generation int64
	engine     string
	offset     int64
	clock      int64
	newest     int64
	account    liushui.Account
	partition  int64
	feed       string
	cells      map[string]*lineCell
	changed    []string
	topic      []liushui.Record
}

type lineCell struct {
	result    liushui.Result
	statistic *liushui.Statistic
	users     []map[string]bool
}

func newLine(t testing.TB, clock int64) *line {
	t.Helper()
	text, _ := liushui.BuiltinJob(liushui.DefaultJob)
	return newLineOf(t, clock, text)
}

func newLineOf(t testing.TB, clock int64, text string) *line {
	t.Helper()
	job, err := liushui.ParseJob("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return &line{t: t, job: job, text: text, generation: clock, engine: "native", clock: clock, feed: liushui.FeedLive, cells: map[string]*lineCell{}}
}

func (l *line) send(key string, value []byte) {
	l.topic = append(l.topic, liushui.Record{Offset: l.offset, Time: l.clock, Key: []byte(key), Value: value})
	l.offset++
}

func (l *line) sendJSON(key string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		l.t.Fatal(err)
	}
	l.send(key, text)
}

func (l *line) sendJob() {
	l.sendJSON(liushui.KeyJob, liushui.JobRecord{Job: l.job.Name, Hash: l.job.Hash(), Generation: l.generation, Engine: l.engine, Time: l.clock, Text: l.text})
}

// fold takes an event into all cells.
func (l *line) fold(e liushui.Event) {
	calendar := l.job.Calendar()
	counted := false
	for _, s := range l.job.Statistics {
		for _, w := range s.Windows {
			start, end := calendar.Span(w, e.Time)
			counted = l.foldInto(s, w.Name, start, end, &e) || counted
		}
	}
	l.newest = max(l.newest, e.Time)
	l.partition++
	l.account.Read++
	if counted {
		l.account.Counted++
	} else {
		l.account.Ignored++
	}
}

func (l *line) foldInto(s *liushui.Statistic, window string, start, end int64, e *liushui.Event) bool {
	r := liushui.Result{Statistic: s.Name, Window: window, Start: start, End: end, Generation: l.generation, Engine: l.engine}
	for _, by := range s.By {
		r.Key = append(r.Key, dimension(e, by))
	}
	key := string(r.AppendKey(nil))
	c := l.cells[key]
	if c == nil {
		r.Values = make([]liushui.Value, len(s.Measures))
		c = &lineCell{r, s, make([]map[string]bool, len(s.Measures))}
	}
	any := false
	for i, m := range s.Measures {
		if slices.ContainsFunc(m.Where, func(w liushui.Condition) bool { return !slices.Contains(w.Values, dimension(e, w.Field)) }) {
			continue
		}
		any = true
		switch m.Kind {
		case liushui.Count:
			c.result.Values[i].N++
		case liushui.SumAmount:
			c.result.Values[i].N += int64(e.Amount)
		case liushui.SumQuantity:
			c.result.Values[i].N += e.Quantity
		case liushui.Distinct:
			if c.users[i] == nil {
				c.users[i] = map[string]bool{}
			}
			if v := dimension(e, m.Field); v != "" {
				c.users[i][v] = true
			}
			c.result.Values[i].N = int64(len(c.users[i]))
		}
	}
	if !any {
		return false
	}
	c.result.Version++
	if l.watermark() >= end {
		c.result.Late++
	}
	l.cells[key] = c
	if !slices.Contains(l.changed, key) {
		l.changed = append(l.changed, key)
	}
	return true
}

func dimension(e *liushui.Event, name string) string {
	return map[string]string{"type": e.Type, "order": e.Order, "user": e.User, "item": e.Item, "category": e.Category,
		"province": e.Province, "channel": e.Channel, "gender": e.Gender, "age": e.Age}[name]
}

func (l *line) watermark() int64 {
	return max(0, l.newest-l.job.Lateness.Milliseconds())
}

// flush sends the changed cells.
func (l *line) flush() {
	for _, key := range l.changed {
		c := l.cells[key]
		l.send(key, c.result.AppendValue(nil, c.statistic))
	}
	l.changed = nil
}

// progress sends what is changed and then a progress record.
func (l *line) progress(edit ...func(*liushui.Progress)) {
	l.flush()
	lag := int64(0)
	p := liushui.Progress{Engine: l.engine, Generation: l.generation, Time: l.clock, Newest: l.newest, Watermark: l.watermark(), Judged: l.clock, Rate: 12.5,
		TopicID: "events", Feed: l.feed, Account: l.account, Partitions: []liushui.PartitionProgress{{Partition: 0, Offset: l.partition, Lag: &lag, Newest: l.newest}}}
	if l.newest == 0 {
		p.Judged = 0
	}
	for _, f := range edit {
		f(&p)
	}
	l.sendJSON(liushui.ProgressKey(l.engine), p)
}

func (l *line) produce(p liushui.Produce) {
	p.Time, p.TopicID, p.Feed = l.clock, "events", l.feed
	l.sendJSON(liushui.KeyProduce, p)
}

// take returns the records sent since it was called last.
func (l *line) take() []liushui.Record {
	records := l.topic
	l.topic = nil
	return records
}

// busy folds n believable events around a time, the same for a seed.
func (l *line) busy(seed uint64, at int64, n int) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		id := strconv.FormatUint(seed, 10) + "-" + strconv.Itoa(i)
		e := liushui.Event{ID: id, Time: at + int64(i*1000/n), User: "u" + strconv.Itoa(r.IntN(40)), Order: "o" + id,
			Category: lineCategories[r.IntN(len(lineCategories))], Province: lineProvinces[r.IntN(len(lineProvinces))],
			Type: liushui.EventTypes[r.IntN(len(liushui.EventTypes))], Quantity: int64(1 + r.IntN(3)), HasQuantity: true,
			Amount: liushui.Money(r.IntN(90_000)+1) * 100, HasAmount: true}
		l.fold(e)
	}
}

var (
	lineCategories = strings.Fields("手机 家电 女装 男装 美妆 食品 母婴 运动 图书 家居")
	lineProvinces  = append(strings.Fields("上海 江苏 浙江 广东 北京 内蒙古 西藏"), "")
)

var shanghai = func() *time.Location {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return zone
}()
