package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

// Links between the project's own pages lead somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "ls-files", "--cached", "--others", "--exclude-standard", "*.md").Output()
	if err != nil {
		t.Skip("this is no git checkout: ", err)
	}
	for _, page := range strings.Fields(string(out)) {
		path := filepath.Join("../..", page)
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue // deleted and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], ":") {
				continue // to another site
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: nothing at %s", page, m[1])
			}
		}
	}
}

var named = regexp.MustCompile("`([a-z_/]+/[A-Za-z_./]+)`")

// The table of CONTRIBUTING.md names places that are there.
func TestContributingNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	found := named.FindAllStringSubmatch(string(text), -1)
	if len(found) < 10 {
		t.Fatalf("found only %d names: %v", len(found), found)
	}
	for _, m := range found {
		if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
			t.Errorf("CONTRIBUTING.md: there is no %s", m[1])
		}
	}
}
