package source

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// midnight is one of China's, where the shop is.
const midnight = 1_583_424_000_000

func made(t testing.TB, c GeneratorConfig) []Item {
	t.Helper()
	if c.RunStart == 0 {
		c.RunStart = midnight
	}
	return all(t, NewGenerator(c), 1<<30)
}

func TestGeneratorIsSeeded(t *testing.T) {
	first := made(t, GeneratorConfig{Seed: 1, Events: 3000})
	if diff := cmp.Diff(first, made(t, GeneratorConfig{Seed: 1, Events: 3000})); diff != "" {
		t.Error("the same seed and start:", diff)
	}
	if slices.Equal(ids(first), ids(made(t, GeneratorConfig{Seed: 2, Events: 3000}))) {
		t.Error("another seed makes the same")
	}
	known := map[string]bool{}
	for i := range first {
		known[first[i].Event.ID], known[first[i].Event.Order] = true, true
	}
	for _, item := range made(t, GeneratorConfig{Seed: 1, RunStart: midnight + 1, Events: 3000}) {
		if known[item.Event.ID] || item.Event.Order != "" && known[item.Event.Order] {
			t.Fatalf("a run that began later has id %s, order %s again", item.Event.ID, item.Event.Order)
		}
	}
}

func TestGeneratorEnds(t *testing.T) {
	if n := len(made(t, GeneratorConfig{Events: 1234})); n != 1234 {
		t.Errorf("%d items", n)
	}
	if first := made(t, GeneratorConfig{Begin: midnight + day, Events: 1})[0]; first.At != midnight+day {
		t.Errorf("begins at %d", first.At)
	}
	for _, item := range made(t, GeneratorConfig{Span: time.Hour, Rate: 10}) {
		if item.At < midnight || item.At >= midnight+3_600_000 {
			t.Fatalf("an item at %d", item.At)
		}
	}
}

// TestGeneratorMakesABelievableDay looks at one whole day.
func TestGeneratorMakesABelievableDay(t *testing.T) {
	const rate = 1
	items := made(t, GeneratorConfig{Seed: 7, Span: 24 * time.Hour, Rate: rate})
	hours, kinds := [24]int{}, map[string]int{}
	provinces, categories, channels := map[string]int{}, map[string]int{}, map[string]int{}
	last := int64(0)
	for i := range items {
		e := &items[i].Event
		if items[i].At < last {
			t.Fatalf("item %d goes back", i)
		}
		last = items[i].At
		hours[(items[i].At-midnight)/3_600_000]++
		kinds[e.Type]++
		provinces[e.Province]++
		categories[e.Category]++
		channels[e.Channel]++
		if err := e.Check(); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "items", len(items), rate*86_400*0.95, rate*86_400*1.05)
	if hours[21] < 6*hours[4] {
		t.Errorf("no day's curve: %v", hours)
	}
	if len(provinces) != 34 || provinces["广东"] < 20*provinces["西藏"] || len(categories) != 13 || len(channels) < 3 {
		t.Error(provinces, categories, channels)
	}
	order := []string{"view", "cart", "order", "pay", "refund"}
	for i := range order[1:] {
		if kinds[order[i+1]] == 0 || kinds[order[i+1]] >= kinds[order[i]] {
			t.Errorf("no funnel: %v", kinds)
		}
	}
	if kinds["favorite"] == 0 || kinds["cancel"] == 0 {
		t.Error(kinds)
	}
}

func within(t *testing.T, what string, got int, low, high float64) {
	t.Helper()
	if float64(got) < low || float64(got) > high {
		t.Errorf("%d %s, want %.0f to %.0f", got, what, low, high)
	}
}

