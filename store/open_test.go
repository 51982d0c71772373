package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/dev"
)

func TestDSN(t *testing.T) {
	for _, test := range []struct {
		dsn, password string
		want          address
	}{
		{"sqlite:a.db", "", address{file: "a.db"}},
		{"sqlite:/var/lib/a b?#.db", "", address{file: "/var/lib/a b?#.db"}},
		{"sqlite:///var/lib/a.db", "", address{file: "/var/lib/a.db"}},
		{`sqlite:C:\data\a.db`, "", address{file: `C:\data\a.db`}},
		{"mysql://u@h/db", "", address{user: "u", host: "h:3306", database: "db"}},
		{"mysql://u@h/db", "pw", address{user: "u", password: "pw", host: "h:3306", database: "db"}},
		{"mysql://u:own@h/db", "pw", address{user: "u", password: "own", host: "h:3306", database: "db"}},
		{"mysql://u:p%2F%40%3F%23%25w@h:3307/db", "", address{user: "u", password: "p/@?#%w", host: "h:3307", database: "db"}},
		{"mysql://u:a@b@h/db", "", address{user: "u", password: "a@b", host: "h:3306", database: "db"}},
		{"mysql://u@[::1]:3306/db?tls=preferred", "", address{user: "u", host: "[::1]:3306", database: "db", tls: "preferred"}},
		{"mariadb://u@h/db", "", address{user: "u", host: "h:3306", database: "db"}},
	} {
		got, err := parseDSN(test.dsn, test.password)
		if err != nil {
			t.Errorf("%s: %v", test.dsn, err)
			continue
		}
		if d := cmp.Diff(&test.want, got, cmp.AllowUnexported(address{})); d != "" {
			t.Errorf("%s: %s", test.dsn, d)
		}
		if strings.Contains(got.String(), "pw") || strings.Contains(got.String(), "own") {
			t.Errorf("%s shows the password: %s", test.dsn, got)
		}
	}
}

func TestWrongDSN(t *testing.T) {
	for dsn, want := range map[string]string{
		"":                                     "no database is named",
		"liushui.db":                           "no known form",
		"sqlite":                               "no known form",
		"sqlite:":                              "names no file",
		"sqlite:a\nb":                          "control character",
		"sqlite::memory:":                      "would be gone",
		"sqlite://liushui.db":                  "stands a path",
		"sqlite:" + os.TempDir():               "is a directory",
		"sqlite:" + os.TempDir() + "/no/no.db": "there is no directory",
		"postgres://u:secret@h/db":             `begins with "postgres://"`,
		"mysql:u:secret@h/db":                  "no known form",
		"mysql://h/db":                         "names no user",
		"mysql://u:secret@h":                   "names no database",
		"mysql://u:secret@h/":                  "names no database",
		"mysql://u:secret@/db":                 "names no host",
		"mysql://u:secret@h:0/db":              "has a port",
		"mysql://u:secret@h:99999/db":          "has a port",
		"mysql://u:secret@h:x/db":              "cannot be read",
		"mysql://u:sec/ret@h/db":               "cannot be read",
		"mysql://u:1/secret@h/db":              "names no user",
		"mysql://u:1#secret@h/db":              "names no user",
		"mysql://u:1?secret@h/db":              "names no user",
		"mysql://u:a@b/secret@h/db":            "has more than a database",
		"mysql://u:a@b/secret@h":               "has more than a database",
		"mysql://u:a@b/x#secret@h/db":          "has more than a database",
		"mysql://u:a@b/x?secret@h/db":          "has an option other than tls",
		"mysql://u:%secret@h/db":               "cannot be read",
		"mysql://u:secret@h/db?tls=no":         "has a tls that is not",
		"mysql://u:secret@h/db?charset=latin1": "has an option other than tls",
	} {
		_, err := Open(t.Context(), Config{DSN: dsn})
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, liushui.ErrMisuse) {
			t.Errorf("%q: %v, want misuse: %s", dsn, err, want)
			continue
		}
		if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "ret@h") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
}

