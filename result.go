package liushui

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Value is a measure's value: Money in ten-thousandths for a sum of amounts, a
// whole number else. Null: it does not fit ("too large").
type Value struct {
	N    int64
	Null bool
}

// LateUnknown is a result's Late where the engine cannot tell.
const LateUnknown = -1

// Result is a cell's absolute values at one moment. Key and Values stand in the
// order of the statistic's By and Measures.
type Result struct {
	Statistic  string
	Window     string
	Start, End int64
	Key        []string // "" is unknown
	Values     []Value
	Version    int64 // events folded into the cell
	Late       int64 // of them after the window was final; or LateUnknown
	Generation int64
	Repair     int64
	Engine     string
	Sketches   map[string][]byte // of mergeable statistics: datasketches HLL images by measure
}

// Newer reports whether r takes the place of held, a result of the same cell:
// the higher of (generation, repair, version) wins, and of equal ones held stays.
func (r *Result) Newer(held *Result) bool {
	if r.Generation != held.Generation {
		return r.Generation > held.Generation
	}
	if r.Repair != held.Repair {
		return r.Repair > held.Repair
	}
	return r.Version > held.Version
}

// AppendKey appends the record key: ["statistic","window","start",key values…].
func (r *Result) AppendKey(b []byte) []byte {
	b = append(b, '[')
	b = AppendQuoted(b, r.Statistic)
	b = append(b, ',')
	b = AppendQuoted(b, r.Window)
	b = append(b, ',', '"')
	b = strconv.AppendInt(b, r.Start, 10)
	b = append(b, '"')
	for _, k := range r.Key {
		b = append(b, ',')
		b = AppendQuoted(b, k)
	}
	return append(b, ']')
}

