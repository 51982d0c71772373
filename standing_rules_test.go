package liushui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// engineAt is the progress of an engine.
func engineAt(name string, generation, watermark, completeFrom int64) step {
	return step{KindProgress, Progress{Engine: name, Generation: generation, Watermark: watermark, CompleteFrom: completeFrom}}
}

func job(generation int64) step { return step{KindJob, jobRecord(generation)} }

// TestShown: for each window the highest generation that has caught up and covers it.
func TestShown(t *testing.T) {
	tests := []struct {
		name    string
		steps   []step
		shown   map[int64]int64 // by the window's start
		current int64
	}{
		{"nothing yet", nil, map[int64]int64{0: 0, 1000: 0}, 0},
		{"progress without its job record", []step{engineAt("a", 1, 100, 0)}, map[int64]int64{0: 0}, 0},
		{"the first is shown at once", []step{job(5)}, map[int64]int64{0: 5, 1000: 5}, 5},
		{"the first does not cover all", []step{job(5), engineAt("a", 5, 900, 500)}, map[int64]int64{499: 0, 500: 5}, 5},
		{"a second that is behind", []step{job(5), engineAt("a", 5, 900, 0), job(6), engineAt("a", 6, 899, 0)}, map[int64]int64{0: 5, 2000: 5}, 5},
		{"a second that said nothing yet", []step{job(5), engineAt("a", 5, 0, 0), job(6)}, map[int64]int64{0: 5}, 5},
		{"a second that has caught up", []step{job(5), engineAt("a", 5, 900, 0), job(6), engineAt("a", 6, 900, 0)}, map[int64]int64{0: 6, 2000: 6}, 6},
		{"caught up, but began later", []step{job(5), engineAt("a", 5, 900, 0), job(6), engineAt("a", 6, 900, 700)}, map[int64]int64{0: 5, 699: 5, 700: 6}, 6},
		{"one engine of two began later", []step{job(5), engineAt("a", 5, 900, 0), engineAt("b", 5, 900, 700)}, map[int64]int64{699: 0, 700: 5}, 5},
		{"the third caught up, the second not", []step{job(5), engineAt("a", 5, 900, 0), job(6), engineAt("a", 6, 100, 0), job(7), engineAt("a", 7, 950, 0)},
			map[int64]int64{0: 7}, 7},
		{"behind the second counts too", []step{job(5), engineAt("a", 5, 100, 0), job(6), engineAt("a", 6, 900, 0), job(7), engineAt("a", 7, 500, 0)},
			map[int64]int64{0: 6}, 6},
		{"the furthest of its engines counts", []step{job(5), engineAt("a", 5, 900, 0), job(6), engineAt("a", 6, 100, 0), engineAt("b", 6, 901, 0)}, map[int64]int64{0: 6}, 6},
		{"once caught up, it stays so", []step{job(5), engineAt("a", 5, 900, 0), job(6), engineAt("a", 6, 900, 0), engineAt("b", 5, 5000, 0)}, map[int64]int64{0: 6}, 6},
		{"the job record comes after the progress", []step{engineAt("a", 5, 900, 0), job(5)}, map[int64]int64{0: 5}, 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s Standing
			observe(t, &s, test.steps...)
			for start, want := range test.shown {
				if got := s.Shown(start); got != want {
					t.Errorf("windows from %d: generation %d, want %d", start, got, want)
				}
				for _, number := range s.Generations() {
					if s.Superseded(number, start) != (number < want) {
						t.Errorf("generation %d at %d: superseded is %t", number, start, s.Superseded(number, start))
					}
				}
			}
			if got, job := s.Current(); got != test.current || (job != nil) != (got != 0) {
				t.Errorf("current %d %v, want %d", got, job, test.current)
			}
		})
	}
}

func TestStandingKeepsTheFirstJobOfAGeneration(t *testing.T) {
	var s Standing
	first, second := jobRecord(5), jobRecord(5)
	first.Engine, second.Engine = "first", "second"
	second.Text = strings.Replace(second.Text, "job: shop", "job: other", 1)
	observe(t, &s, step{KindJob, first}, step{KindJob, second})
	if s.JobRecord().Engine != "first" || s.Job(5).Name != "shop" || s.Job(6) != nil {
		t.Errorf("%+v", s.JobRecord())
	}
	if s.Job(5).Statistic("sales") == nil {
		t.Error("the job has no sales")
	}
}

