package enginetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"liushui"
)

// said makes the records of a results topic.
type said struct {
	t       *testing.T
	job     *liushui.Job
	records []liushui.Record
}

func (s *said) add(key string, value any) *said {
	text, err := json.Marshal(value)
	if err != nil {
		s.t.Fatal(err)
	}
	s.records = append(s.records, liushui.Record{Offset: int64(len(s.records)), Key: []byte(key), Value: text})
	return s
}

func (s *said) jobRecord(generation int64, job *liushui.Job) *said {
	return s.add(liushui.KeyJob, liushui.JobRecord{Hash: job.Hash(), Generation: generation, Text: job.Text})
}

func (s *said) progress(generation, watermark, newest, bad int64) *said {
	return s.add(liushui.ProgressKey("native"), liushui.Progress{Engine: "native", Generation: generation, Watermark: watermark, Newest: newest,
		Account: liushui.Account{Read: 1, Counted: 1 - bad}})
}

func (s *said) result(generation, version int64) *said {
	return s.add(`["sales","1s","0","A"]`, map[string]int64{"generation": generation, "version": version})
}

func TestCheckLog(t *testing.T) {
	job, other := parse(t, testJob), parse(t, strings.Replace(testJob, "job: test", "job: other", 1))
	const newest = 20_000 // less the lateness: 10,000
	tests := []struct {
		name  string
		said  func(*said)
		fault string // "" = sound
	}{
		{"sound", func(s *said) {
			s.jobRecord(5, job).progress(5, 0, 0, 0).result(5, 1).result(5, 2).progress(5, 10_000, newest, 0).jobRecord(5, job)
			s.jobRecord(6, other).result(6, 1).progress(6, 0, newest, 0).progress(6, 9_000, newest, 0)
		}, ""},
		{"result first", func(s *said) { s.result(5, 1) }, "offset 0: a result of generation 5 before its job record"},
		{"progress first", func(s *said) { s.progress(5, 0, 0, 0) }, "offset 0: progress of generation 5 before its job record"},
		{"account", func(s *said) { s.jobRecord(5, job).progress(5, 0, 0, 1) }, "offset 1: the account does not add up"},
		{"watermark falls", func(s *said) { s.jobRecord(5, job).progress(5, 9_000, newest, 0).progress(5, 8_999, newest, 0) }, "offset 2: the watermark falls from 9000 to 8999"},
		{"watermark too far", func(s *said) { s.jobRecord(5, job).progress(5, 10_001, newest, 0) }, "offset 1: the watermark 10001 is not behind"},
		{"unchanged cell", func(s *said) { s.jobRecord(5, job).result(5, 1).result(5, 1) }, "version 1 is sent again, though nothing changed"},
		{"a version falls", func(s *said) { s.jobRecord(5, job).result(5, 2).result(5, 1) }, "version 1 after version 2"},
		{"two jobs of one generation", func(s *said) { s.jobRecord(5, job).jobRecord(5, other) }, "generation 5 has the job"},
		{"two generations of one job", func(s *said) { s.jobRecord(5, job).jobRecord(6, job) }, "has generation 6 and before 5"},
		{"a lower generation", func(s *said) { s.jobRecord(5, job).jobRecord(4, other) }, "the new generation 4 is not above 5"},
		{"text of another job", func(s *said) {
			s.add(liushui.KeyJob, liushui.JobRecord{Hash: other.Hash(), Generation: 5, Text: job.Text})
		}, "is not of its hash"},
		{"strange key", func(s *said) { s.add(`["hello"]`, 1) }, "nothing to say under the key"},
		{"strange job", func(s *said) { s.add(liushui.KeyJob, 1) }, "offset 0: json"},
		{"strange progress", func(s *said) { s.add(liushui.ProgressKey("x"), 1) }, "offset 0: json"},
		{"strange result", func(s *said) { s.add(`["sales","1s","0","A"]`, 1) }, "offset 0: json"},
	}
	for _, test := range tests {
		s := &said{t: t, job: job}
		test.said(s)
		err := checkLog(s.records, nil, nil)
		if (err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: %v, want %s", test.name, err, test.fault)
		}
	}
}

