package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"liushui"
	"liushui/kafka"
)

// moment is a state of the topic of results that can be compared with the log:
// what the engine had judged, and from when on all of it had been sent.
type moment struct {
	generation int64
	job        *liushui.Job
	progress   *liushui.Progress
	end        int64 // of the topic
	start      int64
	settled    bool // all that was judged is in the topic; else only what can no longer change

	newestWatermark int64 // of all generations: ages of rows are counted from it
}

// sentWithin is when an engine has certainly sent what it judged.
const sentWithin = mostEvery + time.Second

// findMoment reads job and progress records through.
func (p *program) findMoment(ctx context.Context, client *kafka.Client, topic string) (*moment, error) {
	there, err := client.HasTopic(ctx, topic)
	if err == nil && !there {
		err = misuse("there is no topic %s: has `liushui process` run?", topic)
	}
	if err != nil {
		return nil, err
	}
	all, err := whole(ctx, client, topic)
	if err != nil {
		return nil, err
	}
	reading := p.newMeter("reading progress", "records")
	defer reading.close()
	type of struct {
		generation int64
		engine     string
	}
	standing, recent, newest := &liushui.Standing{}, map[of]*pastProgress{}, map[int64]*pastProgress{}
	err = scan(ctx, client, topic, all, reading, func(r *liushui.Record) error {
		kind := liushui.KindOf(r.Key)
		if kind == liushui.KindResult {
			return nil
		}
		if err := standing.Observe(kind, r.Value); err != nil {
			return fmt.Errorf("%s, offset %d: %w", topic, r.Offset, err)
		}
		if kind == liushui.KindProgress {
			said := standing.Progress()
			by := of{said.Generation, said.Engine}
			if recent[by] == nil {
				recent[by] = &pastProgress{}
			}
			recent[by].add(said)
			newest[said.Generation] = recent[by]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	generation, job := standing.Current()
	if job == nil || newest[generation] == nil {
		return nil, fmt.Errorf("topic %s holds no results of an engine; has `liushui process` run?", topic)
	}
	m := &moment{generation: generation, job: job, start: all[0].start, end: all[0].end}
	for _, number := range standing.Generations() {
		m.newestWatermark = max(m.newestWatermark, standing.Watermark(number))
	}
	m.progress, m.settled = newest[generation].choose()
	if m.progress == nil {
		return nil, fmt.Errorf("the engine has only begun; try again in %s", sentWithin)
	}
	return m, nil
}

// pastProgress are the newest progress records of an engine in a generation.
type pastProgress struct {
	all   []*liushui.Progress // of the last seconds, oldest first
	since int64               // when the newest offsets were reported first
}

func (h *pastProgress) add(p *liushui.Progress) {
	if n := len(h.all); n == 0 || !maps.Equal(offsetsOf(h.all[n-1]), offsetsOf(p)) {
		h.since = p.Time
	}
	h.all = append(h.all, p)
	enough := slices.IndexFunc(h.all, func(old *liushui.Progress) bool { return old.Time > p.Time-sentWithin.Milliseconds() })
	h.all = h.all[max(enough-1, 0):]
}

// choose finds a progress record all of whose figures have been sent since. An
// engine that stopped, or that rests, has sent all that it judged.
func (h *pastProgress) choose() (p *liushui.Progress, settled bool) {
	newest := h.all[len(h.all)-1]
	if newest.Stopped || newest.Time-h.since >= sentWithin.Milliseconds() {
		return newest, true
	}
	if oldest := h.all[0]; newest.Time-oldest.Time >= sentWithin.Milliseconds() {
		return oldest, false
	}
	return nil, false
}

func offsetsOf(p *liushui.Progress) map[int32]int64 {
	offsets := map[int32]int64{}
	for _, part := range p.Partitions {
		offsets[part.Partition] = part.Offset
	}
	return offsets
}
