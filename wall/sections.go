package wall

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"liushui"
)

// section numbers the parts of a frame; the curve stands apart, as its ticks
// carry changed points only.
type section int

const (
	secJob section = iota
	secFeed
	secState
	secToday
	secCategories
	secProvinces
	secFunnel
	secOrders
	secHealth
	sectionCount
)

var sectionNames = [sectionCount]string{"job", "feed", "state", "today", "categories", "provinces", "funnel", "orders", "health"}

// sections are the JSON texts of a board at one moment.
type sections [sectionCount][]byte

// topCategories is how many categories are named; the rest are summed.
const topCategories = 8

// otherCategories is the name of that sum, which no category can have.
const otherCategories = "\x00other"

type jobView struct {
	Name       string   `json:"name"`
	Zone       string   `json:"zone"`
	Currency   string   `json:"currency"`
	Statistics []string `json:"statistics"`
}

type stateView struct {
	Name             Freshness `json:"name"`
	Since            int64     `json:"since"`
	Newest           int64     `json:"newest"`
	Watermark        int64     `json:"watermark"`
	Lag              *int64    `json:"lag"`
	UnknownPartition *int32    `json:"unknownPartition"`
	Due              int64     `json:"due"`
	Ended            bool      `json:"ended"`
	CompleteFrom     int64     `json:"completeFrom"`
	History          string    `json:"history"`
	Waiting          string    `json:"waiting"`
	Overdue          bool      `json:"overdue"`
}

type todayView struct {
	Start  int64         `json:"start"`
	End    int64         `json:"end"`
	Date   string        `json:"date"`
	State  liushui.State `json:"state"`
	Values figures       `json:"values"`
	Approx bool          `json:"approx"`
}

type rankView struct {
	Name   string  `json:"name"`
	Values figures `json:"v"`
}

type stepView struct {
	Type   string `json:"type"`
	Events int64  `json:"events"`
	Users  int64  `json:"users"`
}

type engineView struct {
	Name      string          `json:"name"`
	Watermark int64           `json:"watermark"`
	Rate      float64         `json:"rate"`
	Time      int64           `json:"time"`
	Stopped   bool            `json:"stopped"`
	Account   liushui.Account `json:"account"`
	Balanced  bool            `json:"balanced"`
}

type healthView struct {
	Rate       float64      `json:"rate"`
	Lag        *int64       `json:"lag"`
	Engines    []engineView `json:"engines"`
	Disagree   bool         `json:"disagree"`
	Corrected  int64        `json:"corrected"`
	TooLarge   int64        `json:"tooLarge"`
	StoreDelay *int64       `json:"storeDelay"`
	Store      string       `json:"store"`

	Corrections []correctionView `json:"corrections"`
}

// funnelSteps are the funnel's event types in its order. A step may be larger
// than the one before.
var funnelSteps = [...]string{"view", "favorite", "cart", "order", "pay"}

func (b *board) jobView() *jobView {
	s := b.shelves[b.generation]
	if s == nil {
		return nil
	}
	v := &jobView{s.job.Name, s.job.Zone.String(), s.job.Currency, []string{}}
	for _, statistic := range s.job.Statistics {
		v.Statistics = append(v.Statistics, statistic.Name)
	}
	return v
}

// feed is where the shown events come from: live, replay or demo.
func (b *board) feed() string {
	feed := liushui.FeedLive
	p := b.furthest()
	switch produce := b.standing.Produce(); {
	case p != nil && p.Judged != 0:
		feed = p.Feed
	case produce != nil:
		feed = produce.Feed
	}
	if feed == liushui.FeedLive {
		return "live"
	}
	return feed
}

// stateView judges the freshness at the clock time now.
func (b *board) stateView(now int64, expectEvery time.Duration) stateView {
	v := stateView{Watermark: b.standing.Watermark(b.generation), CompleteFrom: b.standing.CompleteFrom(b.generation),
		Ended: b.standing.Ended(b.generation), History: "ok"}
	if s := b.shelves[b.generation]; s != nil {
		v.Newest = s.newest
	}
	if b.missing {
		v.History = "missing"
	}
	f := facts{now: now, ended: v.Ended, expectEvery: expectEvery}
	if p := b.furthest(); p != nil {
		lag, known, unknown := p.Lag()
		f.reported, f.judged, f.lag, f.lagKnown, f.stopped = p.Time, p.Judged, lag, known, p.Stopped
		if known {
			v.Lag = &lag
		} else {
			v.UnknownPartition = &unknown
		}
	}
	if produce := b.standing.Produce(); produce != nil && len(produce.Ended) == 0 && b.feed() != "live" {
		f.announces, f.produced, f.due = true, produce.Time, produce.Due
		v.Due = produce.Due
		if now-produce.Time < produceLimit {
			v.Waiting = produce.Waiting
		}
	}
	v.Name, v.Since, v.Overdue = f.judge()
	return v
}

