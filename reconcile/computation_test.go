package reconcile

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// shopJob has windows of every size, with sketches.
const shopJob = `
job: test
zone: Asia/Kolkata
currency: INR
lateness: 10s
corrections: 1h
statistics:
  sales:
    windows: [1s, 1m, 1h, 6h, 1d]
    by: [province]
    mergeable: true
    measures:
      orders: {compute: count, where: {type: order}}
      paid: {compute: sum amount, where: {type: pay}}
      pieces: {compute: sum quantity, where: {type: pay}}
      buyers: {compute: distinct user, where: {type: pay}}
`

const begin = 1_580_486_400_000

// payment is a record with a payment.
func payment(offset, at int64, more string) liushui.Record {
	return liushui.Record{Offset: offset, Feed: "replay",
		Value: fmt.Appendf(nil, `{"id":"%d","type":"pay","time":%d,"user":"u%d","province":"p%d","amount":1.25,"quantity":2%s}`, offset, at, offset%500, offset%3, more)}
}

// days are payments of two days, in no order, each tenth twice.
func days(n int64) []liushui.Record {
	random := rand.New(rand.NewPCG(1, 2))
	var all []liushui.Record
	for i := range n {
		all = append(all, payment(i, begin+random.Int64N(2*86_400_000), ""))
		if i%10 == 0 {
			all = append(all, all[len(all)-1])
		}
	}
	return all
}