func TestCheckLogOverLives(t *testing.T) {
	s := &said{t: t}
	s.jobRecord(5, parse(t, testJob)).progress(5, 10_000, 20_000, 0).result(5, 1).result(5, 1).progress(5, 0, 0, 0)
	if err := checkLog(s.records, []int64{3}, []int64{4}); err != nil {
		t.Errorf("an engine that began anew may send again, one that lost its state may know less: %v", err)
	}
	if err := checkLog(s.records, nil, nil); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("both faults must be named: %v", err)
	}
}

func TestDeadLetters(t *testing.T) {
	letter := func(key, value string, headers ...string) liushui.Record {
		r := liushui.Record{Key: []byte(key), Value: []byte(value)}
		for i := 0; i < len(headers); i += 2 {
			r.Headers = append(r.Headers, liushui.Header{Key: headers[i], Value: []byte(headers[i+1])})
		}
		return r
	}
	all := func(reason, generation string) []string {
		return []string{"reason", reason, "detail", "d", "engine", "native", "generation", generation, "time", "1"}
	}
	sound := letter(`["category",1,7]`, "x", all("bad", "5")...)
	older := letter(`["category",1,7]`, "x", all("late", "4")...)
	got, err := deadLetters([]liushui.Record{older, sound, sound}, 5)
	if err != nil || len(got) != 1 || !got.places("bad")[Place{Partition: 1, Offset: 7}] || len(got.places("late")) != 0 {
		t.Errorf("%v %v", got, err)
	}
	for name, r := range map[string]liushui.Record{
		"another reason":       letter(`["category",1,7]`, "x", all("late", "5")...),
		"another value":        letter(`["category",1,7]`, "y", all("bad", "5")...),
		"key with blanks":      letter(`["category", 1, 8]`, "x", all("bad", "5")...),
		"key of another topic": letter(`["other",1,8]`, "x", all("bad", "5")...),
		"key that is no JSON":  letter(`category`, "x", all("bad", "5")...),
		"unknown reason":       letter(`["category",1,8]`, "x", all("odd", "5")...),
		"no detail":            letter(`["category",1,8]`, "x", "reason", "bad", "engine", "native", "generation", "5", "time", "1"),
		"strange generation":   letter(`["category",1,8]`, "x", all("bad", "x")...),
	} {
		if got, err := deadLetters([]liushui.Record{sound, r}, 5); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestDifferences: what the oracle is held against, each part alone.
func TestDifferences(t *testing.T) {
	for _, test := range []struct {
		want      string
		committed int64
		change    func(*liushui.Progress)
	}{
		{"", 2, func(*liushui.Progress) {}},
		{"partition 0: committed 3, judged 2", 3, func(*liushui.Progress) {}},
		{"partition 0 was judged up to 1 of 2", 0, func(p *liushui.Progress) { p.Partitions[0].Offset = 1 }},
		{"partition 0 was not read", 0, func(p *liushui.Progress) { p.Partitions = nil }},
		{"the newest event is 5", 0, func(p *liushui.Progress) { p.Newest = 5 }},
		{"the newest event of partition 0", 0, func(p *liushui.Progress) { p.Partitions[0].Newest = 5 }},
		{"the topic is x", 0, func(p *liushui.Progress) { p.TopicID = "x" }},
		{"account {Read:3", 0, func(p *liushui.Progress) { p.Account = liushui.Account{Read: 3, Ignored: 3} }},
	} {
		s := newStage(nil, parse(t, testJob), t.TempDir(), 1, 1)
		for i := range 2 {
			s.send(0, liushui.Record{Value: fmt.Appendf(nil, `{"id":"%d","type":"view","time":1580486400000}`, i), Feed: "replay"})
		}
		lag := int64(0)
		p := liushui.Progress{Engine: "native", Generation: 5, Newest: 1580486400000, TopicID: s.line.Events.ID(), Account: liushui.Account{Read: 2, Ignored: 2},
			Partitions: []liushui.PartitionProgress{{Offset: 2, Lag: &lag, Newest: 1580486400000}}}
		test.change(&p)
		if err := s.line.Events.Reader(nil).Commit(t.Context(), "liushui-native", map[int32]int64{0: test.committed}); err != nil {
			t.Fatal(err)
		}
		out := (&said{t: t}).jobRecord(5, s.line.Job).add(liushui.ProgressKey("native"), p)
		for _, r := range out.records {
			s.line.Results.Append(0, r)
		}
		lines, err := s.differences()
		got := strings.Join(lines, "\n")
		if err != nil || (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%q: %q %v", test.want, got, err)
		}
	}
}
