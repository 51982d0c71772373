package enginetest

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode"

	"liushui"
)

// script is a text file of testdata, parsed. testdata/README.md says what may stand in one.
type script struct {
	name  string
	steps []step
}

// step is one line.
type step struct {
	line  int
	verb  string
	words []string // after the verb
	text  string   // after the verb, as written
	job   *liushui.Job
}

func (s step) fault(name string, err error) error {
	return fmt.Errorf("%s:%d: %s %s: %w", name, s.line, s.verb, s.text, err)
}

func parseScript(name, content string) (*script, error) {
	s := &script{name: name}
	lines := strings.Split(content, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if line == "" || line[0] == '#' {
			continue
		}
		next := step{line: i + 1}
		next.verb, next.text, _ = strings.Cut(line, " ")
		next.text = strings.TrimSpace(next.text)
		var err error
		if next.verb != "raw" {
			if next.words, err = words(next.text); err != nil {
				return nil, next.fault(name, err)
			}
		}
		if next.verb == "job" {
			var statistics []string
			for i+1 < len(lines) && (strings.HasPrefix(lines[i+1], " ") || strings.TrimSpace(lines[i+1]) == "") {
				i++
				statistics = append(statistics, lines[i])
			}
			if next.job, err = jobOf(next.words, statistics); err != nil {
				return nil, next.fault(name, err)
			}
		}
		s.steps = append(s.steps, next)
	}
	if len(s.steps) == 0 || s.steps[0].verb != "job" {
		return nil, fmt.Errorf("%s: the first line must be a job", name)
	}
	return s, nil
}

// jobOf makes a job of the rules in the line, for which there are defaults, and
// of the statistics below it.
func jobOf(rules, statistics []string) (*liushui.Job, error) {
	values := map[string]string{"job": "script", "zone": "Asia/Shanghai", "currency": "CNY", "lateness": "10s", "corrections": "1m"}
	given, err := pairs(rules)
	if err != nil {
		return nil, err
	}
	maps.Copy(values, given)
	var text strings.Builder
	for key, value := range values {
		fmt.Fprintf(&text, "%s: %s\n", key, value)
	}
	text.WriteString("statistics:\n" + strings.Join(statistics, "\n") + "\n")
	return liushui.ParseJob("of the script", text.String())
}

// words splits a line at blanks up to a word that begins with #. A part in Go's double
// quotes may hold blanks, and is unquoted.
func words(text string) ([]string, error) {
	var all []string
	for text = strings.TrimLeftFunc(text, unicode.IsSpace); text != "" && text[0] != '#'; {
		word := ""
		for text != "" && !unicode.IsSpace(rune(text[0])) {
			if text[0] != '"' {
				word, text = word+text[:1], text[1:]
				continue
			}
			quoted, err := strconv.QuotedPrefix(text)
			if err != nil {
				return nil, fmt.Errorf("quotes: %w", err)
			}
			value, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("quotes: %w", err)
			}
			word, text = word+value, text[len(quoted):]
		}
		all = append(all, word)
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
	}
	return all, nil
}

// pairs reads words of the form name=value.
func pairs(words []string) (map[string]string, error) {
	values := map[string]string{}
	for _, word := range words {
		name, value, found := strings.Cut(word, "=")
		if !found {
			return nil, fmt.Errorf("%q is not of the form name=value", word)
		}
		values[name] = value
	}
	return values, nil
}

// parseTime reads a time of a script, ms: a time of the date, a date, both, or
// both with an offset from UTC; local times are of the zone.
func parseTime(word, date string, zone *time.Location) (int64, error) {
	if at, err := time.Parse(time.RFC3339Nano, word); err == nil {
		return at.UnixMilli(), nil
	}
	for _, form := range []struct{ layout, word string }{
		{"2006-01-02T15:04:05", word},
		{"2006-01-02", word},
		{"2006-01-02T15:04:05", date + "T" + word},
	} {
		if at, err := time.ParseInLocation(form.layout, form.word, zone); err == nil {
			return at.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time; want 12:00:00.000, 2020-02-01, 2020-02-01T12:00:00 or 2020-02-01T12:00:00+08:00", word)
}
