package liushui

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func sound() Event {
	return Event{ID: "a", Type: "pay", Time: MinTime, Quantity: MaxQuantity, HasQuantity: true, Amount: MaxAmount, HasAmount: true}
}

func TestCheck(t *testing.T) {
	long := strings.Repeat("人", MaxDimension)
	tests := []struct {
		name   string
		change func(*Event)
		bad    string // "" = sound
	}{
		{"plain", func(*Event) {}, ""},
		{"longest id", func(e *Event) { e.ID = strings.Repeat("x", MaxID) }, ""},
		{"longest dimension", func(e *Event) { e.User = long }, ""},
		{"longest further dimension", func(e *Event) { e.Extra = []Dimension{{"country", long}} }, ""},
		{"every type", func(e *Event) { e.Type = "cancel" }, ""},
		{"quantity that is not there", func(e *Event) { e.Quantity, e.HasQuantity = -1, false }, ""},
		{"amount that is not there", func(e *Event) { e.Amount, e.HasAmount = -1, false }, ""},

		{"no id", func(e *Event) { e.ID = "" }, "id is empty"},
		{"long id", func(e *Event) { e.ID = strings.Repeat("x", MaxID+1) }, "id has 257 bytes"},
		{"broken id", func(e *Event) { e.ID = "\xff" }, "id is not valid UTF-8"},
		{"no type", func(e *Event) { e.Type = "" }, `type "" is none of the seven`},
		{"unknown type", func(e *Event) { e.Type = "Pay" }, `type "Pay" is none of the seven`},
		{"early", func(e *Event) { e.Time = MinTime - 1 }, "before the year 2000"},
		{"beyond", func(e *Event) { e.Time = MaxTime + 1 }, "after the year 9999"},
		{"quantity below 0", func(e *Event) { e.Quantity = -1 }, "quantity -1 is not in 0 to 1000000000"},
		{"quantity too large", func(e *Event) { e.Quantity++ }, "quantity 1000000001 is not in"},
		{"amount below 0", func(e *Event) { e.Amount = -1 }, "amount -0.0001 is not in 0 to 1000000000000.00"},
		{"amount too large", func(e *Event) { e.Amount++ }, "amount 1000000000000.0001 is not in"},
		{"long order", func(e *Event) { e.Order = long + "x" }, "order has more than 128 characters"},
		{"broken user", func(e *Event) { e.User = "a\xc3" }, "user is not valid UTF-8"},
		{"long item", func(e *Event) { e.Item = long + "x" }, "item has"},
		{"long category", func(e *Event) { e.Category = long + "x" }, "category has"},
		{"long province", func(e *Event) { e.Province = long + "x" }, "province has"},
		{"long channel", func(e *Event) { e.Channel = long + "x" }, "channel has"},
		{"long gender", func(e *Event) { e.Gender = long + "x" }, "gender has"},
		{"long age", func(e *Event) { e.Age = long + "x" }, "age has"},
		{"long further dimension", func(e *Event) { e.Extra = []Dimension{{"a", ""}, {"country", long + "x"}} }, "country has"},
	}
	for _, test := range tests {
		e := sound()
		test.change(&e)
		err := e.Check()
		switch {
		case test.bad == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.bad != "" && (!errors.Is(err, ErrBad) || !strings.Contains(err.Error(), test.bad)):
			t.Errorf("%s: %v, want %s", test.name, err, test.bad)
		}
	}
}

// TestFieldsAreThoseOfEvent holds the table of fields against the JSON that an event makes.
func TestFieldsAreThoseOfEvent(t *testing.T) {
	full := Event{ID: "i", Type: "pay", Time: MinTime, Order: "o", User: "u", Item: "t", Category: "c", Province: "p", Channel: "h", Gender: "g", Age: "a",
		HasQuantity: true, HasAmount: true}
	var fields map[string]any
	if err := json.Unmarshal(full.AppendJSON(nil), &fields); err != nil {
		t.Fatal(err)
	}
	for _, f := range Fields {
		value, found := fields[f.Name]
		_, text := value.(string)
		wantText := f.Type == FieldDimension || f.Type == FieldID || f.Type == FieldKind
		if !found || text != wantText {
			t.Errorf("%s is %v", f.Name, value)
		}
	}
	if len(fields) != len(Fields) {
		t.Errorf("the JSON has %d fields, the table %d", len(fields), len(Fields))
	}
}

func TestAppendJSON(t *testing.T) {
	tests := map[string]Event{
		`{"id":"a","type":"pay","time":946684800000,"quantity":1000000000,"amount":1000000000000.00}`: sound(),
		`{"id":"a","type":"view","time":1580486400000}`:                                               {ID: "a", Type: "view", Time: 1580486400000, Quantity: 5, Amount: 5},
		`{"id":"a\"\\","type":"pay","time":1580486400000,"order":"o","user":"上海","country":"\u0000\u001F\n","quantity":0,"amount":0.0001}`: {
			ID: `a"\`, Type: "pay", Time: 1580486400000, Order: "o", User: "上海", Extra: []Dimension{{"country", "\x00\x1f\n"}, {"brand", ""}},
			HasQuantity: true, Amount: 1, HasAmount: true},
	}
	for want, e := range tests {
		if d := cmp.Diff(want, string(e.AppendJSON(nil))); d != "" {
			t.Error(d)
		}
	}
}

func TestRecordKey(t *testing.T) {
	for want, e := range map[string]Event{"o": {ID: "i", User: "u", Order: "o"}, "u": {ID: "i", User: "u"}, "i": {ID: "i"}} {
		if got := e.RecordKey(); got != want {
			t.Errorf("%+v: %s", e, got)
		}
	}
}

// FuzzAppendQuoted: what is quoted reads back as it was, and only what must be is escaped.
func FuzzAppendQuoted(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\\b\t\n\f\r\x00\x1f\x7f", "上海\u2028😀<>&", "\xff\xc3("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := AppendQuoted([]byte("x"), s)
		if string(quoted[:2]) != `x"` {
			t.Fatalf("%q: %q", s, quoted)
		}
		var back string
		if err := json.Unmarshal(quoted[1:], &back); err != nil {
			t.Fatalf("%q: %q: %v", s, quoted, err)
		}
		if utf8.ValidString(s) && back != s {
			t.Errorf("%q: %s reads back as %q", s, quoted, back)
		}
		length := len(s) + 3
		for _, c := range []byte(s) {
			switch {
			case c == '"' || c == '\\' || strings.ContainsRune("\b\t\n\f\r", rune(c)):
				length++
			case c < 0x20:
				length += 5
			}
		}
		if len(quoted) != length || string(quoted) != string(upperHex(quoted)) {
			t.Errorf("%q: %q", s, quoted)
		}
	})
}

// upperHex is the text with the digits of \u00xx in upper case.
func upperHex(b []byte) []byte {
	s := string(b)
	for i := 0; i+6 <= len(s); i++ {
		if s[i] == '\\' {
			if s[i+1] == 'u' {
				s = s[:i+2] + strings.ToUpper(s[i+2:i+6]) + s[i+6:]
			}
			i++
		}
	}
	return []byte(s)
}
