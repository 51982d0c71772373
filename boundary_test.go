package liushui

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// boundary is a row of system.md section 10: what a package may import beside
// the root package and the standard library, and what it may not.
type boundary struct {
	wraps []string // libraries, and parts of the standard one, that belong to it: elsewhere they are refused
	parts []string // packages of ours
	not   []string // of the standard library
	words []string // of the root package that it may not know
	pure  bool     // no clock, no goroutine
	free  bool     // tools and trials: everything
}

var boundaries = map[string]boundary{
	".":           {wraps: []string{"github.com/goccy/go-yaml"}, not: []string{"os", "net", "log", "os/exec", "syscall", "runtime", "path/filepath"}, pure: true},
	"source":      {wraps: []string{"encoding/csv", "golang.org/x/text"}, not: []string{"net"}, words: []string{"Result", "DecodeResult", "Standing", "Row", "Progress"}},
	"kafka":       {wraps: []string{"github.com/twmb/franz-go", "github.com/klauspost/compress", "github.com/pierrec/lz4", "golang.org/x/sys"}, words: []string{"Event", "Job", "ParseJob", "Statistic", "Result", "DecodeResult"}},
	"native":      {wraps: []string{"github.com/apache/datasketches-go", "github.com/zeebo/xxh3", "github.com/twmb/murmur3", "golang.org/x/sys"}, not: []string{"net"}},
	"spark":       {wraps: []string{"google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc"}, parts: []string{"spark/proto"}, words: []string{"Event"}},
	"spark/proto": {wraps: []string{"google.golang.org/grpc", "google.golang.org/protobuf"}},
	"store":       {wraps: []string{"database/sql", "github.com/go-sql-driver/mysql", "modernc.org/sqlite"}, words: []string{"Event"}},
	"wall":        {wraps: []string{"net/http", "github.com/VictoriaMetrics/metrics"}, parts: []string{"wall/access"}},
	"wall/access": {wraps: []string{"golang.org/x/crypto"}, not: []string{"os", "log"}, pure: true},
	"cmd/liushui": {wraps: []string{"github.com/spf13", "golang.org/x/term", "golang.org/x/sync", "golang.org/x/sys"}, parts: []string{"source", "kafka", "native", "spark", "store", "wall", "wall/access", "reconcile"}},
	"reconcile":   {wraps: []string{"github.com/apache/datasketches-go"}, not: []string{"net"}},
	"enginetest":  {wraps: []string{"github.com/google/go-cmp"}, parts: []string{"reconcile"}, not: []string{"net"}},
	"dev":         {free: true},
	"bench":       {free: true},
}

// inTests is what test files of every package may import too.
var inTests = []string{"github.com/google/go-cmp", "github.com/compose-spec/compose-go", "github.com/goccy/go-yaml", "liushui/enginetest", "liushui/dev"}

// drawers are names of folders that take in everything.
var drawers = []string{"internal", "pkg", "util", "utils", "common", "shared", "helper", "helpers", "misc", "lib"}

const module = "liushui"

func TestBoundaries(t *testing.T) {
	faults, err := crossings(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// crossings lists every import and word in the Go files below dir that crosses a boundary.
func crossings(dir string) ([]string, error) {
	var faults []string
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if file != dir && (name[0] == '.' || name[0] == '_' || name == "testdata" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		at, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		found, err := crossingsIn(file, filepath.ToSlash(at))
		faults = append(faults, found...)
		return err
	})
	return faults, err
}

func crossingsIn(file, at string) (faults []string, err error) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	own := path.Dir(at)
	row, known := rowOf(own)
	if !known {
		return []string{fmt.Sprintf("%s: the package %s has no row in boundary_test.go", at, own)}, nil
	}
	for _, folder := range strings.Split(own, "/") {
		if slices.Contains(drawers, folder) {
			faults = append(faults, fmt.Sprintf("%s: a folder named %s takes in everything; name it after what it does", at, folder))
		}
	}
	if row.free {
		return faults, nil
	}
	test := strings.HasSuffix(at, "_test.go")
	for _, spec := range parsed.Imports {
		wanted, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if reason := refused(own, row, wanted, test); reason != "" {
			faults = append(faults, fmt.Sprintf("%s:%d: imports %s: %s", at, files.Position(spec.Pos()).Line, wanted, reason))
		}
	}
	if !test {
		ast.Inspect(parsed, func(n ast.Node) bool {
			if reason := row.refusesNode(n); reason != "" {
				faults = append(faults, fmt.Sprintf("%s:%d: %s", at, files.Position(n.Pos()).Line, reason))
			}
			return true
		})
	}
	return faults, nil
}

