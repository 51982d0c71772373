package spark

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"liushui"
)

// engineName stands in results, dead letters and progress records.
const engineName = "spark"

const maxAhead = 5 * time.Minute

// options are what a plan needs besides its job.
type options struct {
	Generation int64         // of the results, ms
	MaxAhead   time.Duration // an event further ahead of its record's Kafka time is bad; default 5m
}

// plan is a job as Spark computes it: SQL texts, each over the relation that the
// one before it makes.
//
//	records ─► events ─► (watermark, one event an id) ─► cells ─► results
//	        └► letters
//
// The relation named records is the source's: key, value, topic, partition,
// offset, timestamp and headers of Kafka's records.
type plan struct {
	job   *liushui.Job
	delay time.Duration // of the watermark

	events  string // id, event_time and what the job names, of records that are not bad
	letters string // dead letters of those that are: key, value and headers
	cells   string // of each event a row for each cell that it is folded into
	results string // key and value of the cells that changed
}

// compile turns a job into a plan. It refuses what Spark cannot do; the error
// wraps liushui.ErrMisuse.
func compile(job *liushui.Job, o options) (*plan, error) {
	if o.MaxAhead == 0 {
		o.MaxAhead = maxAhead
	}
	for _, s := range job.Statistics {
		if err := check(s); err != nil {
			return nil, err
		}
	}
	d, c := newDecoder(job), newCells(job)
	return &plan{
		job:     job,
		delay:   job.Lateness + job.Corrections,
		events:  d.events(o),
		letters: d.letters(o),
		cells:   c.cells(),
		results: c.results(o),
	}, nil
}

// settings are what the session must be set to before the plan is sent: some of
// them decide what the SQL means.
func settings() map[string]string {
	return map[string]string{
		"spark.sql.ansi.enabled":                   "true",
		"spark.sql.caseSensitive":                  "true", // dimensions may differ in case only
		"spark.sql.session.timeZone":               "UTC",
		"spark.sql.variable.substitute":            "false", // what looks like a variable in a text is none
		"spark.sql.parser.escapedStringLiterals":   "false",
		"spark.sql.parser.doubleQuotedIdentifiers": "false",
		"spark.sql.variant.allowDuplicateKeys":     "true", // of equal names the last counts
		// An event is then late by the watermark at its batch's start, as in the native engine; else by that of the batch before.
		"spark.sql.streaming.statefulOperator.allowMultiple": "false",
		// Java does not compile a longer method, and interprets it: explode's would be, at twice the cost of an event.
		"spark.sql.codegen.hugeMethodLimit": "8000",
		// Below this many cells in a task, memory gathers them; above it they are sorted, which costs more than the gathering.
		"spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "1000000",
	}
}

// cellWatermark is the metadata of the column that says when a cell ends: Spark
// takes it for an event time, so a cell's state goes when the watermark passes
// the cell's own end, whatever the ends of the others in the query.
func (p *plan) cellWatermark() string {
	return fmt.Sprintf(`{"spark.watermarkDelayMs":%d}`, p.delay.Milliseconds())
}

// String is all of the plan's SQL, for golden files.
func (p *plan) String() string {
	var b strings.Builder
	all := settings()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "SET %s=%s;\n", key, all[key])
	}
	b.WriteString("\n")
	for _, part := range []struct{ head, sql string }{
		{"events: from records", p.events},
		{fmt.Sprintf("cells: from events, with a watermark %s behind event_time, and of each id the first", p.delay), p.cells},
		{"results: from cells, whose column until has the metadata " + p.cellWatermark(), p.results},
		{"letters: from records", p.letters},
	} {
		fmt.Fprintf(&b, "-- %s\n%s\n\n", part.head, part.sql)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// unable is the error of a statistic that Spark cannot compute.
func unable(s *liushui.Statistic, reason string, args ...any) error {
	return fmt.Errorf("statistic %s: Spark cannot compute it: %s: %w", s.Name, fmt.Sprintf(reason, args...), liushui.ErrMisuse)
}

// A job that ParseJob has read has no other names; one that was put together by a
// program may.
var properName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// check refuses what Spark cannot compute.
func check(s *liushui.Statistic) error {
	names := append([]string{s.Name}, s.By...)
	for _, w := range s.Windows {
		names = append(names, w.Name)
		if w.Size <= 0 {
			return unable(s, "window %q has no length", w.Name)
		}
	}
	for _, m := range s.Measures {
		names = append(names, m.Name)
		if m.Kind > liushui.Distinct {
			return unable(s, "measure %s is of an unknown kind", m.Name)
		}
		if m.Kind == liushui.Distinct {
			names = append(names, m.Field)
		}
		for _, c := range m.Where {
			names = append(names, c.Field)
		}
	}
	for _, name := range names {
		if !properName.MatchString(name) {
			return unable(s, "%q is not a name of letters, digits and _", name)
		}
	}
	return nil
}

// named are the fields that a job names beside id, type and time.
type named struct {
	dims             []string
	quantity, amount bool
}

func namedBy(job *liushui.Job) named {
	n := named{dims: job.Dimensions()}
	for _, s := range job.Statistics {
		n.quantity = n.quantity || slices.ContainsFunc(s.Measures, func(m liushui.Measure) bool { return m.Kind == liushui.SumQuantity })
		n.amount = n.amount || slices.ContainsFunc(s.Measures, func(m liushui.Measure) bool { return m.Kind == liushui.SumAmount })
	}
	return n
}
