package liushui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones work on a machine without a zone database

	"github.com/goccy/go-yaml"
)

// Job is all statistics and their rules, as data.
type Job struct {
	Name        string
	Zone        *time.Location
	Currency    string        // ISO 4217
	Lateness    time.Duration // behind the newest event, an event is still on time
	Corrections time.Duration // after that, how long it may still correct its window
	Statistics  []*Statistic  // in the file's order
	Text        string        // as written
}

// Statistic is what to compute over which windows, per values of the By fields.
type Statistic struct {
	Name      string
	Windows   []Window // smallest first
	By        []string // at most 5 fields, in the file's order
	Measures  []Measure
	Mergeable bool // results carry the sketches
}

// MeasureKind is what a measure computes.
type MeasureKind uint8

const (
	Count MeasureKind = iota
	SumAmount
	SumQuantity
	Distinct // estimated
)

// Measure is one figure of a statistic.
type Measure struct {
	Name  string
	Kind  MeasureKind
	Field string // of Distinct
	Where []Condition
}

// Condition holds where the field's value is one of Values ("" is unknown).
type Condition struct {
	Field  string
	Values []string
}

//go:embed jobs/*.yaml
var builtinJobs embed.FS

// DefaultJob is the name of the built-in job.
const DefaultJob = "shop"

// BuiltinJob returns the text of a built-in job.
func BuiltinJob(name string) (string, bool) {
	b, err := builtinJobs.ReadFile("jobs/" + name + ".yaml")
	return string(b), err == nil
}

type jobFile struct {
	Job         string                 `yaml:"job"`
	Zone        string                 `yaml:"zone"`
	Currency    string                 `yaml:"currency"`
	Lateness    string                 `yaml:"lateness"`
	Corrections string                 `yaml:"corrections"`
	Statistics  ordered[statisticFile] `yaml:"statistics"`
}

type statisticFile struct {
	Windows   []string      `yaml:"windows"`
	By        []string      `yaml:"by"`
	Measures  yaml.MapSlice `yaml:"measures"`
	Mergeable bool          `yaml:"mergeable"`
}

// ordered is a YAML map that keeps the file's order.
type ordered[T any] struct {
	names  []string
	values map[string]T
}

// UnmarshalYAML reads the map twice: for the order, and strictly for the values.
func (o *ordered[T]) UnmarshalYAML(unmarshal func(any) error) error {
	var order yaml.MapSlice
	if err := unmarshal(&order); err != nil {
		return err
	}
	for _, item := range order {
		o.names = append(o.names, fmt.Sprint(item.Key))
	}
	return unmarshal(&o.values)
}

var (
	nameForm     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	fieldForm    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
)

// reserved are columns and JSON fields of a result that are not measures or key fields.
var reserved = []string{"statistic", "window", "window_size", "start", "end", "state", "version", "late", "generation", "repair", "engine", "sketches", "values", "key"}

// ParseJob reads a job strictly: an unknown key is an error that shows line and
// column. name is what errors call the text.
func ParseJob(name, text string) (*Job, error) {
	var f jobFile
	if err := decodeStrict(text, &f); err != nil {
		return nil, fmt.Errorf("job %s: %w", name, err)
	}
	j := &Job{Name: f.Job, Currency: f.Currency, Text: text}
	if err := j.setRules(&f); err != nil {
		return nil, fmt.Errorf("job %s: %w", name, err)
	}
	for _, key := range f.Statistics.names {
		s, err := parseStatistic(key, f.Statistics.values[key])
		if err != nil {
			return nil, fmt.Errorf("job %s: statistic %s: %w", name, key, err)
		}
		j.Statistics = append(j.Statistics, s)
	}
	if len(j.Statistics) == 0 {
		return nil, fmt.Errorf("job %s: statistics: none; want at least one, such as  sales: {windows: [1m], measures: {orders: count}}", name)
	}
	return j, nil
}