// rowOf finds a package's row, or that of the tools that it is a part of.
func rowOf(own string) (boundary, bool) {
	if row, known := boundaries[own]; known {
		return row, true
	}
	above, _, _ := strings.Cut(own, "/")
	row := boundaries[above]
	return row, row.free
}

// refused says why a package may not import another; "" if it may.
func refused(own string, row boundary, wanted string, test bool) string {
	switch {
	case wanted == module || within(wanted, row.wraps) || test && within(wanted, inTests):
		return ""
	case wanted == module+"/"+own: // an outside test of its own package
		return ""
	case strings.HasPrefix(wanted, module+"/"):
		if slices.Contains(row.parts, strings.TrimPrefix(wanted, module+"/")) {
			return ""
		}
		return "parts never import one another; only cmd/liushui ties them"
	case strings.Contains(strings.SplitN(wanted, "/", 2)[0], "."):
		if owner := ownerOf(wanted); owner != "" {
			return fmt.Sprintf("this library belongs to %s", owner)
		}
		return "no package wraps this library; system.md section 10 and boundary_test.go say which do"
	case test:
		return ""
	case within(wanted, row.not):
		return fmt.Sprintf("%s may not", own)
	}
	if owner := ownerOf(wanted); owner != "" {
		return fmt.Sprintf("this belongs to %s", owner)
	}
	return ""
}

func ownerOf(wanted string) string {
	var owners []string
	for name, row := range boundaries {
		if within(wanted, row.wraps) {
			owners = append(owners, name)
		}
	}
	slices.Sort(owners)
	return strings.Join(owners, " and ")
}

// within reports whether a package is one of the list, or below one.
func within(wanted string, list []string) bool {
	return slices.ContainsFunc(list, func(one string) bool { return wanted == one || strings.HasPrefix(wanted, one+"/") })
}

var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// refusesNode says what is wrong with a piece of code; "" if nothing is.
func (b boundary) refusesNode(n ast.Node) string {
	if _, starts := n.(*ast.GoStmt); starts && b.pure {
		return "starts a goroutine: this package does nothing by itself"
	}
	selector, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	of, ok := selector.X.(*ast.Ident)
	switch {
	case !ok:
		return ""
	case b.pure && of.Name == "time" && slices.Contains(clock, selector.Sel.Name):
		return fmt.Sprintf("time.%s: this package knows no clock", selector.Sel.Name)
	case of.Name == module && slices.Contains(b.words, selector.Sel.Name):
		return fmt.Sprintf("liushui.%s: this package may not know it", selector.Sel.Name)
	}
	return ""
}