// AppendValue appends the record value; s is the result's statistic.
func (r *Result) AppendValue(b []byte, s *Statistic) []byte {
	b = append(b, `{"statistic":`...)
	b = AppendQuoted(b, r.Statistic)
	b = append(b, `,"window":`...)
	b = AppendQuoted(b, r.Window)
	b = append(b, `,"start":`...)
	b = strconv.AppendInt(b, r.Start, 10)
	b = append(b, `,"end":`...)
	b = strconv.AppendInt(b, r.End, 10)
	b = append(b, `,"key":{`...)
	for i, k := range r.Key {
		b = appendName(b, i, s.By[i])
		b = AppendQuoted(b, k)
	}
	b = append(b, `},"values":{`...)
	for i, v := range r.Values {
		b = appendName(b, i, s.Measures[i].Name)
		b = v.AppendJSON(b, s.Measures[i].Kind)
	}
	b = append(b, `},"version":`...)
	b = strconv.AppendInt(b, r.Version, 10)
	b = append(b, `,"late":`...)
	if r.Late == LateUnknown {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, r.Late, 10)
	}
	b = append(b, `,"generation":`...)
	b = strconv.AppendInt(b, r.Generation, 10)
	b = append(b, `,"repair":`...)
	b = strconv.AppendInt(b, r.Repair, 10)
	b = append(b, `,"engine":`...)
	b = AppendQuoted(b, r.Engine)
	if len(r.Sketches) > 0 {
		b = append(b, `,"sketches":{`...)
		n := 0
		for _, m := range s.Measures {
			if image, ok := r.Sketches[m.Name]; ok {
				b = appendName(b, n, m.Name)
				b = append(b, '"')
				b = base64.StdEncoding.AppendEncode(b, image)
				b = append(b, '"')
				n++
			}
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendName(b []byte, i int, name string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = AppendQuoted(b, name)
	return append(b, ':')
}

// AppendJSON appends the value as an exact number, or null.
func (v Value) AppendJSON(b []byte, kind MeasureKind) []byte {
	switch {
	case v.Null:
		return append(b, "null"...)
	case kind == SumAmount:
		return appendMoney(b, Money(v.N), 2)
	}
	return strconv.AppendInt(b, v.N, 10)
}

// ErrUnknownJob means that a result belongs to a generation or statistic whose
// job record was not seen.
var ErrUnknownJob = errors.New("no job record seen for this result")

// DecodeResult reads a result's record value; job gives the job of a generation, or nil.
func DecodeResult(value []byte, job func(generation int64) *Job) (*Result, error) {
	if r, ok := decodePlain(value, job); ok {
		return r, nil
	}
	return decodeJSON(value, job)
}

func decodeJSON(value []byte, job func(generation int64) *Job) (*Result, error) {
	var f struct {
		Statistic  string
		Window     string
		Start, End int64
		Key        map[string]*string
		Values     map[string]json.RawMessage
		Version    int64
		Late       *int64
		Generation int64
		Repair     int64
		Engine     string
		Sketches   map[string][]byte
	}
	if err := json.Unmarshal(value, &f); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	j := job(f.Generation)
	if j == nil {
		return nil, fmt.Errorf("result of generation %d: %w", f.Generation, ErrUnknownJob)
	}
	s := j.Statistic(f.Statistic)
	if s == nil {
		return nil, fmt.Errorf("result of %q: %w", f.Statistic, ErrUnknownJob)
	}
	r := &Result{Statistic: s.Name, Window: f.Window, Start: f.Start, End: f.End, Version: f.Version,
		Late: LateUnknown, Generation: f.Generation, Repair: f.Repair, Engine: f.Engine, Sketches: f.Sketches}
	if f.Late != nil {
		r.Late = *f.Late
	}
	for _, by := range s.By {
		k, value := "", f.Key[by]
		if value != nil {
			k = *value
		}
		r.Key = append(r.Key, k)
	}
	for _, m := range s.Measures {
		v, err := decodeValue(f.Values[m.Name], m.Kind)
		if err != nil {
			return nil, fmt.Errorf("result of %s, measure %s: %w", s.Name, m.Name, err)
		}
		r.Values = append(r.Values, v)
	}
	return r, nil
}

func decodeValue(raw json.RawMessage, kind MeasureKind) (Value, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return Value{Null: true}, nil
	}
	if kind == SumAmount {
		m, err := ParseMoney([]byte(raw))
		return Value{N: int64(m)}, err
	}
	n, err := ParseWhole([]byte(raw))
	return Value{N: n}, err
}

// RecordKind tells the records of the results topic apart.
type RecordKind uint8

const (
	KindResult RecordKind = iota
	KindJob
	KindProgress // of an engine
	KindProduce  // of produce
	KindUnknown
)

// KeyJob and KeyProduce are record keys; ProgressKey makes an engine's.
const (
	KeyJob     = `["job"]`
	KeyProduce = `["progress","produce"]`
)

// ProgressKey is the record key of an engine's progress.
func ProgressKey(engine string) string {
	return `["progress",` + string(AppendQuoted(nil, engine)) + `]`
}

// KindOf tells what a record of the results topic is by its key.
func KindOf(key []byte) RecordKind {
	switch string(key) {
	case KeyJob:
		return KindJob
	case KeyProduce:
		return KindProduce
	}
	first, rest, several := bytes.Cut(key, []byte(`","`))
	if !several || !bytes.HasPrefix(first, []byte(`["`)) || !bytes.HasSuffix(rest, []byte(`"]`)) {
		return KindUnknown
	}
	if string(first) != `["progress` {
		return KindResult
	}
	var parts []string
	if json.Unmarshal(key, &parts) != nil {
		return KindUnknown
	}
	if len(parts) == 2 {
		return KindProgress
	}
	return KindResult
}

// JobRecord says which job results belong to.
type JobRecord struct {
	Job        string `json:"job"`
	Hash       string `json:"hash"`
	Generation int64  `json:"generation"`         // ms at which a job of this hash first began
	Replaces   int64  `json:"replaces,omitempty"` // generation of the same job that another log gave: the events' topic was made again, or lost records
	Engine     string `json:"engine"`
	Time       int64  `json:"time"`
	Text       string `json:"text"`
}

// Account is the account of all records read. Late counts those parked.
type Account struct {
	Read      int64 `json:"read"`
	Counted   int64 `json:"counted"`
	Duplicate int64 `json:"duplicate"`
	Late      int64 `json:"late"`
	Bad       int64 `json:"bad"`
	Ignored   int64 `json:"ignored"`
}

// Balanced reports whether every record read is accounted for.
func (a Account) Balanced() bool {
	return a.Read == a.Counted+a.Duplicate+a.Late+a.Bad+a.Ignored
}

// Progress is an engine's progress record, sent every second.
type Progress struct {
	Engine       string              `json:"engine"`
	Generation   int64               `json:"generation"`
	Time         int64               `json:"time"`           // clock, ms
	Newest       int64               `json:"newest"`         // newest accepted event time, ms; 0 = none
	Watermark    int64               `json:"watermark"`      // ms; 0 = none
	CompleteFrom int64               `json:"complete_from"`  // windows that begin earlier are incomplete and not sent; 0 = all complete
	Judged       int64               `json:"judged"`         // Kafka's time of the newest judged record, ms; 0 = none
	Rate         float64             `json:"rate"`           // records a second
	TopicID      string              `json:"topic_id"`       // of the events
	Feed         string              `json:"feed,omitempty"` // of the newest judged record
	Partitions   []PartitionProgress `json:"partitions"`
	Account      Account             `json:"account"`
	Corrected    int64               `json:"corrected"`            // counted events that came after a window of theirs was final
	TooLarge     int64               `json:"too_large"`            // open cells with a sum that does not fit
	Checkpoint   *Checkpoint         `json:"checkpoint,omitempty"` // the newest of this run
	Retries      int64               `json:"retries,omitempty"`    // of this run: what did not work with Kafka, or Spark, and was tried again
	Unknown      []string            `json:"unknown,omitempty"`    // fields that the engine cannot tell, with what is to be said of them
	Run          int64               `json:"run,omitempty"`        // clock, µs, at which the engine began: tells its runs apart
	Sent         int64               `json:"sent,omitempty"`       // not 0: the results of all that was judged stand before this record; 1, 2, 3, … in a run
	Stopped      bool                `json:"stopped,omitempty"`
}

// Checkpoint is what an engine kept to go on from.
type Checkpoint struct {
	Time  int64 `json:"time"`  // clock, ms
	Bytes int64 `json:"bytes"` // without the ids
	Took  int64 `json:"took"`  // ms
	IDs   int64 `json:"ids"`   // remembered
}

// PartitionProgress is an engine's place in a partition of the events.
type PartitionProgress struct {
	Partition int32  `json:"partition"`
	From      int64  `json:"from,omitempty"` // the first that the generation counts; 0: none was lost
	Offset    int64  `json:"offset"`         // the next to judge
	Lag       *int64 `json:"lag"`            // null: not learned within 2 s
	Newest    int64  `json:"newest"`         // newest accepted event time, ms
}

// Lag is the sum over partitions; known is false where one is unknown, whose
// number is then given.
func (p *Progress) Lag() (lag int64, known bool, unknown int32) {
	for _, part := range p.Partitions {
		if part.Lag == nil {
			return 0, false, part.Partition
		}
		lag += *part.Lag
	}
	return lag, true, 0
}

// Produce is produce's progress record, sent every second.
type Produce struct {
	Feed    string           `json:"feed"`
	Time    int64            `json:"time"`              // clock, ms
	Due     int64            `json:"due,omitempty"`     // clock time of the next event, ms
	Waiting string           `json:"waiting,omitempty"` // what holds it back
	Sent    int64            `json:"sent"`
	Retries int64            `json:"retries,omitempty"` // of this run: what did not work with Kafka and was tried again
	TopicID string           `json:"topic_id"`
	Ended   map[string]int64 `json:"ended,omitempty"` // when finished: the events' end offsets by partition
}
