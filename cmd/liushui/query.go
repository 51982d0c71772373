package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"liushui"
)

// querySpec is a query as written on the command line.
type querySpec struct {
	statistic string
	window    string
	from, to  string
	where     whereFlag
	by        string
	top       int
	limit     int
	format    formatFlag

	corrections bool
}

func (p *program) queryCommand() *cobra.Command {
	q := querySpec{format: "table"}
	var database databaseFlags
	var data string
	c := &cobra.Command{
		Use:   "query STATISTIC",
		Short: "Read results from the store",
		Long: `Read results from the store: the job's statistics, as a table, CSV or JSON.
Times of --from and --to are in the job's zone unless they name one; --to is exclusive.
With --corrections it lists what changed after it was final, the newest change first:
what each figure was, what it is, and how many late events its row has.
Without --data and --database it reads the newest data directory under ./liushui-data.`,
		Example: `  liushui query sales
  liushui query sales_by_province --from 2020-02-01 --to 2020-03-01 --top 10 --by paid
  liushui query sales_by_province --where province=上海 --format csv
  liushui query sales --window 1m --from 2020-02-25T20:00 --format json
  liushui query sales --corrections --limit 20
  liushui query sales --database mysql://shop@db:3306/liushui`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse("`liushui query` takes one statistic, but got %q too", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				q.statistic = args[0]
			}
			s, err := p.openToRead(c.Context(), &database, data)
			if err != nil {
				return err
			}
			defer s.Close()
			return s.View(c.Context(), func(at liushui.Snapshot) error { return p.query(c.Context(), at, &q) })
		},
	}
	c.Flags().StringVar(&q.window, "window", "", "`size` of the windows, such as 1s, 1m, 1h or 1d (default: 1d, or the largest there is)")
	c.Flags().StringVar(&q.from, "from", "", "first window's begin: a `time` such as 2020-02-01 or 2020-02-01T10:00")
	c.Flags().StringVar(&q.to, "to", "", "only windows that begin before this `time`")
	c.Flags().Var(&q.where, "where", "only rows where it holds, such as province=上海; may be repeated; nothing after = is unknown")
	c.Flags().IntVar(&q.top, "top", 0, "only the `N` highest rows, by --by")
	c.Flags().StringVar(&q.by, "by", "", "`measure` that --top orders by")
	c.Flags().IntVar(&q.limit, "limit", 0, "at most `N` rows")
	c.Flags().BoolVar(&q.corrections, "corrections", false, "what changed after it was final, of all sizes of windows or that of --window")
	c.Flags().Var(&q.format, "format", "how to write the rows")
	c.Flags().StringVar(&data, "data", "", "data `directory` of `liushui up`")
	database.bind(c, "`DSN` of the store: sqlite:PATH or mysql://user@host:3306/db")
	return c
}

// query checks the query against the job and writes its rows.
func (p *program) query(ctx context.Context, at liushui.Snapshot, q *querySpec) error {
	_, job := at.Standing().Current()
	if job == nil {
		return errors.New("the store holds no results yet; is `liushui process` or `liushui up` running?")
	}
	s, query, err := q.against(job)
	if err != nil {
		return err
	}
	if q.corrections {
		if q.window == "" {
			query.Window = ""
		}
		all, err := at.Corrections(ctx, query)
		if err != nil {
			return err
		}
		return q.format.writeCorrections(p.stdout, job, s, all)
	}
	rows, err := at.Rows(ctx, query)
	if err != nil {
		return err
	}
	return q.format.write(p.stdout, job, s, rows)
}

// against compiles the query for a job, or says what the job has instead.
func (q *querySpec) against(job *liushui.Job) (*liushui.Statistic, liushui.Query, error) {
	var query liushui.Query
	s := job.Statistic(q.statistic)
	if s == nil {
		names := names(job.Statistics, func(s *liushui.Statistic) string { return s.Name })
		if q.statistic == "" {
			return nil, query, misuse("which statistic? The job %s has %s", job.Name, names)
		}
		return nil, query, misuse("there is no statistic %q; the job %s has %s", q.statistic, job.Name, names)
	}
	query = liushui.Query{Statistic: s.Name, Window: q.window, Where: q.where, Top: q.top, By: q.by, Limit: q.limit}
	if q.window == "" {
		query.Window = defaultWindow(s)
	} else if _, ok := s.Window(q.window); !ok {
		return nil, query, misuse("--window %s: %s has %s", q.window, s.Name, names(s.Windows, func(w liushui.Window) string { return w.Name }))
	}
	for _, w := range q.where {
		if !slices.Contains(s.By, w.Name) {
			return nil, query, misuse("--where %s=%s: %s", w.Name, w.Value, fieldsOf(s))
		}
	}
	if err := q.checkTop(s); err != nil {
		return nil, query, err
	}
	var err error
	if query.From, err = parseTime("--from", q.from, job.Zone); err != nil {
		return nil, query, err
	}
	if query.To, err = parseTime("--to", q.to, job.Zone); err != nil {
		return nil, query, err
	}
	if query.From != 0 && query.To != 0 && query.To <= query.From {
		return nil, query, misuse("--to %s is not after --from %s", q.to, q.from)
	}
	return s, query, nil
}

func (q *querySpec) checkTop(s *liushui.Statistic) error {
	measures := names(s.Measures, func(m liushui.Measure) string { return m.Name })
	switch {
	case q.top < 0:
		return misuse("--top %d: want a number of rows above 0", q.top)
	case q.limit < 0:
		return misuse("--limit %d: want a number of rows above 0", q.limit)
	case q.top > 0 && q.by == "":
		return misuse("--top %d needs --by and a measure: %s", q.top, measures)
	case q.by != "" && !slices.ContainsFunc(s.Measures, func(m liushui.Measure) bool { return m.Name == q.by }):
		return misuse("--by %s: %s has the measures %s", q.by, s.Name, measures)
	case q.corrections && q.top > 0:
		return misuse("--top orders rows, not --corrections; --limit bounds them")
	case q.by != "" && q.top == 0:
		return misuse("--by %s needs --top and a number of rows", q.by)
	}
	return nil
}

func fieldsOf(s *liushui.Statistic) string {
	if len(s.By) == 0 {
		return s.Name + " is not grouped by any field"
	}
	return s.Name + " is grouped by " + strings.Join(s.By, ", ")
}

func names[T any](all []T, name func(T) string) string {
	var list []string
	for _, one := range all {
		list = append(list, name(one))
	}
	return strings.Join(list, ", ")
}

// defaultWindow is a day where the statistic has it, else the largest.
func defaultWindow(s *liushui.Statistic) string {
	for _, w := range s.Windows {
		if w.Day() {
			return w.Name
		}
	}
	return s.Windows[len(s.Windows)-1].Name
}

var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

// parseTime reads a time of the job's zone as ms; nothing is 0.
func parseTime(flag, s string, zone *time.Location) (int64, error) {
	if s == "" {
		return 0, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, misuse("%s %s: want a time such as 2020-02-01, 2020-02-01T10:00 (in %s) or 2020-02-01T10:00:00+08:00", flag, s, zone)
}

// whereFlag collects FIELD=VALUE.
type whereFlag []liushui.Dimension

func (f *whereFlag) Type() string   { return "field=value" }
func (f *whereFlag) String() string { return "" }

func (f *whereFlag) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return fmt.Errorf("want FIELD=VALUE such as province=上海")
	}
	*f = append(*f, liushui.Dimension{Name: name, Value: value})
	return nil
}