// No password is refused when it is written as an address wants it, and whatever
// is refused is refused in one line.
func FuzzDSN(f *testing.F) {
	f.Add("mysql://u:p@h:1/db?tls=true", "secret")
	f.Add("sqlite:a.db", "@/?#%: \x00")
	f.Fuzz(func(t *testing.T, dsn, password string) {
		if _, err := parseDSN(dsn, ""); err != nil && (!errors.Is(err, liushui.ErrMisuse) || strings.ContainsAny(err.Error(), "\n\r")) {
			t.Errorf("%q: %v", dsn, err)
		}
		encoded := (&url.URL{Scheme: "mysql", User: url.UserPassword("u", password), Host: "h", Path: "/db"}).String()
		a, err := parseDSN(encoded, "")
		if err != nil || a.password != password {
			t.Errorf("%q: %+v, %v", encoded, a, err)
		}
	})
}

type openTest struct {
	name   string
	config Config
	want   string
}

func TestOpenSaysWhatToMend(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return "sqlite:" + path
	}
	other := write("other.db", "")
	s := open(t, Config{DSN: other})
	if _, err := s.write.Exec("UPDATE _liushui_store SET version = 2"); err != nil {
		t.Fatal(err)
	}
	begun := open(t, Config{DSN: "sqlite:" + filepath.Join(dir, "newer.db")})
	if err := begun.Begin(t.Context(), "a", 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := begun.write.Exec("UPDATE _liushui_store SET version = 2"); err != nil {
		t.Fatal(err)
	}
	maria := dev.MariaDB(t)
	tests := []openTest{
		{"not a database", Config{DSN: write("text.db", strings.Repeat("This is a letter. ", 500))}, "the file is not a SQLite database"},
		{"newer", Config{DSN: "sqlite:" + filepath.Join(dir, "newer.db")}, "made by another version of liushui"},
		{"missing, read only", Config{DSN: "sqlite:" + filepath.Join(dir, "missing.db"), ReadOnly: true}, "there is no database"},
		{"empty, read only", Config{DSN: write("empty.db", ""), ReadOnly: true}, "holds no results"},
		{"no TLS there", Config{DSN: maria + "?tls=true"}, "the server has no TLS"},
		{"keep", Config{DSN: maria, Keep: map[string]time.Duration{"1x": time.Hour}}, "keep: window \"1x\""},
		{"keep nothing", Config{DSN: maria, Keep: map[string]time.Duration{"1s": 0}}, "want an age above 0"},
	}
	for name, dsn := range map[string]string{"mariadb": maria, "mysql": dev.MySQL(t)} {
		tests = append(tests,
			openTest{name + ", empty, read only", Config{DSN: dsn, ReadOnly: true}, "holds no results"},
			openTest{name + ", unknown database", Config{DSN: dsn[:strings.LastIndex(dsn, "/")] + "/nowhere"}, "make it first: CREATE DATABASE `nowhere`"},
			openTest{name + ", wrong password", Config{DSN: dsn, Password: "wrong"}, "check user and password"},
			openTest{name + ", unknown user", Config{DSN: strings.Replace(dsn, "root@", "nobody:wrong@", 1)}, "check user and password"},
		)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			s, err := Open(ctx, test.config)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) || !errors.Is(err, liushui.ErrMisuse) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "wrong") {
				t.Errorf("%v, want misuse: %s", err, test.want)
			}
			// Who only reads may wait for what is not made yet.
			if later := test.config.ReadOnly; errors.Is(err, fs.ErrNotExist) != later {
				t.Errorf("%v: not made yet is %v", err, !later)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "missing.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made the file: %v", err)
	}
}

// A server that is not there is waited for by who writes, not by who reads.
func TestOpenWaitsForTheServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dsn := "mysql://u:secret@" + l.Addr().String() + "/db"
	l.Close()
	if _, err := Open(t.Context(), Config{DSN: dsn, ReadOnly: true}); err == nil || errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("reading: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var said log
	_, err = Open(ctx, Config{DSN: dsn, Log: said.logger()})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("writing: %v", err)
	}
	if strings.Count(said.String(), "waiting for the database") != 1 || strings.Contains(said.String(), "secret") {
		t.Errorf("the log says %s", said.String())
	}
}

