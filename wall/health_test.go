package wall

import (
	"testing"

	"liushui"
)

func TestAccountsAreComparedAtEqualOffsets(t *testing.T) {
	var a accounts
	clock := int64(0)
	say := func(engine string, offset, duplicate int64, edit ...func(*liushui.Progress)) bool {
		clock++
		p := &liushui.Progress{Engine: engine, Generation: 7, Time: clock, TopicID: "t",
			Account:    liushui.Account{Read: offset, Duplicate: duplicate, Counted: offset - duplicate},
			Partitions: []liushui.PartitionProgress{{Partition: 0, Offset: offset}}}
		for _, e := range edit {
			e(p)
		}
		a.take(p)
		return a.disagree()
	}
	for i, c := range []struct {
		got, want bool
		name      string
	}{
		{say("native", 10, 1), false, "one engine alone"},
		{say("spark", 9, 5), false, "other offsets"},
		{say("spark", 10, 1), false, "the same account"},
		{say("native", 20, 2), false, "ahead"},
		{say("native", 30, 2), false, "further ahead"},
		{say("spark", 20, 3), true, "another account, where the other one was before"},
		{say("spark", 25, 3), true, "not comparable: what was found stands"},
		{say("spark", 30, 2), false, "they agree again"},
		{say("spark", 30, 9, func(p *liushui.Progress) { p.Generation = 8 }), false, "another generation"},
		{say("spark", 30, 9, func(p *liushui.Progress) { p.TopicID = "u" }), false, "another topic"},
		{say("spark", 30, 9), true, "and not any more"},
	} {
		if c.got != c.want {
			t.Errorf("%d, %s: disagree %t", i, c.name, c.got)
		}
	}
	for i := range int64(1000) {
		say("native", 100+i, 0)
	}
	if n := len(a.byEngine["native"]); n > accountsKept {
		t.Errorf("%d accounts remembered", n)
	}
}

func TestMarksAreBounded(t *testing.T) {
	var m marks
	for i := range int64(100_000) {
		m.add(i, i*100)
	}
	if len(m.all) > marksKept {
		t.Errorf("%d marks", len(m.all))
	}
	if d := m.delay(99_990, 99_999, 10_000_000); d < 900 || d > 1500 {
		t.Errorf("10 records behind, 100 ms each: %d ms", d)
	}
	if d := m.delay(5, 99_999, 10_000_000); d < 30_000 {
		t.Errorf("far behind: %d ms", d)
	}
	if d := m.delay(100_000, 99_999, 10_000_000); d != 0 {
		t.Errorf("not behind: %d ms", d)
	}
}
