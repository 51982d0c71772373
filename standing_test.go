package liushui

import (
	"encoding/json"
	"fmt"
	"testing"
)

// step is a record of the results topic as a standing sees it.
type step struct {
	kind  RecordKind
	value any
}

func observe(t *testing.T, s *Standing, steps ...step) {
	t.Helper()
	for _, st := range steps {
		value, err := json.Marshal(st.value)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Observe(st.kind, value); err != nil {
			t.Fatal(err)
		}
	}
}

func jobRecord(generation int64) JobRecord {
	text, _ := BuiltinJob(DefaultJob)
	return JobRecord{Job: DefaultJob, Generation: generation, Text: text}
}

// Once caught up, a generation stays so, whatever the one before does next; a
// restored standing must not judge that again from the newest records alone.
func TestRestoreStandingKeepsWhoHadCaughtUp(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []step
		want  []int64
	}{
		{"caught up, then overtaken", []step{
			{KindJob, jobRecord(1)}, {KindProgress, Progress{Engine: "a", Generation: 1, Watermark: 100}},
			{KindJob, jobRecord(2)}, {KindProgress, Progress{Engine: "b", Generation: 2, Watermark: 100}},
			{KindProgress, Progress{Engine: "a", Generation: 1, Watermark: 200}},
		}, []int64{1, 2}},
		{"never caught up", []step{
			{KindJob, jobRecord(1)}, {KindProgress, Progress{Engine: "a", Generation: 1, Watermark: 100}},
			{KindJob, jobRecord(2)}, {KindProgress, Progress{Engine: "b", Generation: 2, Watermark: 50}},
			{KindProgress, Progress{Engine: "a", Generation: 1, Watermark: 200}},
		}, []int64{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var live Standing
			observe(t, &live, test.steps...)

			var kept []Record // the newest of each key and generation, in the topic's order
			for _, i := range []int{0, 2, 3, 4} {
				value, _ := json.Marshal(test.steps[i].value)
				key := KeyJob
				if p, ok := test.steps[i].value.(Progress); ok {
					key = ProgressKey(p.Engine)
				}
				kept = append(kept, Record{Key: []byte(key), Value: value})
			}
			restored, err := RestoreStanding(kept, live.CaughtUp())
			if err != nil {
				t.Fatal(err)
			}
			for name, s := range map[string]*Standing{"live": &live, "restored": restored, "clone": live.Clone()} {
				if got := fmt.Sprint(s.CaughtUp()); got != fmt.Sprint(test.want) {
					t.Errorf("%s: caught up %s, want %v", name, got, test.want)
				}
				if got := s.Shown(1000); got != test.want[len(test.want)-1] {
					t.Errorf("%s: shown %d", name, got)
				}
				if s.Progress().Watermark != 200 {
					t.Errorf("%s: newest progress %+v", name, s.Progress())
				}
			}
		})
	}
}

func TestCloneObservesOnItsOwn(t *testing.T) {
	var s Standing
	observe(t, &s, step{KindJob, jobRecord(1)}, step{KindProgress, Progress{Engine: "a", Generation: 1, Watermark: 100}})
	c := s.Clone()
	observe(t, c, step{KindProgress, Progress{Engine: "a", Generation: 1, Watermark: 300}}, step{KindJob, jobRecord(2)})
	if s.Watermark(1) != 100 || len(s.Generations()) != 1 {
		t.Errorf("the original moved: watermark %d, generations %v", s.Watermark(1), s.Generations())
	}
	if c.Watermark(1) != 300 || len(c.Generations()) != 2 {
		t.Errorf("the clone did not: watermark %d, generations %v", c.Watermark(1), c.Generations())
	}
}
