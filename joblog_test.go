package liushui

import (
	"context"
	"encoding/json"
	"maps"
	"testing"
	"time"
)

// said is a results topic that holds job and progress records only.
type said struct {
	records []Record
	read    bool
}

func (s *said) add(t *testing.T, key string, value any) {
	t.Helper()
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	s.records = append(s.records, Record{Key: []byte(key), Value: b, Offset: int64(len(s.records)), Time: 1})
}

func (s *said) Poll(context.Context) ([]Fetch, error) {
	if s.read {
		return nil, nil
	}
	s.read = true
	return []Fetch{{Records: s.records}}, nil
}

func (s *said) Ends() []PartitionEnd {
	return []PartitionEnd{{End: int64(len(s.records)), Asked: time.Now()}}
}
func (s *said) Hold(int32, bool)                                      {}
func (s *said) Commit(context.Context, string, map[int32]int64) error { return nil }
func (s *said) TopicID() string                                       { return "results" }
func (s *said) Close()                                                {}

func TestJobLog(t *testing.T) {
	job := func(hash string, generation int64) JobRecord { return JobRecord{Hash: hash, Generation: generation} }
	at := func(engine string, generation, offset, sent int64) Progress {
		return Progress{Engine: engine, Generation: generation, Run: generation, Sent: sent, Partitions: []PartitionProgress{{Offset: offset}, {Partition: 1, Offset: 1}}}
	}
	for name, c := range map[string]struct {
		records []any
		first   int64
		own     int64 // generation
		sent    map[int32]int64
	}{
		"nothing":                          {},
		"what was judged":                  {[]any{job("a", 5), at("native", 5, 70, 1), at("native", 5, 90, 0)}, 5, 5, map[int32]int64{0: 70, 1: 1}},
		"from the start once more":         {[]any{job("a", 5), at("native", 5, 70, 1), at("native", 5, 9, 2)}, 5, 5, map[int32]int64{0: 70, 1: 1}},
		"a gap":                            {[]any{job("a", 5), at("native", 5, 70, 1), at("native", 5, 90, 3), at("native", 5, 95, 4)}, 5, 5, map[int32]int64{0: 70, 1: 1}},
		"a gap at the start":               {[]any{job("a", 5), at("native", 5, 70, 2)}, 5, 5, map[int32]int64{}},
		"said twice":                       {[]any{job("a", 5), at("native", 5, 70, 1), at("native", 5, 70, 1), at("native", 5, 80, 2)}, 5, 5, map[int32]int64{0: 80, 1: 1}},
		"another engine's results":         {[]any{job("a", 5), at("spark", 5, 70, 1)}, 5, 0, nil},
		"another job":                      {[]any{job("a", 5), at("native", 5, 70, 1), job("b", 6)}, 6, 0, nil},
		"an engine of the job before":      {[]any{job("a", 5), job("b", 6), at("native", 5, 70, 1)}, 6, 0, nil},
		"two engines that began together":  {[]any{job("a", 5), job("a", 6), at("native", 5, 70, 1)}, 5, 5, map[int32]int64{0: 70, 1: 1}},
		"the same job after another":       {[]any{job("a", 5), job("b", 6), job("a", 7), at("native", 7, 3, 1)}, 7, 7, map[int32]int64{0: 3, 1: 1}},
		"the same job over a changed log":  {[]any{job("a", 5), at("native", 5, 70, 1), JobRecord{Hash: "a", Generation: 8, Replaces: 5}}, 8, 0, nil},
		"a job record that is said again":  {[]any{job("a", 5), at("native", 5, 70, 1), job("a", 5)}, 5, 5, map[int32]int64{0: 70, 1: 1}},
		"its results are not all sent yet": {[]any{job("a", 5), at("native", 5, 70, 0)}, 5, 5, nil},
	} {
		t.Run(name, func(t *testing.T) {
			topic := &said{}
			for _, r := range c.records {
				if p, ok := r.(Progress); ok {
					topic.add(t, ProgressKey(p.Engine), p)
				} else {
					topic.add(t, KeyJob, r)
				}
			}
			log := &JobLog{Reader: topic, Engine: "native"}
			asked := time.Now()
			if err := log.ReadUntil(t.Context(), time.Millisecond, func() bool { return log.AtEnd(asked) }); err != nil {
				t.Fatal(err)
			}
			if log.First.Generation != c.first || log.Own.Generation != c.own || !maps.Equal(log.Sent, c.sent) || (log.Sent == nil) != (c.sent == nil) {
				t.Errorf("first %d, own %d, sent %v; want %d, %d, %v", log.First.Generation, log.Own.Generation, log.Sent, c.first, c.own, c.sent)
			}
		})
	}
}
