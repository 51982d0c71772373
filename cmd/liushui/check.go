package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/source"
)

func (p *program) checkCommand() *cobra.Command {
	var csv string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Is this job or mapping right?",
		Long: `Is this job or mapping right? FILE is a job, a mapping, or the name of a built-in one.
With a CSV it shows the first events that a mapping makes of it, and counts its bad
rows by reason.`,
		Example: `  liushui check myjob.yaml
  liushui check mymapping.yaml --csv orders.csv
  liushui check tmall-orders --csv tmall_orders_202002.csv`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("`liushui check` takes one file, a job or a mapping; see `liushui check --help`")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			isJob, err := looksLikeJob(args[0])
			switch {
			case err != nil:
				return err
			case isJob && csv != "":
				return misuse("%s is a job; --csv goes with a mapping", args[0])
			case isJob:
				return p.checkJob(args[0])
			}
			return p.checkMapping(c.Context(), args[0], csv)
		},
	}
	c.Flags().StringVar(&csv, "csv", "", "a CSV `file` to try the mapping on")
	return c
}

// looksLikeJob tells a job from a mapping by the keys that only one of them has.
func looksLikeJob(name string) (bool, error) {
	if _, ok := liushui.BuiltinJob(name); ok {
		return true, nil
	}
	if slices.Contains(source.BuiltinMappings(), name) {
		return false, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return false, misuse("%s: %w; want a file, or a built-in one: %s (job), %s (mappings)",
			name, reason(err), liushui.DefaultJob, strings.Join(source.BuiltinMappings(), ", "))
	}
	for line := range strings.Lines(string(text)) {
		switch key, _, _ := strings.Cut(line, ":"); key {
		case "job", "statistics", "lateness", "corrections", "currency":
			return true, nil
		case "csv", "event", "events", "lookups":
			return false, nil
		}
	}
	return false, misuse("%s: neither a job (with the keys job and statistics) nor a mapping (with events)", name)
}

func (p *program) checkJob(name string) error {
	job, err := loadJob("", nameFlag(name))
	if err != nil {
		return err
	}
	w := p.stdout
	fmt.Fprintf(w, "%s is right: the job %s, days of %s, money in %s, lateness %s, corrections %s\n",
		name, job.Name, job.Zone, job.Currency, short(job.Lateness), short(job.Corrections))
	for _, s := range job.Statistics {
		by := ""
		if len(s.By) > 0 {
			by = " by " + strings.Join(s.By, ", ")
		}
		fmt.Fprintf(w, "  %s: %s%s, each %s\n", s.Name, names(s.Measures, func(m liushui.Measure) string { return m.Name }), by,
			names(s.Windows, func(w liushui.Window) string { return w.Name }))
	}
	return nil
}

// short drops the zeros that Go prints: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (p *program) checkMapping(ctx context.Context, name, csv string) error {
	mapping, err := source.LoadMapping(name)
	if err != nil {
		return err
	}
	if csv == "" {
		fmt.Fprintf(p.stdout, "%s is right: a mapping; try it with --csv FILE\n", name)
		return nil
	}
	report, err := source.Check(ctx, source.CheckConfig{File: csv, Mapping: mapping, First: shownEvents})
	if err != nil {
		return err
	}
	p.showReport(name, csv, report)
	return nil
}

// shownEvents is how many of a file's events check shows.
const shownEvents = 5

func (p *program) showReport(name, csv string, r *source.Report) {
	w := p.stdout
	fmt.Fprintf(w, "%s is right; %s has %d rows, of which %d make no event\n", name, csv, r.Rows, r.Silent)
	fmt.Fprintf(w, "events: %s\n", byKind(r.Events))
	if r.Same > 0 {
		fmt.Fprintf(w, "  %d of them have the id of an earlier one and are counted once: is the id template right?\n", r.Same)
	}
	if len(r.First) > 0 {
		fmt.Fprintln(w, "first events of the file:")
	}
	for i := range r.First {
		fmt.Fprintf(w, "  %s\n", r.First[i].AppendJSON(nil))
	}
	if len(r.Bad) == 0 {
		fmt.Fprintln(w, "bad rows: none")
		return
	}
	fmt.Fprintln(w, "bad rows:")
	for _, b := range r.Bad {
		fmt.Fprintf(w, "  %d: %s, first at %s\n", b.Rows, b.Reason, b.First)
	}
}

// byKind lists numbers of events, in the order of kinds that people expect.
func byKind(events map[string]int64) string {
	total, parts := int64(0), []string(nil)
	for _, kind := range liushui.EventTypes {
		if n := events[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", kind, n))
			total += n
		}
	}
	if total == 0 {
		return "none"
	}
	return fmt.Sprintf("%d (%s)", total, strings.Join(parts, ", "))
}