// decodeStrict is the one YAML reader, of jobs and of ReadYAML.
func decodeStrict(text string, into any) (err error) {
	defer func() {
		if fault := recover(); fault != nil { // the library does so on some malformed texts
			err = fmt.Errorf("this YAML cannot be read: %v", fault)
		}
	}()
	text = strings.TrimPrefix(text, "\ufeff") // as some editors on Windows begin a file
	d := yaml.NewDecoder(strings.NewReader(text), yaml.Strict(), yaml.UseOrderedMap())
	if err = d.Decode(into); err == nil {
		var second any
		if err = d.Decode(&second); err == nil {
			return errors.New("a second document after ---; want one document")
		}
	}
	if !errors.Is(err, io.EOF) {
		return errors.New(strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	return nil
}

func (j *Job) setRules(f *jobFile) (err error) {
	if !nameForm.MatchString(f.Job) {
		return fmt.Errorf("job: %q is not a name of small letters, digits and _", f.Job)
	}
	if f.Zone == "" || f.Zone == "Local" {
		return errors.New("zone: missing; want an IANA zone such as Asia/Shanghai")
	}
	if j.Zone, err = time.LoadLocation(f.Zone); err != nil {
		return fmt.Errorf("zone: %q is no IANA zone; want one such as Asia/Shanghai", f.Zone)
	}
	if !currencyForm.MatchString(f.Currency) {
		return fmt.Errorf("currency: %q; want three capital letters such as CNY", f.Currency)
	}
	if j.Lateness, err = parseSpan("lateness", f.Lateness); err != nil {
		return err
	}
	if j.Corrections, err = parseSpan("corrections", f.Corrections); err != nil {
		return err
	}
	if j.Corrections < time.Second {
		return fmt.Errorf("corrections: %s is too short; want at least 1s", j.Corrections)
	}
	return nil
}

const maxSpan = 7 * 24 * time.Hour

func parseSpan(key, s string) (time.Duration, error) {
	if s == "" {
		return 0, fmt.Errorf("%s: missing; want a time such as 10s, 5m or 1h", key)
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxSpan || d%time.Millisecond != 0 {
		return 0, fmt.Errorf("%s: %q; want a time such as 10s, 5m or 1h, at most %dh", key, s, maxSpan/time.Hour)
	}
	return d, nil
}

func parseStatistic(name string, f statisticFile) (*Statistic, error) {
	if !nameForm.MatchString(name) {
		return nil, errors.New("want a name of small letters, digits and _, at most 40")
	}
	s := &Statistic{Name: name, By: f.By, Mergeable: f.Mergeable}
	if err := s.setWindows(f.Windows); err != nil {
		return nil, err
	}
	if len(s.By) > 5 {
		return nil, fmt.Errorf("by: %d fields; want at most 5", len(s.By))
	}
	for i, field := range s.By {
		if err := checkField(field); err != nil {
			return nil, fmt.Errorf("by: %w", err)
		}
		if slices.Contains(s.By[:i], field) {
			return nil, fmt.Errorf("by: %s stands there twice", field)
		}
	}
	if len(f.Measures) == 0 {
		return nil, errors.New("measures: none; want at least one, such as  orders: count")
	}
	for _, m := range f.Measures {
		measure, err := parseMeasure(m)
		if err != nil {
			return nil, fmt.Errorf("measure %v: %w", m.Key, err)
		}
		if slices.ContainsFunc(s.By, func(by string) bool { return strings.EqualFold(by, measure.Name) }) {
			return nil, fmt.Errorf("measure %s: a field of by has this name", measure.Name)
		}
		s.Measures = append(s.Measures, measure)
	}
	if s.Mergeable && !slices.ContainsFunc(s.Measures, func(m Measure) bool { return m.Kind == Distinct }) {
		return nil, errors.New("mergeable: there is no distinct measure to merge")
	}
	return s, nil
}

func (s *Statistic) setWindows(names []string) error {
	for _, name := range names {
		w, err := ParseWindow(name)
		if err != nil {
			return err
		}
		if slices.Contains(s.Windows, w) {
			return fmt.Errorf("windows: %s stands there twice", name)
		}
		s.Windows = append(s.Windows, w)
	}
	if len(s.Windows) == 0 {
		return errors.New("windows: none; want a list such as [1m, 1d]")
	}
	slices.SortFunc(s.Windows, func(a, b Window) int { return int(a.Size - b.Size) })
	return nil
}

// checkField accepts type and any dimension.
func checkField(name string) error {
	if !fieldForm.MatchString(name) || slices.Contains(reserved, strings.ToLower(name)) {
		return fmt.Errorf("%q cannot be a field here; want type or a dimension such as category", name)
	}
	switch name {
	case "id", "time", "quantity", "amount":
		return fmt.Errorf("%s is not a dimension; want type or a dimension such as category", name)
	}
	return nil
}

func parseMeasure(item yaml.MapItem) (Measure, error) {
	m := Measure{}
	m.Name, _ = item.Key.(string)
	if !nameForm.MatchString(m.Name) || slices.Contains(reserved, m.Name) {
		return m, errors.New("want a name of small letters, digits and _ that no column of a result has")
	}
	compute, _ := item.Value.(string)
	if spec, ok := item.Value.(yaml.MapSlice); ok {
		for _, part := range spec {
			switch part.Key {
			case "compute":
				compute, _ = part.Value.(string)
			case "where":
				where, err := parseWhere(part.Value)
				if err != nil {
					return m, err
				}
				m.Where = where
			default:
				return m, fmt.Errorf("unknown key %v; want compute and where", part.Key)
			}
		}
	}
	switch words := strings.Fields(compute); {
	case compute == "count":
		m.Kind = Count
	case compute == "sum amount":
		m.Kind = SumAmount
	case compute == "sum quantity":
		m.Kind = SumQuantity
	case len(words) == 2 && words[0] == "distinct":
		m.Kind, m.Field = Distinct, words[1]
		if m.Field == "id" {
			return m, errors.New("distinct id: ids are distinct already; use count")
		}
		if err := checkField(m.Field); err != nil {
			return m, fmt.Errorf("distinct: %w", err)
		}
	default:
		return m, fmt.Errorf("%q; want count, sum amount, sum quantity or distinct FIELD", compute)
	}
	return m, nil
}

func parseWhere(v any) ([]Condition, error) {
	spec, ok := v.(yaml.MapSlice)
	if !ok {
		return nil, errors.New("where: want fields and values, such as  where: {type: pay}")
	}
	var where []Condition
	for _, item := range spec {
		c := Condition{}
		c.Field, _ = item.Key.(string)
		if err := checkField(c.Field); err != nil {
			return nil, fmt.Errorf("where: %w", err)
		}
		values, isList := item.Value.([]any)
		if !isList {
			values = []any{item.Value}
		}
		for _, value := range values {
			text, ok := value.(string)
			if !ok {
				return nil, fmt.Errorf("where: %s: %v is not a string; quote it", c.Field, value)
			}
			if c.Field == "type" && !isEventType(text) {
				return nil, fmt.Errorf("where: type %q is none of %s", text, strings.Join(EventTypes, ", "))
			}
			c.Values = append(c.Values, text)
		}
		if len(c.Values) == 0 {
			return nil, fmt.Errorf("where: %s: no value", c.Field)
		}
		slices.Sort(c.Values)
		c.Values = slices.Compact(c.Values)
		where = append(where, c)
	}
	slices.SortFunc(where, func(a, b Condition) int { return strings.Compare(a.Field, b.Field) })
	return where, nil
}

// Statistic returns the statistic of a name, or nil.
func (j *Job) Statistic(name string) *Statistic {
	for _, s := range j.Statistics {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Window returns the statistic's window of a name.
func (s *Statistic) Window(name string) (Window, bool) {
	for _, w := range s.Windows {
		if w.Name == name {
			return w, true
		}
	}
	return Window{}, false
}

// Calendar returns a calendar of the job's zone.
func (j *Job) Calendar() *Calendar { return NewCalendar(j.Zone) }

// Dimensions are the names of all dimensions that the job reads, type left out, sorted.
func (j *Job) Dimensions() []string {
	var names []string
	add := func(name string) {
		if name != "" && name != "type" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, s := range j.Statistics {
		for _, by := range s.By {
			add(by)
		}
		for _, m := range s.Measures {
			add(m.Field)
			for _, c := range m.Where {
				add(c.Field)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Hash names what the job computes: comments, blanks and the order of
// statistics, windows and measures do not change it.
func (j *Job) Hash() string {
	type canonical struct {
		Job, Zone, Currency   string
		Lateness, Corrections int64
		Statistics            []Statistic
	}
	c := canonical{j.Name, j.Zone.String(), j.Currency, j.Lateness.Milliseconds(), j.Corrections.Milliseconds(), nil}
	for _, s := range j.Statistics {
		copied := *s
		copied.Measures = slices.SortedFunc(slices.Values(s.Measures), func(a, b Measure) int { return strings.Compare(a.Name, b.Name) })
		c.Statistics = append(c.Statistics, copied)
	}
	slices.SortFunc(c.Statistics, func(a, b Statistic) int { return strings.Compare(a.Name, b.Name) })
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(c); err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(text.Bytes())
	return hex.EncodeToString(sum[:8])
}
