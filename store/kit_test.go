package store

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"liushui"
	"liushui/dev"
)

var update = flag.Bool("update", false, "write golden files anew")

// onEach runs a test on every kind of database, each time on a new, empty one.
func onEach(t *testing.T, test func(t *testing.T, dsn string)) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(name, func(t *testing.T) { test(t, kinds[name](t)) })
	}
}

// kinds make empty databases.
var kinds = map[string]func(testing.TB) string{
	"sqlite":  func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "results.db") },
	"mariadb": dev.MariaDB,
	"mysql":   dev.MySQL,
}

// log collects what a store says.
type log struct {
	sync.Mutex
	bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.Buffer.Write(b)
}

func (l *log) String() string {
	l.Lock()
	defer l.Unlock()
	return l.Buffer.String()
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func open(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// begun is an open store that has taken up a new topic.
func begun(t testing.TB, c Config) *Store {
	t.Helper()
	s := open(t, c)
	if err := s.Begin(t.Context(), "topic-1", 0, 1<<40); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Store) mustApply(t testing.TB, records []liushui.Record) {
	t.Helper()
	if err := s.Apply(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// topic makes the records of a results topic.
type topic struct {
	t       testing.TB
	records []liushui.Record
	jobs    map[int64]*liushui.Job
}

func newTopic(t testing.TB) *topic { return &topic{t: t, jobs: map[int64]*liushui.Job{}} }

func (l *topic) add(key string, value any) {
	l.t.Helper()
	text, ok := value.([]byte)
	if !ok {
		var err error
		if text, err = json.Marshal(value); err != nil {
			l.t.Fatal(err)
		}
	}
	l.records = append(l.records, liushui.Record{Offset: int64(len(l.records)), Key: []byte(key), Value: text})
}

func (l *topic) job(generation int64, text string) *liushui.Job {
	l.t.Helper()
	job, err := liushui.ParseJob("of the test", text)
	if err != nil {
		l.t.Fatal(err)
	}
	l.jobs[generation] = job
	l.add(liushui.KeyJob, liushui.JobRecord{Job: job.Name, Hash: job.Hash(), Generation: generation, Engine: "native", Text: text})
	return job
}

func (l *topic) progress(p liushui.Progress) {
	l.t.Helper()
	if p.Engine == "" {
		p.Engine = "native"
	}
	l.add(liushui.ProgressKey(p.Engine), p)
}

func (l *topic) result(r liushui.Result) {
	l.t.Helper()
	s := l.jobs[r.Generation].Statistic(r.Statistic)
	if r.End == 0 {
		w, ok := s.Window(r.Window)
		if !ok {
			l.t.Fatalf("%s has no window %s", s.Name, r.Window)
		}
		r.Start, r.End = l.jobs[r.Generation].Calendar().Span(w, r.Start)
	}
	if r.Engine == "" {
		r.Engine = "native"
	}
	l.add(string(r.AppendKey(nil)), r.AppendValue(nil, s))
}

func values(n ...int64) []liushui.Value {
	var all []liushui.Value
	for _, v := range n {
		all = append(all, liushui.Value{N: v})
	}
	return all
}

// dump is all that a store's tables hold, as text, the same for every database.
// Tables whose name ends in one of without are left out.
func (s *Store) dump(t testing.TB, without ...string) string {
	t.Helper()
	columns, err := s.columns(t.Context(), s.read)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		if name == tableStore || s.isView(t, name) || slices.ContainsFunc(without, func(end string) bool { return strings.HasSuffix(name, end) }) {
			continue
		}
		names := slices.Sorted(slices.Values(columns[name]))
		fmt.Fprintf(&b, "%s\n", name)
		rows, err := s.read.QueryContext(t.Context(), "SELECT "+quoted(s.db, names)+" FROM "+s.db.quote(name))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for rows.Next() {
			cells := make([]*[]byte, len(names))
			into := make([]any, len(names))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			line := ""
			for i, cell := range cells {
				if cell == nil {
					line += " " + names[i] + "=NULL"
				} else {
					line += " " + names[i] + "=" + fmt.Sprintf("%q", *cell)
				}
			}
			lines = append(lines, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return b.String()
}

func (s *Store) isView(t testing.TB, name string) bool {
	t.Helper()
	return !strings.Contains(name, "$") && !strings.HasPrefix(name, "_")
}

// view runs read on a snapshot.
func (s *Store) view(t testing.TB, read func(liushui.Snapshot)) {
	t.Helper()
	if err := s.View(t.Context(), func(v liushui.Snapshot) error { read(v); return nil }); err != nil {
		t.Fatal(err)
	}
}

func (s *Store) rows(t testing.TB, q liushui.Query) []liushui.Row {
	t.Helper()
	var all []liushui.Row
	s.view(t, func(v liushui.Snapshot) {
		var err error
		if all, err = v.Rows(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	})
	return all
}

// golden compares with a file of testdata.
func golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (write it anew with -update):\n%s\nwant\n%s", path, got, want)
	}
}
