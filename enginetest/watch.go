package enginetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"liushui"
)

// letter is a dead letter.
type letter struct {
	place      Place
	reason     string
	generation int64
	value      string
}

// letters are the dead letters of one generation of an engine, by place.
type letters map[Place]letter

// places are where the records of a reason stand.
func (all letters) places(reason string) map[Place]bool {
	places := map[Place]bool{}
	for place, l := range all {
		if l.reason == reason {
			places[place] = true
		}
	}
	return places
}

// deadLetters reads the topic of dead letters. One may stand there twice, but
// then it must say the same.
func deadLetters(records []liushui.Record, generation int64) (letters, error) {
	all := letters{}
	for _, r := range records {
		l, err := readLetter(r)
		if err != nil {
			return nil, fmt.Errorf("dead letter %s: %w", r.Key, err)
		}
		if l.generation != generation {
			continue
		}
		if held, known := all[l.place]; known && held != *l {
			return nil, fmt.Errorf("dead letter %s: %+v, and before %+v", r.Key, *l, held)
		}
		all[l.place] = *l
	}
	return all, nil
}

func readLetter(r liushui.Record) (*letter, error) {
	l := &letter{value: string(r.Value)}
	var topic string
	if err := json.Unmarshal(r.Key, &[]any{&topic, &l.place.Partition, &l.place.Offset}); err != nil {
		return nil, err
	}
	if want := fmt.Sprintf(`["%s",%d,%d]`, liushui.TopicEvents, l.place.Partition, l.place.Offset); string(r.Key) != want {
		return nil, fmt.Errorf("want the key %s", want)
	}
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	for _, name := range []string{"reason", "detail", "engine", "generation", "time"} {
		if headers[name] == "" {
			return nil, fmt.Errorf("no header %s", name)
		}
	}
	l.reason = headers["reason"]
	if !slices.Contains([]string{"bad", "late"}, l.reason) {
		return nil, fmt.Errorf("the reason is %q", l.reason)
	}
	var err error
	if l.generation, err = strconv.ParseInt(headers["generation"], 10, 64); err != nil {
		return nil, fmt.Errorf("generation: %w", err)
	}
	return l, nil
}

// newestProgress is the last progress record of an engine, or nil.
func newestProgress(results []liushui.Record) (*liushui.Progress, error) {
	for _, r := range slices.Backward(results) {
		if liushui.KindOf(r.Key) == liushui.KindProgress {
			var p liushui.Progress
			if err := json.Unmarshal(r.Value, &p); err != nil {
				return nil, fmt.Errorf("results offset %d: progress: %w", r.Offset, err)
			}
			return &p, nil
		}
	}
	return nil, nil
}

// checkLog holds a whole results topic against the rules that no moment may
// break: the job record comes first, generations only grow, every account
// adds up, no watermark falls or passes the newest event, unchanged cells are
// not sent again. The engine began at the offsets of begun; at those of
// forgotten it had lost its state.
func checkLog(records []liushui.Record, begun, forgotten []int64) error {
	w := watch{jobs: map[int64]*liushui.Job{}, watermarks: map[int64]int64{}, versions: map[string]version{}}
	for _, r := range records {
		if slices.Contains(begun, r.Offset) {
			clear(w.versions)
		}
		if slices.Contains(forgotten, r.Offset) {
			clear(w.watermarks)
			w.forgot = true
		}
		if err := w.see(r); err != nil {
			w.faults = append(w.faults, fmt.Errorf("results offset %d: %w", r.Offset, err))
		}
	}
	return errors.Join(w.faults...)
}

type watch struct {
	jobs       map[int64]*liushui.Job // by generation
	watermarks map[int64]int64        // by generation
	versions   map[string]version     // by record key, since the engine began
	forgot     bool                   // the newest event is read anew
	faults     []error
}

type version struct{ generation, repair, version int64 }

func (w *watch) see(r liushui.Record) error {
	switch liushui.KindOf(r.Key) {
	case liushui.KindJob:
		return w.seeJob(r.Value)
	case liushui.KindProgress:
		return w.seeProgress(r.Value)
	case liushui.KindResult:
		return w.seeResult(r)
	case liushui.KindProduce:
		return nil // a script's
	}
	return fmt.Errorf("an engine has nothing to say under the key %q", r.Key)
}

func (w *watch) seeJob(value []byte) error {
	var j liushui.JobRecord
	if err := json.Unmarshal(value, &j); err != nil {
		return err
	}
	job, err := liushui.ParseJob("of the job record", j.Text)
	if err != nil || job.Hash() != j.Hash {
		return fmt.Errorf("the text of the job record is not of its hash %s: %v", j.Hash, err)
	}
	held := w.jobs[j.Generation]
	if held != nil && held.Hash() != j.Hash {
		return fmt.Errorf("generation %d has the job %s and before %s", j.Generation, j.Hash, held.Hash())
	}
	for generation, other := range w.jobs {
		if held == nil && other.Hash() == j.Hash && generation != j.Replaces {
			return fmt.Errorf("job %s has generation %d and before %d", j.Hash, j.Generation, generation)
		}
		if held == nil && generation >= j.Generation {
			return fmt.Errorf("the new generation %d is not above %d", j.Generation, generation)
		}
	}
	w.jobs[j.Generation] = job
	return nil
}

func (w *watch) seeProgress(value []byte) error {
	var p liushui.Progress
	if err := json.Unmarshal(value, &p); err != nil {
		return err
	}
	job, before := w.jobs[p.Generation], w.watermarks[p.Generation]
	w.watermarks[p.Generation] = max(before, p.Watermark)
	switch {
	case job == nil:
		return fmt.Errorf("progress of generation %d before its job record", p.Generation)
	case !p.Account.Balanced():
		return fmt.Errorf("the account does not add up: %+v", p.Account)
	case p.Watermark < before:
		return fmt.Errorf("the watermark falls from %d to %d", before, p.Watermark)
	case p.Watermark != 0 && !w.forgot && p.Watermark > p.Newest-job.Lateness.Milliseconds():
		return fmt.Errorf("the watermark %d is not behind the newest event %d by the lateness", p.Watermark, p.Newest)
	}
	return nil
}

func (w *watch) seeResult(r liushui.Record) error {
	var result struct{ Generation, Repair, Version int64 }
	if err := json.Unmarshal(r.Value, &result); err != nil {
		return err
	}
	if w.jobs[result.Generation] == nil {
		return fmt.Errorf("a result of generation %d before its job record", result.Generation)
	}
	now := version{result.Generation, result.Repair, result.Version}
	switch before := w.versions[string(r.Key)]; {
	case before == now:
		return fmt.Errorf("%s: version %d is sent again, though nothing changed", r.Key, now.version)
	case before.generation == now.generation && before.repair == now.repair && before.version > now.version:
		return fmt.Errorf("%s: version %d after version %d", r.Key, now.version, before.version)
	}
	w.versions[string(r.Key)] = now
	return nil
}