// TestGeneratorsOrdersHangTogether follows every order through its payment,
// cancellation and refund.
func TestGeneratorsOrdersHangTogether(t *testing.T) {
	type story struct {
		ordered, paid, cancelled int64 // when it happened
		amount                   liushui.Money
		user                     string
	}
	// Late records are out of order, so the truth is looked at by id and time.
	items := made(t, GeneratorConfig{Seed: 3, Events: 100_000, Rate: 8, Corrections: time.Minute, Lateness: time.Second})
	slices.SortStableFunc(items, func(a, b Item) int { return int(a.Event.Time - b.Event.Time) })
	stories, seen := map[string]*story{}, map[string]bool{}
	payments, refunds, late := 0, 0, 0
	for i := range items {
		e := &items[i].Event
		if e.Order == "" || seen[e.ID] || e.Time < items[i].At-2*60_000 {
			continue // a copy, or too late on purpose
		}
		seen[e.ID] = true
		s := stories[e.Order]
		switch {
		case e.Type == "order":
			stories[e.Order] = &story{ordered: e.Time, amount: e.Amount, user: e.User}
			continue
		case s == nil:
			continue // its order is damaged or too late
		case e.User != s.user || e.Amount > s.amount || e.Amount <= 0 || e.Quantity < 1 || e.Time <= s.ordered:
			t.Fatalf("%+v follows %+v", *e, *s)
		}
		switch e.Type {
		case "pay":
			payments++
			if e.Time > s.ordered+120_000 {
				late++
			}
			s.paid = e.Time
		case "cancel":
			s.cancelled = e.Time
		case "refund":
			refunds++
		}
		if s.paid > 0 && s.cancelled > 0 {
			t.Fatalf("order %s is paid and cancelled", e.Order)
		}
	}
	if payments < 500 || refunds == 0 || late < payments/50 {
		t.Errorf("%d payments, %d of them late, %d refunds", payments, late, refunds)
	}
}

func TestGeneratorsRecordsMeetAccidents(t *testing.T) {
	const lateness, corrections, count = 10_000, 3_600_000, 150_000
	copies, damaged, behind, correcting, tooLate := 0, 0, 0, 0, 0
	texts, newest := map[string]string{}, int64(0)
	for _, item := range made(t, GeneratorConfig{Seed: 5, Events: count, Rate: 40}) {
		e := &item.Event
		if item.Raw != nil {
			damaged++
			if isEvent(item.Raw) {
				t.Errorf("not damaged: %s", item.Raw)
			}
			continue
		}
		text := string(e.AppendJSON(nil))
		if before, known := texts[e.ID]; known {
			copies++
			if before != text {
				t.Fatalf("a copy differs: %s and %s", before, text)
			}
			continue
		}
		texts[e.ID] = text
		newest = max(newest, e.Time)
		switch d := newest - e.Time; {
		case d >= lateness+corrections:
			tooLate++
		case d >= lateness:
			correcting++
		case d > 0:
			behind++
		}
	}
	within(t, "copies", copies, count*shareCopied*0.8, count*shareCopied*1.2)
	within(t, "damaged", damaged, count*shareDamaged*0.6, count*shareDamaged*1.4)
	within(t, "too late", tooLate, count*shareTooLate*0.5, count*shareTooLate*1.5)
	within(t, "late but correcting", correcting, count*shareCorrecting*0.7, count*shareCorrecting*1.3)
	within(t, "behind", behind, count*shareDelayed*0.7, count*shareDelayed*1.3)
}

// isEvent judges a record by plain means.
func isEvent(raw []byte) bool {
	var e struct {
		ID     string
		Type   string
		Time   int64
		Amount float64
	}
	return json.Unmarshal(raw, &e) == nil && e.ID != "" && slices.Contains(liushui.EventTypes, e.Type) && e.Time >= liushui.MinTime && e.Amount >= 0
}

func TestDenseMode(t *testing.T) {
	items := made(t, GeneratorConfig{Events: 100_000, Rate: 1000, Flat: true})
	span := items[len(items)-1].At - items[0].At
	if span < 85_000 || span > 190_000 { // follow-ups need their time to come up to the rate
		t.Errorf("100,000 items at 1,000 a second take %d ms", span)
	}
}
