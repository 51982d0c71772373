package enginetest

import (
	"fmt"
	"slices"
	"strings"

	"liushui"
)

// Story is a script for an engine that runs beside the test: by the real clock,
// in other processes.
type Story struct {
	Name    string
	Job     *liushui.Job
	Batches [][]liushui.Record // what is sent between two rests, in the order of sending
	Late    map[Place]bool     // what the script says is parked as late
}

// Stories are the scripts in which only records happen, and no engine's own life
// and no clock.
func Stories() ([]Story, error) {
	files, err := scripts.ReadDir("testdata")
	if err != nil {
		return nil, err
	}
	var all []Story
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".txt") {
			continue
		}
		content, err := scripts.ReadFile("testdata/" + file.Name())
		if err != nil {
			return nil, err
		}
		s, err := parseScript(file.Name(), string(content))
		if err != nil {
			return nil, err
		}
		story, ok, err := storyOf(s)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, story)
		}
	}
	return all, nil
}

// storyOf is a script's story; ok is false where more happens than records.
func storyOf(s *script) (story Story, ok bool, err error) {
	p := &player{stage: newStage(nil, s.steps[0].job, "", 1, 1), date: "2020-02-01", feed: liushui.FeedReplay}
	story = Story{Name: strings.TrimSuffix(s.name, ".txt"), Job: s.steps[0].job, Late: map[Place]bool{}}
	told := 0
	rest := func() {
		if events := p.events(); len(events) > told {
			story.Batches = append(story.Batches, slices.Clone(events[told:]))
			told = len(events)
		}
	}
	for _, step := range s.steps[1:] {
		switch step.verb {
		case "date", "feed", "partitions", "send", "repeat", "raw":
			err = p.do(step)
		case "settle":
			rest()
		case "parked":
			err = story.park(step)
		case "expect", "absent", "rows", "account", "progress":
		default:
			return story, false, nil
		}
		if err != nil {
			return story, false, step.fault(s.name, err)
		}
	}
	rest()
	return story, len(story.Batches) > 0, nil
}

func (s *Story) park(step step) error {
	if step.word(0) != "late" {
		return nil
	}
	for _, word := range step.words[1:] {
		place, err := parsePlace(word)
		if err != nil {
			return fmt.Errorf("place %q: %w", word, err)
		}
		s.Late[place] = true
	}
	return nil
}