// TestBoundariesAreSeen breaks each boundary in a tree of its own.
func TestBoundariesAreSeen(t *testing.T) {
	source := func(body string, imports ...string) string {
		text := "package x\n"
		for _, name := range imports {
			text += fmt.Sprintf("import %q\n", name)
		}
		return text + body
	}
	tests := []struct {
		file, source string
		want         string // "" = allowed
	}{
		{"job.go", source("", "github.com/goccy/go-yaml", "embed", "time"), ""},
		{"job.go", source("", "os"), "job.go:2: imports os: . may not"},
		{"job.go", source("", "log/slog"), "job.go:2: imports log/slog: . may not"},
		{"job.go", source("", "net/http"), "job.go:2: imports net/http: . may not"},
		{"job.go", source("", "liushui/store"), "job.go:2: imports liushui/store: parts never import one another"},
		{"job.go", source("func f() { go f() }"), "job.go:2: starts a goroutine"},
		{"job.go", source("var t = time.Now()", "time"), "job.go:3: time.Now: this package knows no clock"},
		{"job_test.go", source("var t = time.Now()", "time", "os", "github.com/google/go-cmp/cmp"), ""},
		{"job.go", source("", "github.com/google/go-cmp/cmp"), "imports github.com/google/go-cmp/cmp: this library belongs to enginetest"},
		{"store/a.go", source("", "liushui", "database/sql", "database/sql/driver", "modernc.org/sqlite", "net"), ""},
		{"store/a.go", source("", "fmt", "liushui/kafka"), "store/a.go:3: imports liushui/kafka: parts never import one another"},
		{"store/a_test.go", source("", "liushui/kafka"), "store/a_test.go:2: imports liushui/kafka: parts never import one another"},
		{"store/a_test.go", source("", "liushui/store", "liushui/dev", "liushui/enginetest"), ""},
		{"store/a.go", source("", "liushui/dev"), "imports liushui/dev: parts never import one another"},
		{"store/a.go", source("", "net/http"), "store/a.go:2: imports net/http: this belongs to wall"},
		{"store/a.go", source("", "github.com/twmb/franz-go/pkg/kgo"), "imports github.com/twmb/franz-go/pkg/kgo: this library belongs to kafka"},
		{"store/a_test.go", source("", "github.com/twmb/franz-go/pkg/kgo"), "this library belongs to kafka"},
		{"store/a.go", source("", "github.com/nobody/nothing"), "imports github.com/nobody/nothing: no package wraps this library"},
		{"native/a.go", source("", "net/netip"), "imports net/netip: native may not"},
		{"native/a.go", source("", "database/sql"), "imports database/sql: this belongs to store"},
		{"native/a.go", source("func f() { go f(); _ = time.Now() }", "time"), ""},
		{"kafka/a.go", source("var e liushui.Event", "liushui"), "kafka/a.go:3: liushui.Event: this package may not know it"},
		{"source/a.go", source("var r liushui.Result", "liushui"), "source/a.go:3: liushui.Result: this package may not know it"},
		{"wall/a.go", source("", "encoding/csv"), "imports encoding/csv: this belongs to source"},
		{"cmd/liushui/a.go", source("", "liushui/store", "liushui/native", "github.com/spf13/cobra"), ""},
		{"cmd/liushui/a.go", source("", "liushui/enginetest"), "imports liushui/enginetest: parts never import one another"},
		{"cmd/liushui/a_test.go", source("", "liushui/enginetest"), ""},
		{"spark/a.go", source("", "liushui/spark/proto", "google.golang.org/grpc/codes", "net"), ""},
		{"wall/a.go", source("", "google.golang.org/grpc"), "this library belongs to spark and spark/proto"},
		{"spark/proto/a.go", source("", "liushui/spark"), "spark/proto/a.go:2: imports liushui/spark: parts never import one another"},
		{"dev/suite/a.go", source("", "github.com/anything/goes", "liushui/store"), ""},
		{"bench/count/a.go", source("", "github.com/twmb/franz-go/pkg/kgo"), ""},
		{"dev/common/a.go", source(""), "dev/common/a.go: a folder named common takes in everything"},
		{"internal/a.go", source(""), "internal/a.go: the package internal has no row"},
		{"store/util/a.go", source(""), "store/util/a.go: the package store/util has no row"},
		{"flink/a.go", source(""), "flink/a.go: the package flink has no row in boundary_test.go"},
		{"testdata/a.go", source("", "github.com/nobody/nothing"), ""},
		{"wall/ui/node_modules/x/a.go", source("", "os"), ""},
	}
	for _, test := range tests {
		dir := t.TempDir()
		file := filepath.Join(dir, filepath.FromSlash(test.file))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(test.source), 0o644); err != nil {
			t.Fatal(err)
		}
		faults, err := crossings(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(faults, "\n")
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s\n%s got  %q\nwant %q", test.file, test.source, got, test.want)
		}
	}
}