// computed are the results of records, by cell.
func computed(t *testing.T, c *Computation, records []liushui.Record) map[string]*liushui.Result {
	t.Helper()
	for i := range records {
		if _, _, err := c.Take(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]*liushui.Result{}
	err := c.Results(func(r *liushui.Result) error {
		name := fmt.Sprint(r.Window, r.Start, r.Key)
		if all[name] != nil {
			return fmt.Errorf("%s came twice", name)
		}
		all[name] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestOnDisk computes the same whether events fit into memory or not.
func TestOnDisk(t *testing.T) {
	job, records, dir := parse(t, shopJob), days(3000), t.TempDir()
	want := computed(t, New(Config{Job: job}), records)
	c := New(Config{Job: job, Dir: dir})
	for _, s := range []*spill{c.events, c.parked, c.results} {
		s.most = 300
	}
	got := computed(t, c, records)
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 5000 {
		t.Errorf("%d cells; on disk: %s", len(want), diff)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files, want one", len(files))
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("%d files are left", len(files))
	}
}

// TestScope computes some windows as if there were no others.
func TestScope(t *testing.T) {
	job, records := parse(t, shopJob), days(2000)
	all := computed(t, New(Config{Job: job}), records)
	for name, scope := range map[string]Scope{
		"a window":    {Window: "1h"},
		"a statistic": {Statistic: "sales"},
		"another":     {Statistic: "other"},
		"a range":     {From: begin + 3_600_000, To: begin + 30*3_600_000},
		"a beginning": {From: begin + 20*3_600_000},
	} {
		want := map[string]*liushui.Result{}
		for cell, r := range all {
			if scope.has(r.Statistic, r.Window, r.Start) {
				want[cell] = r
			}
		}
		if diff := cmp.Diff(want, computed(t, New(Config{Job: job, Scope: scope}), records)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestDifferingContents(t *testing.T) {
	c := New(Config{Job: parse(t, shopJob)})
	same := payment(1, begin, "")
	same.Offset = 2
	other := payment(1, begin, `,"amount":9`)
	other.Offset = 3
	ignored := payment(1, begin, `,"gender":"f"`) // which the job does not name
	ignored.Offset = 4
	computed(t, c, []liushui.Record{payment(1, begin, ""), same, other, ignored})
	if diff := cmp.Diff([]Differing{{"1", Place{Offset: 3}}}, c.Differs); diff != "" || c.Differ != 1 || c.Account.Duplicate != 3 {
		t.Errorf("%d, %+v: %s", c.Differ, c.Account, diff)
	}
}

// held holds results in a topic and in tables, changed by a test.
type held struct {
	topic, tables map[string]*liushui.Result
}

// onTime, and tooLate: an event of a cell that has others, one alone in some of
// its cells, another of the first's, and one that was counted before.
var onTime = []liushui.Record{payment(0, begin, ""), payment(1, begin+1000, ""), payment(2, begin+7_200_000, ""), payment(5, begin+90_000_000, "")}

var tooLate = []liushui.Record{payment(100, begin, ""), payment(101, begin+3_600_000, ""), payment(102, begin, ""), payment(1, begin+1000, "")}

// compared compares with what is held after change.
func compared(t *testing.T, limits Limits, keptFrom map[string]int64, withLate bool, change func(held)) (differences []string, sum Summary, rights []*liushui.Result) {
	t.Helper()
	job := parse(t, shopJob)
	late := slices.Clone(tooLate)
	places := map[Place]bool{}
	for i := range late {
		late[i].Offset = int64(100 + i)
		places[PlaceOf(&late[i])] = true
	}
	h := held{computed(t, New(Config{Job: job}), onTime), computed(t, New(Config{Job: job}), onTime)}
	change(h)
	c := New(Config{Job: job, Late: places, WithLate: withLate})
	c.Sources(&Source{Name: "topic"}, &Source{Name: "tables", KeptFrom: keptFrom})
	for _, r := range append(late, onTime...) {
		if _, _, err := c.Take(&r); err != nil {
			t.Fatal(err)
		}
	}
	for source, all := range []map[string]*liushui.Result{h.topic, h.tables} {
		for _, r := range all {
			if err := c.Hold(source, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	sum, err := c.Compare(limits, func(d *Difference) error {
		text := ""
		for _, one := range d.Held {
			switch {
			case one.Differs && one.Result == nil:
				text += one.Source + " lacks "
			case one.Differs && d.Want == nil:
				text += one.Source + " holds "
			case one.Differs:
				text += one.Source + " differs in "
			}
		}
		right := d.Right()
		differences = append(differences, fmt.Sprint(text, right.Window, " ", (right.Start-begin)/1000, " ", right.Key[0]))
		rights = append(rights, right)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sums, err := c.Late()
	if err != nil || sums.Events != 3 || sums.Again != 1 || sums.Amounts["pay"] != 3*12500 || sums.First[0].ID != "100" {
		t.Errorf("the late ones are %+v, %v", sums, err)
	}
	return differences, sum, rights
}

// TestLostStart compares with a topic that has lost its start: what is not there
// any more is no difference, but what is there must be right.
func TestLostStart(t *testing.T) {
	job := parse(t, shopJob)
	all := computed(t, New(Config{Job: job}), onTime)
	c := New(Config{Job: job})
	c.Sources(&Source{Name: "topic", Lost: true}, &Source{Name: "tables"})
	for i := range onTime {
		if _, _, err := c.Take(&onTime[i]); err != nil {
			t.Fatal(err)
		}
	}
	wrong := *all[fmt.Sprint("1s", begin, []string{"p0"})]
	wrong.Version++
	for source, r := range []*liushui.Result{&wrong, all[fmt.Sprint("1s", begin+1000, []string{"p1"})]} {
		if err := c.Hold(source, r); err != nil {
			t.Fatal(err)
		}
	}
	differences := map[string]int{}
	sum, err := c.Compare(Limits{}, func(d *Difference) error {
		for _, h := range d.Held {
			if h.Differs {
				differences[h.Source]++
			}
		}
		return nil
	})
	if err != nil || sum.Lost["topic"] != 19 || sum.Lost["tables"] != 0 || differences["topic"] != 1 || differences["tables"] != 19 {
		t.Errorf("%+v, %v, %v", sum, differences, err)
	}
}

// TestRepair takes what is right in the place of what is held: nothing differs
// then, with or without the late ones.
func TestRepair(t *testing.T) {
	for name, test := range map[string]struct {
		withLate bool
		change   func(held)
		cells    int
		late     int64 // in all right cells
	}{
		"late ones":   {true, func(held) {}, 15, 15},
		"a lost half": {false, func(h held) { clear(h.topic) }, 20, 0},
		"a false one": {false, func(h held) {
			h.topic["x"] = &liushui.Result{Statistic: "sales", Window: "1s", Start: begin, End: begin + 1000, Key: []string{"q"}, Values: make([]liushui.Value, 4), Version: 7, Repair: 3}
		}, 1, 0},
		"a false figure": {false, func(h held) { h.tables[fmt.Sprint("1s", begin, []string{"p0"})].Values[0].N++ }, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, rights := compared(t, Limits{}, nil, test.withLate, test.change)
			late := int64(0)
			repaired := func(h held) {
				test.change(h)
				for _, r := range rights {
					if r.Repair < 1 {
						t.Errorf("%+v does not take the place of what is held", r)
					}
					cell := fmt.Sprint(r.Window, r.Start, r.Key)
					if cell == fmt.Sprint("1s", int64(begin), []string{"q"}) {
						cell = "x"
					}
					h.topic[cell], h.tables[cell] = r, r
				}
			}
			for _, r := range rights {
				late += r.Late
			}
			if len(rights) != test.cells || late != test.late {
				t.Errorf("%d cells are repaired, with %d late events; want %d with %d", len(rights), late, test.cells, test.late)
			}
			for _, withLate := range []bool{false, true} {
				got, sum, _ := compared(t, Limits{}, nil, withLate, repaired)
				if withLate == test.withLate && len(got) > 0 || test.withLate && (len(got) > 0 || (sum.Late > 0) == withLate) {
					t.Errorf("after the repair, with late %t: %q, %+v", withLate, got, sum)
				}
			}
		})
	}
}

func TestCompare(t *testing.T) {
	cell := func(all map[string]*liushui.Result, window string, start int64, key string) *liushui.Result {
		r := all[fmt.Sprint(window, start, []string{key})]
		if r == nil {
			t.Fatalf("there is no %s %d %s", window, start, key)
		}
		return r
	}
	for _, test := range []struct {
		name   string
		limits Limits
		change func(held)
		want   string
		sum    func(Summary) bool

		keptFrom map[string]int64
	}{
		{name: "nothing", change: func(held) {}, want: "", sum: func(s Summary) bool { return s.Cells == 20 && s.Late == 0 }},
		{name: "a value", change: func(h held) { cell(h.topic, "1s", begin, "p0").Values[1].N++ }, want: "topic differs in 1s 0 p0"},
		{name: "a version", change: func(h held) { cell(h.tables, "1s", begin, "p0").Version++ }, want: "tables differs in 1s 0 p0"},
		{name: "an end", change: func(h held) { cell(h.tables, "1m", begin, "p1").End++ }, want: "tables differs in 1m 0 p1"},
		{name: "a null", change: func(h held) { cell(h.tables, "1m", begin, "p1").Values[1].Null = true }, want: "tables differs in 1m 0 p1"},
		{name: "other users", change: func(h held) {
			cell(h.topic, "1s", begin, "p0").Sketches = cell(h.topic, "1s", begin+1000, "p1").Sketches
		}, want: "topic differs in 1s 0 p0"},
		{name: "missing", change: func(h held) { delete(h.topic, fmt.Sprint("1m", begin, []string{"p0"})) }, want: "topic lacks 1m 0 p0"},
		{name: "too many", change: func(h held) {
			r := *cell(h.tables, "1s", begin, "p0")
			r.Key = []string{"nowhere"}
			h.tables["x"] = &r
		}, want: "tables holds 1s 0 nowhere"},
		{name: "too many, but taken back", change: func(h held) {
			r := *cell(h.tables, "1s", begin, "p0")
			r.Key, r.Version, r.Repair = []string{"nowhere"}, 0, 1
			h.tables["x"] = &r
		}},
		{name: "dropped", change: func(h held) {
			delete(h.tables, fmt.Sprint("1s", begin, []string{"p0"}))
			cell(h.tables, "1s", begin+1000, "p1").Version++ // on its way out
		}, keptFrom: map[string]int64{"1s": begin + 2000}, sum: func(s Summary) bool { return s.Lost["tables"] == 2 }},
		{name: "dropped too early", change: func(h held) {
			delete(h.tables, fmt.Sprint("1s", begin, []string{"p0"}))
			delete(h.tables, fmt.Sprint("1s", begin+1000, []string{"p1"}))
		}, keptFrom: map[string]int64{"1s": begin + 1000}, want: "tables lacks 1s 1 p1"},
		{name: "before the log", limits: Limits{CompleteFrom: begin + 1}, change: func(h held) { cell(h.topic, "1s", begin, "p0").Version++ },
			sum: func(s Summary) bool { return s.Outside == 11 }},
		{name: "still open", limits: Limits{ClosedBy: begin + 90_000_000}, change: func(h held) { cell(h.topic, "1s", begin+90_000_000, "p2").Version++ },
			sum: func(s Summary) bool { return s.Open == 5 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, sum, _ := compared(t, test.limits, test.keptFrom, false, test.change)
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" || test.sum != nil && !test.sum(sum) {
				t.Errorf("%+v: %s", sum, diff)
			}
		})
	}
}