// Reading changes nothing: not the file, nor what lies beside it.
func TestReadOnlyChangesNothing(t *testing.T) {
	dir := t.TempDir()
	dsn := "sqlite:" + filepath.Join(dir, "results.db")
	l := newTopic(t)
	l.job(5, shopText)
	l.result(liushui.Result{Statistic: "sales", Window: "1d", Start: start, Generation: 5, Version: 1, Values: values(1, 1)})
	s := begun(t, Config{DSN: dsn})
	s.mustApply(t, l.records)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	r, err := Open(t.Context(), Config{DSN: dsn, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if rows := r.rows(t, liushui.Query{Statistic: "sales", Window: "1d"}); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
	for name, try := range map[string]error{
		"begin": r.Begin(t.Context(), "other", 0, 0),
		"apply": r.Apply(t.Context(), l.records),
	} {
		if try == nil || !strings.Contains(try.Error(), "opened to read only") {
			t.Errorf("%s: %v", name, try)
		}
	}
	if _, err := r.read.Exec("DELETE FROM _liushui_store"); err == nil {
		t.Error("the reading pool writes")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, files(t, dir)); d != "" {
		t.Errorf("reading changed files: %s", d)
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = fmt.Sprintf("%d bytes %x", len(text), text)
	}
	return all
}

func TestBegin(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		l := newTopic(t)
		l.job(5, shopText)
		for m := range int64(8) {
			l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + m*minute, Generation: 5, Version: 1, Values: values(m, m)})
		}
		for i := range l.records {
			l.records[i].Offset += 100
		}
		s := open(t, Config{DSN: dsn})
		at := func(wantID string, want int64) {
			t.Helper()
			id, next, err := s.Position(t.Context())
			if err != nil || id != wantID || next != want {
				t.Errorf("position %q %d %v, want %q %d", id, next, err, wantID, want)
			}
		}
		refused := func(want error, text, id string, start, end int64) {
			t.Helper()
			err := s.Begin(t.Context(), id, start, end)
			if !errors.Is(err, want) || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "store --adopt") || strings.Contains(err.Error(), "\n") {
				t.Errorf("begin %s [%d, %d]: %v, want %v: %s", id, start, end, err, want, text)
			}
		}
		begin := func(id string, start, end int64) {
			t.Helper()
			if err := s.Begin(t.Context(), id, start, end); err != nil {
				t.Errorf("begin %s [%d, %d]: %v", id, start, end, err)
			}
		}
		at("", 0)
		begin("one", 100, 200) // a log that was trimmed before the store was there
		at("one", 100)
		s.mustApply(t, l.records)
		at("one", 109)
		begin("one", 109, 109)
		begin("one", 0, 200)
		refused(liushui.ErrOtherTopic, "kept topic id one, found two", "two", 0, 200)
		refused(liushui.ErrGone, "stands at offset 109 of the results, but the log has 110 to 200", "one", 110, 200)
		refused(liushui.ErrGone, "the log has 0 to 108", "one", 0, 108)
		at("one", 109)
		if got := s.counted(t); got != "5:0 5:1 5:2 5:3 5:4 5:5 5:6 5:7" {
			t.Errorf("shown: %s", got)
		}
		s.Close()

		s = open(t, Config{DSN: dsn, Adopt: true})
		begin("one", 0, 200) // a log that went back may have grown again past the place
		at("one", 0)
		begin("one", 150, 200) // a gap: rows stay
		at("one", 150)
		begin("one", 0, 120) // a log that went back: what came in the place of lost records is read
		at("one", 0)
		if got := s.counted(t); got != "5:0 5:1 5:2 5:3 5:4 5:5 5:6 5:7" {
			t.Errorf("after a gap, shown: %s", got)
		}
		begin("two", 3, 200) // another log: none of the old rows stays
		at("two", 3)
		for name := range s.tables(t) {
			if !strings.HasPrefix(name, "_liushui") {
				t.Errorf("%s is left", name)
			}
		}
		if _, job := s.standing(t).Current(); job != nil {
			t.Error("the old job is left")
		}
		for i := range l.records {
			l.records[i].Offset = int64(3 + i)
		}
		s.mustApply(t, l.records[:4])
		if got := s.counted(t); got != "5:0 5:1 5:2" {
			t.Errorf("after another log, shown: %s", got)
		}
	})
}

func (s *Store) tables(t testing.TB) map[string][]string {
	t.Helper()
	columns, err := s.columns(t.Context(), s.read)
	if err != nil {
		t.Fatal(err)
	}
	return columns
}

func (s *Store) standing(t testing.TB) (standing *liushui.Standing) {
	t.Helper()
	s.view(t, func(v liushui.Snapshot) { standing = v.Standing() })
	return standing
}
