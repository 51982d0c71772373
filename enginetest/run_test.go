package enginetest

import (
	"strings"
	"testing"
	"testing/synctest"
)

func TestScriptsOnThePlainEngine(t *testing.T) { Run(t, plainEngine("")) }

// playOne plays a script of testdata, in the style in which the engine dies at every rest.
func playOne(t *testing.T, engine Engine, name string) (err error) {
	t.Helper()
	content, err := scripts.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	return playText(t, engine, name+".txt", string(content))
}

func playText(t *testing.T, engine Engine, name, text string) (err error) {
	t.Helper()
	s, err := parseScript(name, text)
	if err != nil {
		return err
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { err = play(engine, s, styles[3], dir) })
	return err
}

const scriptHead = "job\n  sales: {windows: [1m], by: [province], measures: {orders: count, paid: sum amount}}\n"

// TestScriptFaults shows that a script which is wrong, or which expects what is
// not there, fails with its file and line.
func TestScriptFaults(t *testing.T) {
	const sound = scriptHead + "send 12:00:00 pay province=A amount=1\nsettle\n"
	if err := playText(t, plainEngine(""), "x.txt", sound+"expect sales 1m 12:00:00 A orders=1 paid=1.00"); err != nil {
		t.Fatal(err)
	}
	for last, want := range map[string]string{
		"expect sales 1m 12:00:00 A orders=2": "x.txt:5: expect sales 1m 12:00:00 A orders=2: orders is 1, want 2",
		"expect sales 1m 12:00:00 B orders=1": "there is no such row",
		"expect sales 1m 12:00:00 A order=1":  "there is no order; there are end, late, length, orders",
		"expect sale 1m 12:00:00":             "want statistic, window, start",
		"expect sales 1m noon A":              `"noon" is no time`,
		"absent sales 1m 12:00:00 A":          "there is one: [1 10000] version 1",
		"rows 2":                              "there are 1",
		"account counted=2":                   "counted is 1, want 2",
		"parked late 0/0":                     "parked are []",
		"progress watermark=none":             "watermark is 11:59:50, want none",
		"send 12:00":                          "want [@partition] time type",
		"send 12:00:00 pay province":          `"province" is not of the form name=value`,
		`send 12:00:00 pay province="`:        "quotes: invalid syntax",
		"clock 1999-01-01":                    "the clock stands at",
		"sned 12:00:00 pay":                   "no such verb; want one of absent, account",
	} {
		err := playText(t, plainEngine(""), "x.txt", sound+last)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.txt:5: ") {
			t.Errorf("%s: %v\nwant %s", last, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                          "the first line must be a job",
		"settle":                    "the first line must be a job",
		"job lateness=x\n" + "  a:": `x.txt:1: job lateness=x: job of the script: lateness: "x"`,
	} {
		if err := playText(t, plainEngine(""), "x.txt", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
}
