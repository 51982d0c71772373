package liushui

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Kinds of events, the closed set of an event's `type`.
var EventTypes = []string{"view", "cart", "favorite", "order", "pay", "refund", "cancel"}

// FieldType says how a field of an event is read and judged.
type FieldType uint8

const (
	FieldDimension FieldType = iota // a string of at most 128 characters; absent, null and empty are unknown
	FieldID                         // a string of 1 to 256 bytes
	FieldKind                       // one of EventTypes
	FieldTime                       // whole ms since 1970 UTC, MinTime to MaxTime
	FieldQuantity                   // a whole number, 0 to MaxQuantity
	FieldAmount                     // a decimal number, 0 to MaxAmount
)

// Fields is the table of an event's own fields, from which decoders and schemas
// are derived. Any other name is a further dimension.
var Fields = []struct {
	Name string
	Type FieldType
}{
	{"id", FieldID}, {"type", FieldKind}, {"time", FieldTime},
	{"order", FieldDimension}, {"user", FieldDimension}, {"item", FieldDimension}, {"category", FieldDimension},
	{"province", FieldDimension}, {"channel", FieldDimension}, {"gender", FieldDimension}, {"age", FieldDimension},
	{"quantity", FieldQuantity}, {"amount", FieldAmount},
}

// Limits of section 2.
const (
	MaxID        = 256             // bytes
	MaxDimension = 128             // characters
	MaxRecord    = 64 << 10        // bytes of a record's value
	MaxLetter    = 512 << 10       // bytes of one that a dead letter keeps, which with its headers must fit into 1 MB
	MaxDepth     = 100             // levels of nesting, the event's own object being the first
	MinTime      = 946684800000    // 2000-01-01T00:00:00Z: earlier times are cut or empty numbers
	MaxTime      = 253402300799999 // the last ms of the year 9999: later times are no ms since 1970
)

// Feeds are the values of the record header HeaderFeed. Records without it are live.
const (
	HeaderFeed = "feed"
	FeedReplay = "replay"
	FeedDemo   = "demo"
	FeedLive   = ""
)

// Event is one thing that happened in the shop. Time is ms since 1970 UTC.
// Empty strings are unknown; Quantity and Amount count only with their Has flag.
type Event struct {
	ID   string
	Type string
	Time int64

	Order, User, Item, Category, Province, Channel, Gender, Age string

	Quantity    int64
	Amount      Money
	HasQuantity bool
	HasAmount   bool

	Extra []Dimension // further dimensions
}

// Dimension is a named string of an event.
type Dimension struct{ Name, Value string }

// RecordKey is what keeps belonging events in order: order, else user, else id.
func (e *Event) RecordKey() string {
	switch {
	case e.Order != "":
		return e.Order
	case e.User != "":
		return e.User
	}
	return e.ID
}

// Check judges the event by the limits of section 2.
func (e *Event) Check() error {
	switch {
	case e.ID == "":
		return fmt.Errorf("id is empty: %w", ErrBad)
	case len(e.ID) > MaxID:
		return fmt.Errorf("id has %d bytes, more than %d: %w", len(e.ID), MaxID, ErrBad)
	case !utf8.ValidString(e.ID):
		return fmt.Errorf("id is not valid UTF-8: %w", ErrBad)
	case !isEventType(e.Type):
		return fmt.Errorf("type %.40q is none of the seven: %w", e.Type, ErrBad)
	case e.Time < MinTime:
		return fmt.Errorf("time %d is before the year 2000: %w", e.Time, ErrBad)
	case e.Time > MaxTime:
		return fmt.Errorf("time %d is after the year 9999: %w", e.Time, ErrBad)
	case e.HasQuantity && (e.Quantity < 0 || e.Quantity > MaxQuantity):
		return fmt.Errorf("quantity %d is not in 0 to %d: %w", e.Quantity, MaxQuantity, ErrBad)
	case e.HasAmount && (e.Amount < 0 || e.Amount > MaxAmount):
		return fmt.Errorf("amount %s is not in 0 to %s: %w", e.Amount, MaxAmount, ErrBad)
	}
	for _, d := range [...]Dimension{
		{"order", e.Order}, {"user", e.User}, {"item", e.Item}, {"category", e.Category},
		{"province", e.Province}, {"channel", e.Channel}, {"gender", e.Gender}, {"age", e.Age},
	} {
		if err := checkDimension(d.Name, d.Value); err != nil {
			return err
		}
	}
	for _, d := range e.Extra {
		if err := checkDimension(d.Name, d.Value); err != nil {
			return err
		}
	}
	return nil
}

func isEventType(s string) bool {
	for _, t := range EventTypes {
		if t == s {
			return true
		}
	}
	return false
}

func checkDimension(name, value string) error {
	if !utf8.ValidString(value) {
		return fmt.Errorf("%s is not valid UTF-8: %w", name, ErrBad)
	}
	if len(value) > MaxDimension && utf8.RuneCountInString(value) > MaxDimension {
		return fmt.Errorf("%s has more than %d characters: %w", name, MaxDimension, ErrBad)
	}
	return nil
}

// AppendJSON appends the event as a record's value. It does not check it.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = AppendQuoted(b, e.ID)
	b = append(b, `,"type":`...)
	b = AppendQuoted(b, e.Type)
	b = append(b, `,"time":`...)
	b = strconv.AppendInt(b, e.Time, 10)
	b = appendDimension(b, "order", e.Order)
	b = appendDimension(b, "user", e.User)
	b = appendDimension(b, "item", e.Item)
	b = appendDimension(b, "category", e.Category)
	b = appendDimension(b, "province", e.Province)
	b = appendDimension(b, "channel", e.Channel)
	b = appendDimension(b, "gender", e.Gender)
	b = appendDimension(b, "age", e.Age)
	for _, d := range e.Extra {
		b = appendDimension(b, d.Name, d.Value)
	}
	if e.HasQuantity {
		b = append(b, `,"quantity":`...)
		b = strconv.AppendInt(b, e.Quantity, 10)
	}
	if e.HasAmount {
		b = append(b, `,"amount":`...)
		b = appendMoney(b, e.Amount, 2)
	}
	return append(b, '}')
}

func appendDimension(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',')
	b = AppendQuoted(b, name)
	b = append(b, ':')
	return AppendQuoted(b, value)
}

// AppendQuoted appends s as a JSON string in which only ", \ and U+0000–001F
// are escaped (\b \t \n \f \r, else \u00XX in upper-case hex): the form of
// result keys, the same for every engine.
func AppendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
