package wall

import "liushui"

// Statistics and windows that the wall shows; the rest of the topic passes by unread.
const (
	statSales    = "sales"
	statActivity = "activity"
	statCategory = "sales_by_category"
	statProvince = "sales_by_province"
	windowDay    = "1d"
)

// curveWindows are the curve's window sizes, smallest first.
var curveWindows = [...]string{"1s", "1m", "1h"}

// curveKeep is how many windows the curve shows: 5 minutes, 5 hours, 12½ days.
const curveKeep = 300

// pace is a moment at which the newest event time was seen to have moved on.
type pace struct{ clock, newest int64 }

// shelf holds the results of one generation that the wall may show.
type shelf struct {
	job      *liushui.Job
	calendar *liushui.Calendar

	sales, category, province *columns // nil where the job has no such statistic
	events, users             int      // places of activity's measures; -1 where it has none
	dayWindow                 bool     // sales has days

	newest int64 // newest event time known, 0 = none
	empty  int64 // event time up to which a window without a result is known to be empty
	paces  []pace
	days   map[int64]*day
	curves map[string]*series
}

// series are the recent windows of sales of one size. first is the start of the
// earliest that is known to have been, held or not.
type series struct {
	window liushui.Window
	first  int64
	held   map[int64]*liushui.Result
}

// day is a business day.
type day struct {
	sales                  *liushui.Result
	types, cats, provinces map[string]*liushui.Result
}

// newShelf prepares for a job; a statistic that is not grouped as the wall needs
// it is as good as none.
func newShelf(job *liushui.Job) *shelf {
	s := &shelf{job: job, calendar: job.Calendar(), events: -1, users: -1, days: map[int64]*day{}, curves: map[string]*series{}}
	if sales := statistic(job, statSales); sales != nil {
		s.sales = columnsOf(sales)
		_, s.dayWindow = sales.Window(windowDay)
		for _, name := range curveWindows {
			if w, ok := sales.Window(name); ok {
				s.curves[name] = &series{window: w, held: map[int64]*liushui.Result{}}
			}
		}
	}
	if by := statistic(job, statCategory, "category"); by != nil {
		s.category = columnsOf(by)
	}
	if by := statistic(job, statProvince, "province"); by != nil {
		s.province = columnsOf(by)
	}
	if activity := statistic(job, statActivity, "type"); activity != nil {
		for i, m := range activity.Measures {
			switch {
			case m.Name == "events" && m.Kind == liushui.Count:
				s.events = i
			case m.Name == "users" && m.Kind == liushui.Distinct:
				s.users = i
			}
		}
	}
	return s
}

func statistic(job *liushui.Job, name string, by ...string) *liushui.Statistic {
	s := job.Statistic(name)
	if s == nil || len(s.By) != len(by) {
		return nil
	}
	for i := range by {
		if s.By[i] != by[i] {
			return nil
		}
	}
	return s
}

// put keeps a result if the wall may show it and it is newer than the one held.
func (s *shelf) put(r *liushui.Result) {
	s.newest = max(s.newest, r.Start)
	if r.Window == windowDay {
		s.putDay(r)
		return
	}
	c := s.curves[r.Window]
	if c == nil || r.Statistic != statSales || len(r.Key) != 0 {
		return
	}
	c.saw(r.Start)
	if r.Start < s.newest-reach(c.window) {
		return
	}
	replace(c.held, r.Start, r)
	if len(c.held) > 2*curveKeep {
		for start := range c.held {
			if start < s.newest-reach(c.window) {
				delete(c.held, start)
			}
		}
	}
}

// reach is how far behind the newest event the curve may begin.
func reach(w liushui.Window) int64 { return (curveKeep + 1) * w.Size }

func (c *series) saw(start int64) {
	if c.first == 0 || start < c.first {
		c.first = start
	}
}

func (s *shelf) putDay(r *liushui.Result) {
	if r.Start < s.today() {
		return
	}
	d := s.days[r.Start]
	if d == nil {
		d = &day{types: map[string]*liushui.Result{}, cats: map[string]*liushui.Result{}, provinces: map[string]*liushui.Result{}}
		s.days[r.Start] = d
		s.forgetDays()
	}
	switch {
	case r.Statistic == statSales && s.sales != nil:
		if d.sales == nil || r.Newer(d.sales) {
			d.sales = r
		}
	case r.Statistic == statActivity && s.events >= 0:
		replace(d.types, r.Key[0], r)
	case r.Statistic == statCategory && s.category != nil:
		replace(d.cats, r.Key[0], r)
	case r.Statistic == statProvince && s.province != nil:
		replace(d.provinces, r.Key[0], r)
	}
}

func replace[K comparable](held map[K]*liushui.Result, key K, r *liushui.Result) {
	if old := held[key]; old == nil || r.Newer(old) {
		held[key] = r
	}
}

// today is the start of the business day of the newest event, 0 where there is none.
func (s *shelf) today() int64 {
	if s.newest == 0 {
		return 0
	}
	start, _ := s.span(s.newest)
	return start
}

// span is the business day that holds t.
func (s *shelf) span(t int64) (start, end int64) {
	return s.calendar.Span(liushui.Window{Name: windowDay, Size: 86_400_000}, t)
}

// moved takes the newest event time of a progress record, with the engine's clock.
func (s *shelf) moved(clock, newest int64) {
	if newest <= 0 {
		return
	}
	s.newest = max(s.newest, newest)
	if n := len(s.paces); n > 0 && (newest <= s.paces[n-1].newest || clock <= s.paces[n-1].clock) {
		return
	}
	s.paces = append(s.paces, pace{clock, newest})
	for len(s.paces) > 2 && s.paces[1].clock <= clock-paceOver {
		s.paces = s.paces[1:]
	}
	s.forgetDays()
}

func (s *shelf) forgetDays() {
	today := s.today()
	for start := range s.days {
		if start < today {
			delete(s.days, start)
		}
	}
}

// day returns the results of a business day.
func (s *shelf) day(start int64) *day {
	if d := s.days[start]; d != nil {
		return d
	}
	return &day{}
}

// each calls take with every result held.
func (s *shelf) each(take func(*liushui.Result)) {
	for _, c := range s.curves {
		for _, r := range c.held {
			take(r)
		}
	}
	for _, d := range s.days {
		if d.sales != nil {
			take(d.sales)
		}
		for _, results := range []map[string]*liushui.Result{d.types, d.cats, d.provinces} {
			for _, r := range results {
				take(r)
			}
		}
	}
}
