package wall

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"liushui"
)

// Bounds of an answer with rows.
const (
	rowsDefault = 1_000
	rowsMost    = 100_000
)

// rowsLimit is how long a question to the store may take.
const rowsLimit = 20 * time.Second

type statisticView struct {
	Name      string        `json:"name"`
	Windows   []string      `json:"windows"`
	By        []string      `json:"by"`
	Measures  []measureView `json:"measures"`
	Mergeable bool          `json:"mergeable"`
}

type measureView struct {
	Name    string              `json:"name"`
	Compute string              `json:"compute"`
	Where   map[string][]string `json:"where,omitempty"`
	Money   bool                `json:"money"`
	Approx  bool                `json:"approximate"`
	Meaning string              `json:"meaning"`
}

// statistics lists what the shown job computes.
func (w *Wall) statistics(out http.ResponseWriter, r *http.Request) {
	job := w.job()
	if job == nil {
		problem(out, http.StatusServiceUnavailable, "no job is known yet; start an engine with `liushui process`")
		return
	}
	view := struct {
		Job        string          `json:"job"`
		Zone       string          `json:"zone"`
		Currency   string          `json:"currency"`
		Statistics []statisticView `json:"statistics"`
	}{job.Name, job.Zone.String(), job.Currency, []statisticView{}}
	for _, s := range job.Statistics {
		v := statisticView{Name: s.Name, By: append([]string{}, s.By...), Mergeable: s.Mergeable}
		for _, window := range s.Windows {
			v.Windows = append(v.Windows, window.Name)
		}
		for _, m := range s.Measures {
			v.Measures = append(v.Measures, describe(m))
		}
		view.Statistics = append(view.Statistics, v)
	}
	answer(out, view)
}

// describe says in words what a measure computes.
func describe(m liushui.Measure) measureView {
	v := measureView{Name: m.Name, Money: m.Kind == liushui.SumAmount, Approx: m.Kind == liushui.Distinct}
	switch m.Kind {
	case liushui.Count:
		v.Compute, v.Meaning = "count", "number of events"
	case liushui.SumAmount:
		v.Compute, v.Meaning = "sum amount", "sum of the amounts of events"
	case liushui.SumQuantity:
		v.Compute, v.Meaning = "sum quantity", "sum of the quantities of events"
	case liushui.Distinct:
		v.Compute, v.Meaning = "distinct "+m.Field, "estimated number of distinct values of "+m.Field+" of events"
	}
	var words []string
	for _, c := range m.Where {
		if v.Where == nil {
			v.Where = map[string][]string{}
		}
		v.Where[c.Field] = c.Values
		words = append(words, c.Field+" is "+strings.Join(c.Values, " or "))
	}
	if len(words) > 0 {
		v.Meaning += " whose " + strings.Join(words, " and whose ")
	}
	return v
}

func (w *Wall) job() *liushui.Job {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, job := w.board.standing.Current()
	return job
}

// health is the state and health of the line, as the wall shows them.
func (w *Wall) health(out http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	now := time.Now().UnixMilli()
	view := struct {
		Version string     `json:"version"`
		Now     int64      `json:"now"`
		Viewers int64      `json:"viewers"`
		Job     *jobView   `json:"job"`
		Feed    string     `json:"feed"`
		State   stateView  `json:"state"`
		Health  healthView `json:"health"`
	}{w.config.Version, now, w.viewer.open.Load(), w.board.jobView(), w.board.feed(),
		w.board.stateView(now, w.config.ExpectEvery), w.board.healthView(now, w.store)}
	w.mu.Unlock()
	answer(out, view)
}

func answer(out http.ResponseWriter, view any) {
	out.Header().Set("Content-Type", "application/json")
	out.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(out).Encode(view)
}

// rows answers with a statistic's rows as one array of flat objects, or as CSV.
func (w *Wall) rows(out http.ResponseWriter, r *http.Request) {
	var rows []liushui.Row
	q, ok := w.answered(out, r, func(ctx context.Context, s liushui.Snapshot, q *question) (err error) {
		rows, err = s.Rows(ctx, q.query)
		return err
	})
	if ok {
		q.answer(out, rows)
	}
}

// answered understands a question and lets read ask the store. Where there is no
// answer it says why, and ok is false.
func (w *Wall) answered(out http.ResponseWriter, r *http.Request, read func(context.Context, liushui.Snapshot, *question) error) (q *question, ok bool) {
	if w.config.History == nil {
		problem(out, http.StatusServiceUnavailable, "this wall has no history; start it with --database")
		return nil, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), rowsLimit)
	defer cancel()
	err := w.config.History.View(ctx, func(s liushui.Snapshot) (err error) {
		_, job := s.Standing().Current()
		if q, err = ask(job, r.PathValue("name"), r.URL.Query()); err != nil {
			return err
		}
		return read(ctx, s, q)
	})
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		problem(out, refused.status, refused.detail)
	case err != nil && r.Context().Err() != nil: // the asker is gone
	case err != nil:
		w.log.Warn("a question to the store had no answer", "path", r.URL.Path, "error", err)
		problem(out, http.StatusServiceUnavailable, "the store does not answer at the moment; try again in a while")
	}
	return q, err == nil
}

// refusal is a question that cannot be answered as it is.
type refusal struct {
	status int
	detail string
}

