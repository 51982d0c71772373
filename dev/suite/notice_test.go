package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// NOTICE must name every module of the program, and every package of the page.
func TestNoticeNamesWhatTheProgramContains(t *testing.T) {
	notice, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.FieldsFunc(string(notice), func(r rune) bool { return strings.ContainsRune(" ,;\n", r) })
	for _, name := range append(modules(t), packages(t)...) {
		if !slices.ContainsFunc(names, func(n string) bool { return n == name || strings.HasPrefix(name, n+"/pkg/") }) {
			t.Errorf("%s is not in NOTICE", name)
		}
	}
}

func modules(t *testing.T) []string {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "../../cmd/liushui").CombinedOutput()
	if err != nil {
		t.Fatalf("list the program's modules: %v\n%s", err, out)
	}
	return strings.Fields(string(out))
}

func packages(t *testing.T) (names []string) {
	text, err := os.ReadFile("../../wall/ui/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for name := range file.Dependencies {
		names = append(names, name)
	}
	return names
}