// todayDay is the business day of the newest event, with its results and the
// shelf they are from; nil where no generation covers it.
func (b *board) todayDay() (start int64, d *day, s *shelf) {
	current := b.shelves[b.generation]
	if current == nil || current.newest == 0 {
		return 0, nil, nil
	}
	start = current.today()
	if s = b.shelves[b.shown(start)]; s == nil {
		return start, nil, nil
	}
	return start, s.day(start), s
}

func (b *board) todayView(start int64, d *day, s *shelf) *todayView {
	if start == 0 {
		return nil
	}
	current := b.shelves[b.generation]
	_, end := current.span(start)
	v := &todayView{Start: start, End: end, State: liushui.Provisional,
		Date: time.UnixMilli(start).In(current.job.Zone).Format(time.DateOnly)}
	if s == nil || s.sales == nil || !s.dayWindow {
		if current.sales == nil || !current.dayWindow {
			return nil
		}
		for i := range v.Values {
			v.Values[i].Null = true
		}
		return v
	}
	v.Values = s.sales.read(d.sales)
	v.Approx = v.Values[fBuyers].N > liushui.ApproximateAbove
	v.State = b.state(d.sales, b.shown(start), end)
	return v
}

// ranking lists results by weight, the highest first.
func ranking(results map[string]*liushui.Result, c *columns) []rankView {
	all := make([]rankView, 0, len(results))
	for name, r := range results {
		all = append(all, rankView{name, c.read(r)})
	}
	slices.SortFunc(all, func(x, y rankView) int {
		return cmp.Or(x.Values.heavier(&y.Values), strings.Compare(x.Name, y.Name))
	})
	return all
}

func categories(d *day, s *shelf) []rankView {
	if s == nil || s.category == nil {
		return []rankView{}
	}
	all := ranking(d.cats, s.category)
	if len(all) <= topCategories {
		return all
	}
	var rest total
	for i := range all[topCategories:] {
		rest.add(&all[topCategories+i].Values)
	}
	return append(all[:topCategories], rankView{otherCategories, rest.figures()})
}

func provinces(d *day, s *shelf) []rankView {
	if s == nil || s.province == nil {
		return []rankView{}
	}
	return ranking(d.provinces, s.province)
}

func funnel(d *day, s *shelf) []stepView {
	steps := []stepView{}
	if s == nil || s.events < 0 {
		return steps
	}
	for _, name := range funnelSteps {
		step := stepView{Type: name}
		if r := d.types[name]; r != nil {
			step.Events = r.Values[s.events].N
			if s.users >= 0 {
				step.Users = r.Values[s.users].N
			}
		}
		steps = append(steps, step)
	}
	return steps
}

// healthView is the state of the line at the clock time now.
func (b *board) healthView(now int64, store storeState) healthView {
	v := healthView{Engines: []engineView{}, Disagree: b.accounts.disagree(), Store: store.word, StoreDelay: store.delay,
		Corrections: append([]correctionView{}, store.corrections...)}
	for _, number := range b.standing.Generations() {
		if number < b.generation {
			continue
		}
		for _, p := range b.standing.Engines(number) {
			v.Engines = append(v.Engines, engineView{p.Engine, p.Watermark, p.Rate, p.Time, p.Stopped, p.Account, p.Account.Balanced()})
		}
	}
	if p := b.furthest(); p != nil {
		if lag, known, _ := p.Lag(); known {
			v.Lag = &lag
		}
		if now-p.Time <= liveLimit && !p.Stopped {
			v.Rate = p.Rate
		}
		v.Corrected, v.TooLarge = p.Corrected, p.TooLarge
	}
	return v
}

// draw writes all sections at the clock time now.
func (b *board) draw(now int64, expectEvery time.Duration, store storeState, orders []orderView) sections {
	start, d, s := b.todayDay()
	if d == nil {
		d = &day{}
	}
	return sections{
		secJob:        encode(b.jobView()),
		secFeed:       encode(b.feed()),
		secState:      encode(b.stateView(now, expectEvery)),
		secToday:      encode(b.todayView(start, d, s)),
		secCategories: encode(categories(d, s)),
		secProvinces:  encode(provinces(d, s)),
		secFunnel:     encode(funnel(d, s)),
		secOrders:     encode(orders),
		secHealth:     encode(b.healthView(now, store)),
	}
}

// encode writes what consists of strings and numbers only.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return text
}