func (r *refusal) Error() string { return r.detail }

func refuse(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// question is a request for rows, understood.
type question struct {
	query     liushui.Query
	statistic *liushui.Statistic
	zone      *time.Location
	limit     int
	csv       bool
}

// ask reads the parameters of a request for rows.
func ask(job *liushui.Job, name string, params url.Values) (*question, error) {
	if job == nil {
		return nil, &refusal{http.StatusServiceUnavailable, "no job is known yet; start an engine with `liushui process`"}
	}
	s := job.Statistic(name)
	if s == nil {
		return nil, &refusal{http.StatusNotFound, fmt.Sprintf("the job has no statistic %.40q; want %s", name, statisticNames(job))}
	}
	q := &question{statistic: s, zone: job.Zone, limit: rowsDefault, query: liushui.Query{Statistic: s.Name}}
	for _, key := range slices.Sorted(maps.Keys(params)) {
		if len(params[key]) > 1 {
			return nil, refuse("%s stands there %d times; want it once", key, len(params[key]))
		}
		if err := q.set(key, params.Get(key)); err != nil {
			return nil, err
		}
	}
	if q.query.Window == "" {
		q.query.Window = s.Windows[len(s.Windows)-1].Name
	}
	if q.query.Top > 0 && q.query.By == "" || q.query.Top == 0 && q.query.By != "" {
		return nil, refuse("top and by go together, as in top=10&by=%s", s.Measures[0].Name)
	}
	if q.query.To != 0 && q.query.To <= q.query.From {
		return nil, refuse("to is not after from")
	}
	q.query.Limit = q.limit + 1 // one more tells whether there are more
	q.query.Newest = q.query.From == 0 && q.query.Top == 0
	return q, nil
}

func (q *question) set(key, value string) (err error) {
	switch key {
	case "window":
		if _, ok := q.statistic.Window(value); !ok {
			return refuse("%s has no window %.20q; want one of %s", q.statistic.Name, value, windowNames(q.statistic))
		}
		q.query.Window = value
	case "from":
		q.query.From, err = q.time(key, value)
	case "to":
		q.query.To, err = q.time(key, value)
	case "limit":
		q.limit, err = number(key, value, rowsMost)
	case "top":
		q.query.Top, err = number(key, value, rowsMost)
	case "by":
		if !slices.ContainsFunc(q.statistic.Measures, func(m liushui.Measure) bool { return m.Name == value }) {
			return refuse("%s has no measure %.40q to order by", q.statistic.Name, value)
		}
		q.query.By = value
	case "format":
		if value != "json" && value != "csv" {
			return refuse("format %.20q; want json or csv", value)
		}
		q.csv = value == "csv"
	default:
		if !slices.Contains(q.statistic.By, key) {
			known := append([]string{"window", "from", "to", "limit", "top", "by", "format"}, q.statistic.By...)
			return refuse("unknown parameter %.40q; want %s", key, strings.Join(known, ", "))
		}
		q.query.Where = append(q.query.Where, liushui.Dimension{Name: key, Value: value})
	}
	return err
}

// timeForms are read in the job's zone where they name none.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

func (q *question) time(key, value string) (int64, error) {
	if ms, err := strconv.ParseInt(value, 10, 64); err == nil && ms > liushui.MinTime {
		return ms, nil
	}
	for _, form := range timeForms {
		if at, err := time.ParseInLocation(form, value, q.zone); err == nil && at.UnixMilli() > 0 {
			return at.UnixMilli(), nil
		}
	}
	return 0, refuse("%s %.40q is no time; want one such as 2020-02-29, 2020-02-29T18:00 (in %s), 2020-02-29T18:00:00+08:00, or ms since 1970", key, value, q.zone)
}

func number(key, value string, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, refuse("%s %.20q; want a whole number from 1 to %d", key, value, most)
	}
	return n, nil
}

// answer writes rows, oldest first or in the order of top. The header
// Liushui-More tells that limit left some out.
func (q *question) answer(out http.ResponseWriter, rows []liushui.Row) {
	more := len(rows) > q.limit
	rows = rows[:min(len(rows), q.limit)]
	if q.query.Newest {
		slices.SortStableFunc(rows, func(a, b liushui.Row) int { return cmp.Compare(a.Start, b.Start) })
	}
	var body []byte
	if q.csv {
		body = liushui.AppendCSVList(q.statistic.AppendCSVHeader(body), rows, q.statistic, q.zone)
	} else {
		body = liushui.AppendJSONList(body, rows, q.statistic, q.zone, "")
	}
	q.write(out, q.statistic.Name+"-"+q.query.Window, more, body)
}

// write sends an answer; CSV as a file of a name.
func (q *question) write(out http.ResponseWriter, name string, more bool, body []byte) {
	header := out.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Liushui-More", strconv.FormatBool(more))
	header.Set("Content-Type", "application/json")
	if q.csv {
		header.Set("Content-Type", "text/csv; charset=utf-8")
		header.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.csv"`, name))
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	out.Write(body)
}

func statisticNames(job *liushui.Job) string {
	var names []string
	for _, s := range job.Statistics {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

func windowNames(s *liushui.Statistic) string {
	var names []string
	for _, w := range s.Windows {
		names = append(names, w.Name)
	}
	return strings.Join(names, ", ")
}
