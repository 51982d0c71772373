package enginetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"liushui"
)

// style is how a script is played; the outcome must be the same in each.
type style struct {
	name   string
	batch  int    // records of a partition in one Poll; 0 = the default
	settle string // verb to do after each settle: restart, kill, or nothing
}

var styles = []style{
	{"plain", 0, ""},
	{"record by record", 1, ""},
	{"stopped at every rest", 0, "restart"},
	{"killed at every rest", 2, "kill"},
}

// player plays one script on one engine.
type player struct {
	*stage
	style style
	date  string
	feed  string
	made  int  // events made, for their ids
	dead  bool // the engine ended by itself, as it should
}

// play plays a script in a new directory below dirs and returns the first fault.
func play(engine Engine, s *script, how style, dirs string) (err error) {
	p := &player{stage: newStage(engine, s.steps[0].job, dirs, 1, 1), style: how, date: "2020-02-01", feed: liushui.FeedReplay}
	if how.batch > 0 {
		p.line.Events.Batch(how.batch)
	}
	defer func() {
		if p.cancel != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	for _, step := range s.steps[1:] {
		if err := p.do(step); err != nil {
			return step.fault(s.name, err)
		}
	}
	if p.dead {
		return checkLog(p.line.Results.Records(0), p.begun, p.forgotten)
	}
	for _, verb := range []string{"settle", "stop"} {
		if err := p.do(step{verb: verb}); err != nil {
			return fmt.Errorf("%s: at the end: %s: %w", s.name, verb, err)
		}
	}
	return checkLog(p.line.Results.Records(0), p.begun, p.forgotten)
}

func (p *player) do(s step) error {
	verbs := map[string]func(step) error{
		"job": p.changeJob, "partitions": p.partitions, "date": p.setDate, "feed": p.setFeed, "clock": p.clock, "wait": p.wait,
		"send": p.sendEvent, "repeat": p.repeat, "raw": p.raw, "trim": p.trim, "recreate": p.recreate,
		"start":   func(step) error { return p.start() },
		"stop":    func(step) error { return p.stop() },
		"restart": func(step) error { return errors.Join(p.stop(), p.start()) },
		"kill":    func(step) error { return errors.Join(p.kill(), p.start()) },
		"forget":  p.forget,
		"ended":   p.inputEnded,
		"dies":    p.dies,
		"blind":   p.blind,
		"rhythm":  p.rhythm,
		"settle":  p.rest,
		"expect":  p.expect, "absent": p.absent, "rows": p.rows, "account": p.account, "parked": p.parked, "progress": p.progress,
	}
	f := verbs[s.verb]
	if f == nil {
		return fmt.Errorf("no such verb; want one of %s", strings.Join(keys(verbs), ", "))
	}
	return f(s)
}

func (p *player) changeJob(s step) error {
	err := p.stop()
	p.line.Job = s.job
	return errors.Join(err, p.start())
}

func (p *player) partitions(s step) error {
	n, err := s.number(0)
	if err != nil {
		return err
	}
	p.line.Events.AddPartitions(n - len(p.line.Events.Ends()))
	return nil
}

func (p *player) setDate(s step) error { p.date = s.word(0); return nil }

func (p *player) setFeed(s step) error {
	p.feed = s.word(0)
	if p.feed == "live" {
		p.feed = liushui.FeedLive
	}
	return nil
}

// clock waits until a time.
func (p *player) clock(s step) error {
	at, err := parseTime(s.word(0), p.date, p.line.Job.Zone)
	if err != nil {
		return err
	}
	wait := time.Until(time.UnixMilli(at))
	if wait < 0 {
		return fmt.Errorf("the clock stands at %s", time.Now().In(p.line.Job.Zone))
	}
	time.Sleep(wait)
	return nil
}

func (p *player) wait(s step) error {
	d, err := time.ParseDuration(s.word(0))
	if err == nil {
		err = p.start()
	}
	time.Sleep(d)
	return err
}

// rest settles, and then may stop or kill the engine, as the style of playing has it.
func (p *player) rest(step) error {
	if err := errors.Join(p.start(), p.settle()); err != nil || p.style.settle == "" {
		return err
	}
	if err := p.do(step{verb: p.style.settle}); err != nil {
		return err
	}
	return p.settle()
}

// forget starts the engine again without its state.
func (p *player) forget(step) error {
	err := p.stop()
	p.line.Dir, p.line.Disk = p.newDir(), NewDisk()
	p.forgotten = append(p.forgotten, p.line.Results.Ends()[0])
	return errors.Join(err, p.start())
}

// inputEnded says for produce that the events end here.
func (p *player) inputEnded(step) error {
	produce := liushui.Produce{Feed: p.feed, Time: time.Now().UnixMilli(), TopicID: p.line.Events.ID(), Ended: map[string]int64{}}
	for partition, end := range p.line.Events.Ends() {
		produce.Ended[fmt.Sprint(partition)] = end
	}
	value, err := json.Marshal(produce)
	p.line.Results.Append(0, liushui.Record{Key: []byte(liushui.KeyProduce), Value: value})
	return err
}

func (p *player) trim(s step) error {
	place, err := parsePlace(s.word(0))
	if err == nil {
		p.line.Events.Trim(place.Partition, place.Offset)
	}
	return err
}

// recreate makes the topic of events again, empty.
func (p *player) recreate(step) error {
	p.line.Events.Recreate(len(p.line.Events.Ends()))
	p.sent = nil
	return nil
}

// blind keeps the engine from learning the ends of partitions, or lets it see again.
func (p *player) blind(s step) error {
	if s.word(0) != "on" && s.word(0) != "off" {
		return errors.New("want on or off")
	}
	p.line.Events.HideEnds(s.word(0) == "on")
	return nil
}

// dies starts the engine if need be, and waits until it ends by itself with the error named.
func (p *player) dies(s step) error {
	want := map[string]error{"gone": liushui.ErrGone, "other": liushui.ErrOtherTopic}[s.word(0)]
	if want == nil {
		return errors.New("want gone or other")
	}
	if err := p.start(); err != nil {
		return err
	}
	select {
	case err := <-p.stage.ended:
		p.cancel()
		p.cancel, p.dead = nil, true
		if !errors.Is(err, want) {
			return fmt.Errorf("it ended with: %w", err)
		}
		return nil
	case <-time.After(endsWithin):
		return errors.New("it goes on")
	}
}

// word is the nth word after the verb, or nothing.
func (s step) word(n int) string {
	if n < len(s.words) {
		return s.words[n]
	}
	return ""
}

func (s step) number(n int) (int, error) { return strconv.Atoi(s.word(n)) }

// partition takes @partition off the words; without it, it is 0.
func (s step) partition() (int32, []string, error) {
	if !strings.HasPrefix(s.word(0), "@") {
		return 0, s.words, nil
	}
	n, err := strconv.ParseInt(s.words[0][1:], 10, 32)
	return int32(n), s.words[1:], err
}

// parsePlace reads partition/offset.
func parsePlace(word string) (Place, error) {
	var p Place
	_, err := fmt.Sscanf(word, "%d/%d", &p.Partition, &p.Offset)
	if err != nil {
		return p, fmt.Errorf("%q: want partition/offset: %w", word, err)
	}
	return p, nil
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
