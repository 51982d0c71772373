package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// commandNames are all that `liushui --help` lists.
var commandNames = []string{"up", "broker", "produce", "process", "store", "serve", "query", "check", "deadletters list", "deadletters show", "deadletters replay", "reconcile", "health", "user", "version"}

func TestHelp(t *testing.T) {
	r := command(t, "--help")
	golden(t, "help/liushui.txt", r.out)
	for _, name := range commandNames {
		r := command(t, append(strings.Fields(name), "--help")...)
		if r.code != exitFine || r.errOut != "" {
			t.Errorf("liushui %s --help exits with %d and says %q", name, r.code, r.errOut)
		}
		if !strings.Contains(r.out, "Examples:\n  liushui "+name) {
			t.Errorf("liushui %s --help shows no example", name)
		}
		golden(t, "help/"+strings.ReplaceAll(name, " ", "-")+".txt", r.out)
	}
}

func TestNoArgumentIsHelp(t *testing.T) {
	if r := command(t); r.code != exitFine || r.out != command(t, "--help").out {
		t.Errorf("liushui alone exits with %d and prints\n%s", r.code, r.out)
	}
}

func TestVersion(t *testing.T) {
	flag, word := command(t, "--version"), command(t, "version")
	if diff := cmp.Diff(word, flag, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("--version and version differ:\n%s", diff)
	}
	if !strings.HasPrefix(word.out, "liushui "+release) || word.code != exitFine {
		t.Errorf("liushui version prints %q and exits with %d", word.out, word.code)
	}
}

// TestReferenceIsCurrent holds docs/commands.md against the program; `go generate` writes it.
func TestReferenceIsCurrent(t *testing.T) {
	path := t.TempDir() + "/commands.md"
	if r := command(t, "docs", path); r.code != exitFine {
		t.Fatalf("liushui docs: %s", r.errOut)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/commands.md is not what the program says; run `go generate ./cmd/liushui`:\n%s", diff)
	}
}
