package wall

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"liushui"
)

// What of the corrections the wall lists: those that changed last of the
// smallest windows from a minute on and of days, which began not too long ago.
const (
	correctionsShown = 5
	correctionsSince = 2 * 86_400_000 // ms before today, for minutes
	correctedDays    = 30 * 86_400_000
)

// correctionView is a window of sales that changed after it was final.
type correctionView struct {
	Window   string  `json:"window"`
	Start    int64   `json:"start"`
	End      int64   `json:"end"`
	Was      figures `json:"was"`
	Is       figures `json:"is"`
	Late     *int64  `json:"late"` // events; null: the engine cannot tell
	Repaired bool    `json:"repaired"`
	Changed  int64   `json:"changed"` // clock, ms
}

// recentCorrections are the corrections of sales that the wall lists.
func recentCorrections(ctx context.Context, s liushui.Snapshot, today int64) ([]correctionView, error) {
	_, job := s.Standing().Current()
	if job == nil {
		return nil, nil
	}
	sales := statistic(job, statSales)
	if sales == nil {
		return nil, nil
	}
	var all []liushui.Correction
	for _, w := range correctedWindows(sales) {
		since := int64(correctionsSince)
		if w.Day() {
			since = correctedDays
		}
		found, err := s.Corrections(ctx, liushui.Query{Statistic: statSales, Window: w.Name, From: max(today-since, 1), Limit: correctionsShown})
		if err != nil {
			return nil, fmt.Errorf("corrections of %s %s: %w", statSales, w.Name, err)
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b liushui.Correction) int { return cmp.Compare(b.Changed, a.Changed) })
	c := columnsOf(sales)
	var views []correctionView
	for i := range all[:min(len(all), correctionsShown)] {
		is := &all[i]
		was := is.Result
		was.Values = is.First
		v := correctionView{Window: is.Window, Start: is.Start, End: is.End, Was: c.read(&was), Is: c.read(&is.Result), Repaired: is.Repair > 0, Changed: is.Changed}
		if is.Late != liushui.LateUnknown {
			v.Late = &is.Late
		}
		views = append(views, v)
	}
	return views, nil
}

// correctedWindows are the smallest windows of a minute or more, and days.
func correctedWindows(sales *liushui.Statistic) (windows []liushui.Window) {
	for _, w := range sales.Windows {
		if w.Size >= 60_000 && len(windows) == 0 || w.Day() {
			windows = append(windows, w)
		}
	}
	return windows
}

// corrections answers with what changed of a statistic after it was final, the
// newest change first.
func (w *Wall) corrections(out http.ResponseWriter, r *http.Request) {
	var all []liushui.Correction
	q, ok := w.answered(out, r, func(ctx context.Context, s liushui.Snapshot, q *question) (err error) {
		if q.query.Top > 0 {
			return refuse("top and by order rows, not corrections")
		}
		if r.URL.Query().Get("window") == "" {
			q.query.Window = ""
		}
		all, err = s.Corrections(ctx, q.query)
		return err
	})
	if !ok {
		return
	}
	more := len(all) > q.limit
	all = all[:min(len(all), q.limit)]
	var body []byte
	if q.csv {
		body = liushui.AppendCSVList(q.statistic.AppendCorrectionsCSVHeader(body), all, q.statistic, q.zone)
	} else {
		body = liushui.AppendJSONList(body, all, q.statistic, q.zone, "")
	}
	q.write(out, q.statistic.Name+"-corrections", more, body)
}
