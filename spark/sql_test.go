package spark

import (
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"testing"

	"liushui"
)

// hostile are texts that would mean something to SQL, to Spark or to JSON.
var hostile = []string{
	"'", "''", `"`, "`", `\`, `\'`, "a'b", "'; DROP TABLE events; --", "-- ", "/* x */", "${spark.app.name}", "${env:HOME}", "$", ":name", "?", "{x}", "%s", "%",
	"\n", "\r\n", "\t", "\x00", "\x1f", "\x7f", "\u2028", "\u202e", "\ufeff", "\ufffd", "😀", "中文", "é", "e\u0301", " ", "", "NULL", "X'41'", "r'x'", `\u0041`, `\x41`, "1 OR 1=1",
}

var (
	quotedForm = regexp.MustCompile(`^'([^'\\$]*)'$`)
	hexForm    = regexp.MustCompile(`^CAST\(X'([0-9A-F]*)' AS STRING\)$`)
)

// meaning is what a text in SQL stands for. It fails where it is of no form that is
// the same under all settings of a session.
func meaning(t testing.TB, sql string) string {
	t.Helper()
	if m := quotedForm.FindStringSubmatch(sql); m != nil {
		return m[1]
	}
	m := hexForm.FindStringSubmatch(sql)
	if m == nil {
		t.Fatalf("%q can be read in several ways", sql)
	}
	b, err := hex.DecodeString(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func FuzzText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := meaning(t, text(s)); got != s {
			t.Errorf("%q became %q: %q", s, text(s), got)
		}
	})
}

// TestNoTextReachesSQLUnquoted puts hostile texts wherever a job has texts.
func TestNoTextReachesSQLUnquoted(t *testing.T) {
	for _, s := range hostile {
		job := shop(t)
		job.Statistics[1].Measures[0].Where = []liushui.Condition{{Field: "channel", Values: []string{s}}}
		p, err := compile(job, options{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.cells, "`d_channel` IN ("+text(s)+")") {
			t.Errorf("%q is not quoted in\n%s", s, p.cells)
		}
		for place, put := range map[string]func(*liushui.Statistic){
			"statistic": func(of *liushui.Statistic) { of.Name = s },
			"by":        func(of *liushui.Statistic) { of.By = []string{s} },
			"measure":   func(of *liushui.Statistic) { of.Measures[0].Name = s },
			"window":    func(of *liushui.Statistic) { of.Windows[0].Name = s },
			"condition": func(of *liushui.Statistic) {
				of.Measures[0].Where = []liushui.Condition{{Field: s, Values: []string{"x"}}}
			},
			"distinct": func(of *liushui.Statistic) { of.Measures[0].Kind, of.Measures[0].Field = liushui.Distinct, s },
		} {
			job := shop(t)
			put(job.Statistics[1])
			_, err := compile(job, options{})
			if proper := s == "NULL"; proper != (err == nil) || !proper && !errors.Is(err, liushui.ErrMisuse) {
				t.Errorf("%s %q: %v", place, s, err)
			}
		}
	}
}

// TestUnable shows that what Spark cannot compute is refused with the statistic's name.
func TestUnable(t *testing.T) {
	job := shop(t)
	job.Statistics[0].Measures[0].Kind = liushui.Distinct + 1
	_, err := compile(job, options{})
	if !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "statistic activity: Spark cannot compute it: measure events is of an unknown kind") {
		t.Error(err)
	}
}
