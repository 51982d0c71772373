package spark

import (
	"slices"
	"testing"

	"liushui/dev"
	"liushui/enginetest"
)

// TestStories plays the scripts that every engine must pass.
func TestStories(t *testing.T) {
	stories, err := enginetest.Stories()
	if err != nil {
		t.Fatal(err)
	}
	for _, story := range stories {
		t.Run(story.Name, func(t *testing.T) {
			playBatches(t, dev.Spark42, story.Job, story.Batches, enginetest.Options{Late: story.Late})
		})
	}
	if n := len(stories); n < 20 || slices.ContainsFunc(stories, func(s enginetest.Story) bool { return len(s.Batches) == 0 }) {
		t.Errorf("%d stories", n)
	}
}
