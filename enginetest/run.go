package enginetest

import (
	"embed"
	"testing"
	"testing/synctest"
)

//go:embed testdata/*.txt
var scripts embed.FS

// Run plays every script on an engine, in several styles: in one go, record by
// record, stopped or killed at every rest. Time is testing/synctest's, so the
// engine may wait with nothing but the clock, channels and files.
func Run(t *testing.T, engine Engine) {
	files, err := scripts.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := scripts.ReadFile("testdata/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseScript(file.Name(), string(content))
		if err != nil {
			t.Fatal(err)
		}
		for _, how := range styles {
			t.Run(file.Name()+"/"+how.name, func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					if err := play(engine, s, how, dir); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}
