package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what READMEs show of files and commands anew")

// A README shows files as they are, and what commands really say. A block under
// the comment "file NAME" holds that file; the commands of blocks under "run",
// behind $, are run in order and said the lines below them. … stands for
// anything: ports and times.
func TestReadmesTellTheTruth(t *testing.T) {
	for _, program := range []string{"bash", "sqlite3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s on this machine", program)
		}
	}
	bin := buildProgram(t)
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("../..", name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "docs/examples"), os.DirFS("../../docs/examples")); err != nil {
				t.Fatal(err)
			}
			r := &readme{dir: dir, bin: bin}
			got := r.renew(t, string(text))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("%s is out of date: %s\nLook at the difference that `make golden` makes.", name, firstDifference(string(text), got))
			}
		})
	}
}

func buildProgram(t *testing.T) (dir string) {
	dir = t.TempDir()
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "liushui"), "../../cmd/liushui").CombinedOutput()
	if err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return dir
}

// readme is a README whose blocks are made anew.
type readme struct{ dir, bin string }

var block = regexp.MustCompile("(?s)(<!-- (file|run) ?([^ ]*) ?-->\n```[a-z]*\n)(.*?)(```\n)")

func (r *readme) renew(t *testing.T, text string) string {
	return block.ReplaceAllStringFunc(text, func(found string) string {
		m := block.FindStringSubmatch(found)
		body := ""
		if m[2] == "file" {
			file, err := os.ReadFile(filepath.Join(r.dir, m[3]))
			if err != nil {
				t.Error(err)
			}
			body = string(file)
		} else {
			body = r.runAll(t, m[4])
		}
		return m[1] + body + m[5]
	})
}

// runAll runs a block's commands. Lines that stand for what came are kept.
func (r *readme) runAll(t *testing.T, shown string) string {
	var b strings.Builder
	for _, part := range strings.Split("\n"+shown, "\n$ ")[1:] {
		command, said, _ := strings.Cut(part, "\n")
		said = strings.TrimSuffix(said, "\n")
		cmd := exec.Command("bash", "-c", command)
		cmd.Dir = r.dir
		cmd.Env = append(os.Environ(), "PATH="+r.bin+":"+os.Getenv("PATH"))
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", command, err)
			if exit, ok := err.(*exec.ExitError); ok {
				t.Logf("%s", exit.Stderr)
			}
		}
		came := strings.TrimSuffix(string(out), "\n")
		if stands(said, came) {
			came = said
		}
		fmt.Fprintf(&b, "$ %s\n", command)
		if came != "" {
			b.WriteString(came + "\n")
		}
	}
	return b.String()
}

// stands reports whether what is shown stands for what came, … for anything within a line.
func stands(shown, came string) bool {
	form := strings.ReplaceAll(regexp.QuoteMeta(shown), "…", ".*")
	return regexp.MustCompile("^" + form + "$").MatchString(came)
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d is\n%s\nbut should be\n%s", i+1, as[i], bs[i])
		}
	}
	return "one is longer than the other"
}
