package wall

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"liushui"
)

// Bounds of the sample of the newest orders.
const (
	sampleShown   = 20
	sampleIDs     = 256 // ids remembered, so that an event sent again is no news
	samplePerTick = 100 // records decoded at most in half a second
)

// orderView is an order or payment on the wall, its order and user masked.
type orderView struct {
	Time     int64   `json:"time"`
	Type     string  `json:"type"`
	Order    string  `json:"order"`
	User     string  `json:"user"`
	Province string  `json:"province"`
	Category string  `json:"category"`
	Amount   *string `json:"amount"`
	Key      int64   `json:"key"`
}

// sample holds the newest orders and payments seen at the tail of the events. It
// may be used by several goroutines at once.
type sample struct {
	mu     sync.Mutex
	shown  []orderView // newest first
	ids    []string    // seen last
	key    int64
	budget int
	filled time.Time
}

// take looks at the newest of some records. It is a sample: what it skips is no loss.
func (s *sample) take(records []liushui.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.filled) >= tickEvery {
		s.budget, s.filled = samplePerTick, now
	}
	var found []orderView
	for i := len(records) - 1; i >= 0 && len(found) < sampleShown && s.budget > 0; i-- {
		if order, ok := s.read(records[i].Value); ok {
			found = append(found, order)
		}
	}
	slices.SortStableFunc(found, func(a, b orderView) int { return cmp.Compare(a.Time, b.Time) })
	for _, order := range found {
		s.key++
		order.Key = s.key
		s.shown = slices.Insert(s.shown, 0, order)
	}
	s.shown = s.shown[:min(len(s.shown), sampleShown)]
}

// read decodes an order or payment that was not seen yet.
func (s *sample) read(value []byte) (orderView, bool) {
	if !bytes.Contains(value, []byte(`"order"`)) && !bytes.Contains(value, []byte(`"pay"`)) {
		return orderView{}, false // nearly all: of another type
	}
	s.budget--
	var e struct {
		ID, Type, Order, User, Province, Category string
		Time                                      json.Number
		Amount                                    json.Number
	}
	if json.Unmarshal(value, &e) != nil || e.Type != "order" && e.Type != "pay" || e.ID == "" || slices.Contains(s.ids, e.ID) {
		return orderView{}, false
	}
	at, err := liushui.ParseWhole(string(e.Time))
	if err != nil || at < liushui.MinTime {
		return orderView{}, false
	}
	for _, text := range []string{e.Order, e.User, e.Province, e.Category} {
		if utf8.RuneCountInString(text) > liushui.MaxDimension {
			return orderView{}, false
		}
	}
	v := orderView{Time: at, Type: e.Type, Order: mask(e.Order), User: mask(e.User), Province: e.Province, Category: e.Category}
	if e.Amount != "" {
		money, err := liushui.ParseMoney(string(e.Amount))
		if err != nil || money < 0 || money > liushui.MaxAmount {
			return orderView{}, false
		}
		text := money.String()
		v.Amount = &text
	}
	s.ids = append(s.ids, e.ID)
	if len(s.ids) > sampleIDs {
		s.ids = slices.Delete(s.ids, 0, len(s.ids)-sampleIDs)
	}
	return v, true
}

func (s *sample) view() []orderView {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]orderView{}, s.shown...)
}

// mask keeps the first and last character of a name, and none of a short one.
func mask(name string) string {
	n := utf8.RuneCountInString(name)
	switch {
	case n == 0:
		return ""
	case n < 3:
		return "***"
	}
	_, first := utf8.DecodeRuneInString(name)
	_, last := utf8.DecodeLastRuneInString(name)
	return name[:first] + "***" + name[len(name)-last:]
}
