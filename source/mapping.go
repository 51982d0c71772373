package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"liushui"
)

// Mapping says how a CSV row becomes events, as data.
type Mapping struct {
	Name string // of a built-in one, or the file's path
	Text string // as written

	dir     string // of the mapping's file; empty for a built-in one
	csv     format
	zone    *time.Location
	lookups map[string]lookupSpec
	events  []eventSpec
}

// The file's shape. Mappings are read strictly: what is not named here is an error.
type mappingFile struct {
	Zone    string                `yaml:"zone"`
	CSV     csvFile               `yaml:"csv"`
	Lookups map[string]lookupFile `yaml:"lookups"`
	Events  []eventSpec           `yaml:"events"`
}

type csvFile struct {
	Header    *bool    `yaml:"header"`
	Columns   []string `yaml:"columns"`
	Delimiter string   `yaml:"delimiter"`
	Quote     string   `yaml:"quote"`
	Encoding  string   `yaml:"encoding"`
	Newline   string   `yaml:"newline"`
}

type lookupFile struct {
	File  string  `yaml:"file"`
	Key   string  `yaml:"key"`
	Value string  `yaml:"value"`
	CSV   csvFile `yaml:"csv"`
}

type lookupSpec struct {
	file, key, value string
	csv              format
}

// eventSpec is one event that a row may make.
type eventSpec struct {
	Type       fieldSpec                `yaml:"type"`
	When       map[string]conditionSpec `yaml:"when"`
	Time       timeSpec                 `yaml:"time"`
	ID         fieldSpec                `yaml:"id"`
	Order      fieldSpec                `yaml:"order"`
	User       fieldSpec                `yaml:"user"`
	Item       fieldSpec                `yaml:"item"`
	Category   fieldSpec                `yaml:"category"`
	Province   fieldSpec                `yaml:"province"`
	Channel    fieldSpec                `yaml:"channel"`
	Gender     fieldSpec                `yaml:"gender"`
	Age        fieldSpec                `yaml:"age"`
	Quantity   numberSpec               `yaml:"quantity"`
	Amount     numberSpec               `yaml:"amount"`
	Dimensions map[string]fieldSpec     `yaml:"dimensions"`
}

// LoadMapping reads a built-in mapping by its name, or a user's own by its path.
func LoadMapping(nameOrFile string) (*Mapping, error) {
	if text, ok := liushui.BuiltinMapping(nameOrFile); ok {
		return ParseMapping(nameOrFile, text)
	}
	text, err := os.ReadFile(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, misuse("mapping %s: no such file, and none of the built-in ones (%s)", nameOrFile, strings.Join(BuiltinMappings(), ", "))
	}
	if err != nil {
		return nil, misuse("mapping %s: %v", nameOrFile, cause(err))
	}
	m, err := ParseMapping(nameOrFile, string(text))
	if err != nil {
		return nil, err
	}
	m.dir = filepath.Dir(nameOrFile)
	return m, nil
}

// BuiltinMappings are the names of the built-in mappings, sorted.
func BuiltinMappings() []string { return liushui.BuiltinMappings() }

// ParseMapping reads a mapping's text strictly: an unknown key is an error that
// shows line and column. name is what errors call it.
func ParseMapping(name, text string) (*Mapping, error) {
	var f mappingFile
	if err := liushui.ReadYAML(text, &f); err != nil {
		return nil, misuse("mapping %s: %v", name, err)
	}
	m := &Mapping{Name: name, Text: text, lookups: map[string]lookupSpec{}, events: f.Events}
	if err := m.set(&f); err != nil {
		return nil, misuse("mapping %s: %v", name, err)
	}
	return m, nil
}

func (m *Mapping) set(f *mappingFile) (err error) {
	if m.zone, err = loadZone(f.Zone); err != nil {
		return err
	}
	if m.csv, err = f.CSV.format(); err != nil {
		return err
	}
	for name, l := range f.Lookups {
		spec := lookupSpec{file: l.File, key: strings.TrimSpace(l.Key), value: strings.TrimSpace(l.Value)}
		if spec.csv, err = l.CSV.format(); err != nil {
			return fmt.Errorf("lookups: %s: %w", name, err)
		}
		if l.File == "" || l.Key == "" || l.Value == "" {
			return fmt.Errorf("lookups: %s: want file, key and value, such as  {file: names.csv, key: id, value: name}", name)
		}
		m.lookups[name] = spec
	}
	if len(m.events) == 0 {
		return errors.New("events: none; want at least one, such as  - {type: order, time: …, id: …}")
	}
	if len(m.events) > maxEvents {
		return fmt.Errorf("events: %d; want at most %d", len(m.events), maxEvents)
	}
	for i := range m.events {
		if err := m.events[i].check(m); err != nil {
			return fmt.Errorf("events: number %d: %w", i+1, err)
		}
	}
	return nil
}

// maxEvents is how many events a row may make: the index keeps the number in a byte.
const maxEvents = 255

// namedSpec is a string field of an event.
type namedSpec struct {
	name string
	spec *fieldSpec
}

// dimensions are the event's own dimensions, in the order of liushui.Fields.
func (e *eventSpec) dimensions() []namedSpec {
	return []namedSpec{
		{"order", &e.Order}, {"user", &e.User}, {"item", &e.Item}, {"category", &e.Category},
		{"province", &e.Province}, {"channel", &e.Channel}, {"gender", &e.Gender}, {"age", &e.Age},
	}
}

func (e *eventSpec) check(m *Mapping) error {
	if !e.Type.given || !e.ID.given || !e.Time.given {
		return errors.New(`want at least type, time and id, such as  {type: order, time: {column: created, layout: "yyyy-MM-dd HH:mm:ss"}, id: "{number}-order"}`)
	}
	if err := e.Type.checkType(); err != nil {
		return err
	}
	if err := e.ID.checkID(); err != nil {
		return err
	}
	if err := e.Time.check(m.zone); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	for column, c := range e.When {
		if err := c.check(); err != nil {
			return fmt.Errorf("when: %s: %w", column, err)
		}
	}
	for name, n := range map[string]*numberSpec{"quantity": &e.Quantity, "amount": &e.Amount} {
		if err := n.check(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if e.Quantity.Product != nil {
		return errors.New("quantity: a product is for amount alone; want a column")
	}
	return e.checkFields(m)
}

func (e *eventSpec) checkFields(m *Mapping) error {
	for _, f := range append(e.dimensions(), namedSpec{"id", &e.ID}, namedSpec{"type", &e.Type}) {
		if err := f.spec.check(m); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	for name, spec := range e.Dimensions {
		if !dimensionForm.MatchString(name) {
			return fmt.Errorf("dimensions: %q; want a name of letters, digits and _, at most 40", name)
		}
		if isOwnField(name) {
			return fmt.Errorf("dimensions: %s is a field of its own; write it beside type and id", name)
		}
		if err := spec.check(m); err != nil {
			return fmt.Errorf("dimensions: %s: %w", name, err)
		}
	}
	return nil
}

// dimensionForm is what jobs can name.
var dimensionForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)

func isOwnField(name string) bool {
	for _, f := range liushui.Fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errors.New("zone: missing; want the IANA zone of the file's times, such as Asia/Shanghai")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("zone: %q is no IANA zone; want one such as Asia/Shanghai", name)
	}
	return zone, nil
}
