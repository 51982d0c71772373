package main

import (
	"fmt"
	"strings"
	"time"

	"liushui"
	"liushui/reconcile"
)

// tellDifferences ends a comparison that found something.
func (r *reconciling) tellDifferences(differences int64, sum *reconcile.Summary, repair *repair) error {
	fmt.Fprintf(r.stdout, "%d of %d cells differ\n", differences, sum.Cells)
	if !r.spec.repair {
		return errDiffers
	}
	fmt.Fprintf(r.stdout, "%d cells were sent to %s as they should be\n", repair.sent, r.spec.topics.results)
	if repair.open > 0 {
		fmt.Fprintf(r.stdout, "%d are of windows that may still change, which are not repaired: `liushui process --from earliest` computes them anew\n", repair.open)
		return errDiffers
	}
	return nil
}

// describe says in a line how a source differs.
func (r *reconciling) describe(d *reconcile.Difference, h *reconcile.Held) string {
	of := d.Want
	if of == nil {
		of = h.Result
	}
	name := fmt.Sprintf("%s: %s %s %s%s: ", h.Source, of.Statistic, of.Window, r.windowText(of), keyText(of))
	s := r.job.Statistic(of.Statistic)
	switch {
	case h.Result == nil:
		return name + "missing, want " + valuesText(s, d.Want)
	case d.Want == nil:
		return name + "not in the log, holds " + valuesText(s, h.Result)
	}
	var parts []string
	for i, m := range s.Measures {
		if held, want := h.Result.Values[i], d.Want.Values[i]; held != want {
			parts = append(parts, fmt.Sprintf("%s %s, want %s", m.Name, valueText(held, m.Kind), valueText(want, m.Kind)))
		}
	}
	if h.Result.Version != d.Want.Version {
		parts = append(parts, fmt.Sprintf("version %d, want %d", h.Result.Version, d.Want.Version))
	}
	if h.Result.End != d.Want.End {
		parts = append(parts, fmt.Sprintf("end %s, want %s", r.local(h.Result.End), r.local(d.Want.End)))
	}
	if len(parts) == 0 {
		parts = append(parts, "its sketches stand for other values")
	}
	if d.Late > 0 && !r.spec.withLate {
		parts = append(parts, fmt.Sprintf("and %d late events", d.Late))
	}
	return name + strings.Join(parts, "; ")
}

func (r *reconciling) local(ms int64) string {
	return time.UnixMilli(ms).In(r.job.Zone).Format("2006-01-02 15:04:05.999")
}

func (r *reconciling) windowText(of *liushui.Result) string {
	if w, err := liushui.ParseWindow(of.Window); err == nil && w.Day() {
		return time.UnixMilli(of.Start).In(r.job.Zone).Format(time.DateOnly)
	}
	return r.local(of.Start)
}

func keyText(r *liushui.Result) string {
	text := ""
	for _, k := range r.Key {
		if k == "" {
			k = "(unknown)"
		}
		text += " " + escaped([]byte(k))
	}
	return text
}

func valuesText(s *liushui.Statistic, r *liushui.Result) string {
	var parts []string
	for i, m := range s.Measures {
		parts = append(parts, m.Name+" "+valueText(r.Values[i], m.Kind))
	}
	return strings.Join(append(parts, fmt.Sprintf("version %d", r.Version)), ", ")
}

func valueText(v liushui.Value, kind liushui.MeasureKind) string {
	if v.Null {
		return "too large"
	}
	return string(v.AppendJSON(nil, kind))
}

// tellLate sums up what the engine parked as late.
func (r *reconciling) tellLate() error {
	late, err := r.computation.Late()
	if err != nil {
		return err
	}
	if late.Events > 0 {
		var parts []string
		for _, kind := range liushui.EventTypes {
			if n := late.ByType[kind]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s of %s", n, kind, late.Amounts[kind]))
			}
		}
		counted := "which are not counted; --with-late counts them"
		if r.spec.withLate {
			counted = "which are counted here"
		}
		fmt.Fprintf(r.stdout, "late: %d events, %s: %s\n", late.Events, counted, strings.Join(parts, ", "))
		for _, e := range late.First {
			fmt.Fprintf(r.stdout, "  %s/%d/%d: %s %s at %s, %s\n", r.spec.topics.events, e.Place.Partition, e.Place.Offset, e.Type, escaped([]byte(e.ID)), r.local(e.Time), e.Amount)
		}
		if more := late.Events - int64(len(late.First)); more > 0 {
			fmt.Fprintf(r.stdout, "  and %d more\n", more)
		}
	}
	if late.Again > 0 {
		fmt.Fprintf(r.stdout, "late: %d further records repeat events that were counted\n", late.Again)
	}
	return nil
}

// tellRest names what was not compared, and what else may explain a difference.
func (r *reconciling) tellRest(sum *reconcile.Summary, limits reconcile.Limits) {
	if c := r.computation; c.Differ > 0 {
		var first []string
		for _, d := range c.Differs {
			first = append(first, fmt.Sprintf("%s (%s/%d/%d)", escaped([]byte(d.ID)), r.spec.topics.events, d.Place.Partition, d.Place.Offset))
		}
		fmt.Fprintf(r.stdout, "ids: %d records say something else than an earlier one of their id, of which the first judged counts: %s\n", c.Differ, strings.Join(first, ", "))
	}
	if r.completeFrom > 0 && (sum.Outside > 0 || r.scope.From < r.completeFrom) {
		fmt.Fprintf(r.stdout, "outside the log: windows that begin before %s are not compared, %d cells\n", r.local(r.completeFrom), sum.Outside)
	}
	if r.scope.From > 0 && r.scope.From > r.newest {
		fmt.Fprintf(r.stdout, "outside the log: its newest event is of %s\n", r.local(r.newest))
	}
	if sum.Open > 0 {
		fmt.Fprintf(r.stdout, "open: %d cells of windows that end after %s may still change, and are not compared while the engine runs\n", sum.Open, r.local(limits.ClosedBy))
	}
	for _, name := range sourceNames {
		if n := sum.Lost[name]; n > 0 {
			fmt.Fprintf(r.stdout, "%s: %d cells are no longer held there, and not compared\n", name, n)
		}
	}
	if sum.Late > 0 {
		fmt.Fprintf(r.stdout, "%d cells count late events since an earlier repair\n", sum.Late)
	}
	if r.lettersLost {
		fmt.Fprintf(r.stdout, "dead letters: %s has lost its start; a difference may be a late record whose letter is gone\n", r.spec.topics.deadLetters())
	}
}