func TestStandingRefuses(t *testing.T) {
	for _, kind := range []RecordKind{KindJob, KindProgress, KindProduce} {
		var s Standing
		if err := s.Observe(kind, []byte("{")); err == nil {
			t.Errorf("kind %d: cut JSON is taken", kind)
		}
	}
	var s Standing
	if err := s.Observe(KindJob, []byte(`{"generation":5,"text":"job: ["}`)); err == nil || !strings.Contains(err.Error(), "generation 5") {
		t.Errorf("a broken job: %v", err)
	}
	if err := s.Observe(KindUnknown, []byte("x")); err != nil {
		t.Errorf("a record of nobody: %v", err)
	}
	if s.JobRecord() != nil || s.Progress() != nil || s.Produce() != nil || len(s.Generations()) != 0 || s.Watermark(5) != 0 || s.CompleteFrom(5) != 0 || s.Engines(5) != nil {
		t.Errorf("what was refused left traces: %+v", s)
	}
}

func TestEnginesByName(t *testing.T) {
	var s Standing
	observe(t, &s, job(5), engineAt("spark", 5, 300, 20), engineAt("native", 5, 100, 10), engineAt("native", 5, 200, 10), engineAt("old", 4, 900, 0))
	var names []string
	for _, p := range s.Engines(5) {
		names = append(names, fmt.Sprint(p.Engine, p.Watermark))
	}
	if !slices.Equal(names, []string{"native200", "spark300"}) {
		t.Errorf("%q", names)
	}
	if s.Watermark(5) != 300 || s.CompleteFrom(5) != 20 || s.Progress().Engine != "old" {
		t.Errorf("watermark %d, complete from %d, newest %s", s.Watermark(5), s.CompleteFrom(5), s.Progress().Engine)
	}
}

// TestState: a row is final when the watermark has reached its end, or the input has ended.
func TestState(t *testing.T) {
	at := func(topic string, offsets ...int64) step {
		p := Progress{Engine: "a", Generation: 5, Watermark: 1000, TopicID: topic}
		for i, offset := range offsets {
			p.Partitions = append(p.Partitions, PartitionProgress{Partition: int32(i), Offset: offset})
		}
		return step{KindProgress, p}
	}
	ended := func(topic string, ends map[string]int64) step {
		return step{KindProduce, Produce{TopicID: topic, Ended: ends}}
	}
	both := map[string]int64{"0": 7, "1": 9}
	tests := []struct {
		name  string
		steps []step
		late  int64
		end   int64
		want  State
	}{
		{"before the end", []step{at("t", 7, 9)}, 0, 1001, Provisional},
		{"at the end", []step{at("t", 7, 9)}, 0, 1000, Final},
		{"with late events", []step{at("t", 7, 9)}, 2, 1000, Corrected},
		{"late events, open again", []step{at("t", 7, 9)}, 2, 1001, Provisional},
		{"an engine that cannot tell", []step{at("t", 7, 9)}, LateUnknown, 1000, Final},
		{"no progress at all", nil, 0, 1000, Provisional},
		{"ended", []step{at("t", 7, 9), ended("t", both)}, 0, 1001, Final},
		{"ended, corrected", []step{at("t", 7, 9), ended("t", both)}, 1, 1001, Corrected},
		{"ended, but another topic", []step{at("t", 7, 9), ended("u", both)}, 0, 1001, Provisional},
		{"ended, but not read to the end", []step{at("t", 7, 8), ended("t", both)}, 0, 1001, Provisional},
		{"ended, and read beyond", []step{at("t", 8, 9), ended("t", both)}, 0, 1001, Provisional},
		{"ended, but a partition is new", []step{at("t", 7, 9, 0), ended("t", both)}, 0, 1001, Provisional},
		{"ended, but a partition is unknown", []step{at("t", 7), ended("t", both)}, 0, 1001, Provisional},
		{"not ended", []step{at("t", 7, 9), ended("t", nil)}, 0, 1001, Provisional},
		{"ended, and produced again", []step{at("t", 7, 9), ended("t", both), ended("t", nil)}, 0, 1001, Provisional},
		{"another generation ended", []step{{KindProgress, Progress{Engine: "a", Generation: 4, TopicID: "t", Partitions: []PartitionProgress{{Partition: 0, Offset: 7}}}},
			ended("t", map[string]int64{"0": 7})}, 0, 1001, Provisional},
	}
	for _, test := range tests {
		var s Standing
		observe(t, &s, append([]step{job(5)}, test.steps...)...)
		if got := s.State(&Result{Generation: 5, End: test.end, Late: test.late}); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
