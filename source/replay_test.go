package source

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestBuiltinMappings shows, for a small file of each form, the events in the
// order of sending and the bad rows.
func TestBuiltinMappings(t *testing.T) {
	for _, name := range BuiltinMappings() {
		t.Run(name, func(t *testing.T) {
			rejects := filepath.Join(t.TempDir(), "rejects.csv")
			r := openReplay(t, ReplayConfig{File: "testdata/" + name + ".csv", Mapping: builtin(t, name), MaxBad: 1, RejectsFile: rejects})
			var got strings.Builder
			for _, item := range all(t, r, 1000) {
				fmt.Fprintf(&got, "%s\n", item.Event.AppendJSON(nil))
			}
			if text, err := os.ReadFile(rejects); err == nil {
				got.Write(text)
			}
			golden(t, "testdata/"+name+".golden", got.String())
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// shuffled is a file of n rows, each with an order and, seconds later, its
// payment; times jump to and fro, and many are equal.
func shuffled(t testing.TB, n int) (file string, m *Mapping) {
	t.Helper()
	var text strings.Builder
	text.WriteString("t,id,paid\n")
	for i := range n {
		at := 1_600_000_000 + i*7919%n/3*40
		fmt.Fprintf(&text, "%d,%d,%d\n", at, i, at+i%500)
	}
	m, err := ParseMapping("shuffled", event+`  - {type: pay, time: {column: paid, unit: s}, id: "{id}-pay"}
`)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "data.csv", text.String()), m
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func ids(items []Item) (list []string) {
	for i := range items {
		list = append(list, items[i].Event.ID)
	}
	return list
}

func TestReplayGoesByTimeThenByTheFilesOrder(t *testing.T) {
	file := writeFile(t, "data.csv", "t,id,paid\n1600000009,a,1600000009\n1600000005,b,1600000009\n1600000009,c,1600000020\n1600000005,d,1600000005\n")
	_, m := shuffled(t, 1)
	want := []string{"b", "d", "d-pay", "a", "a-pay", "b-pay", "c", "c-pay"}
	if diff := cmp.Diff(want, ids(all(t, openReplay(t, ReplayConfig{File: file, Mapping: m}), 100))); diff != "" {
		t.Error(diff)
	}
}

func TestReplayFromBlocksIsTheSame(t *testing.T) {
	file, m := shuffled(t, 30_000) // more than one block, and more than one chunk of the index
	held := all(t, openReplay(t, ReplayConfig{File: file, Mapping: m}), 1<<20)
	blocks := all(t, openReplay(t, ReplayConfig{File: file, Mapping: m, held: 1}), 1<<20)
	if len(held) != 60_000 {
		t.Fatal(len(held))
	}
	for i := range held {
		if a, b := string(held[i].Event.AppendJSON(nil)), string(blocks[i].Event.AppendJSON(nil)); a != b {
			t.Fatalf("item %d from memory and from blocks: %s, %s", i, a, b)
		}
	}
	for i := range held[1:] {
		if held[i].At > held[i+1].At {
			t.Fatalf("item %d goes back in time", i+1)
		}
	}
}

func TestAnIndexEntryHas24Bytes(t *testing.T) {
	if size := unsafe.Sizeof(entry{}); size != 24 {
		t.Errorf("%d bytes", size)
	}
}

func TestResumeGoesOnAnywhere(t *testing.T) {
	file, m := shuffled(t, 40)
	whole := all(t, openReplay(t, ReplayConfig{File: file, Mapping: m}), 1000)
	for skip := range len(whole) + 1 {
		r := openReplay(t, ReplayConfig{File: file, Mapping: m})
		if err := r.Resume(0, int64(skip)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids(whole[skip:]), ids(all(t, r, 1000))); diff != "" {
			t.Fatalf("behind %d: %s", skip, diff)
		}
	}
	if err := openReplay(t, ReplayConfig{File: file, Mapping: m}).Resume(0, int64(len(whole))+1); err == nil {
		t.Error("goes on behind the end")
	}
}

func TestLoop(t *testing.T) {
	file := writeFile(t, "data.csv", "t,id\n1600000000,a\n1600100000,b\n") // 1.16 days
	m, err := ParseMapping("m", event)
	if err != nil {
		t.Fatal(err)
	}
	r := openReplay(t, ReplayConfig{File: file, Mapping: m, Loop: true, RunStart: 1_700_000_000_000})
	items := all(t, r, 5)
	if diff := cmp.Diff([]string{"a", "b", "a@loyw3v28.1", "b@loyw3v28.1", "a@loyw3v28.2"}, ids(items)); diff != "" {
		t.Error(diff)
	}
	for i, want := range []int64{1_600_000_000_000, 1_600_100_000_000, 1_600_000_000_000 + 2*day, 1_600_100_000_000 + 2*day, 1_600_000_000_000 + 4*day} {
		if items[i].Event.Time != want || items[i].At != want {
			t.Errorf("item %d at %d, want %d", i, items[i].Event.Time, want)
		}
	}
	if r.Total() != 0 {
		t.Errorf("a loop has %d events", r.Total())
	}
	// Another process goes on in the third lap, under the first one's start.
	again := openReplay(t, ReplayConfig{File: file, Mapping: m, Loop: true, RunStart: 1_800_000_000_000})
	if err := again.Resume(r.RunStart(), 5); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b@loyw3v28.2", "a@loyw3v28.3"}, ids(all(t, again, 2))); diff != "" {
		t.Error(diff)
	}
}

func TestIDsLeaveRoomForTheLap(t *testing.T) {
	file := writeFile(t, "data.csv", "t,id\n1600000000,"+strings.Repeat("i", 250)+"\n")
	m, err := ParseMapping("m", event)
	if err != nil {
		t.Fatal(err)
	}
	openReplay(t, ReplayConfig{File: file, Mapping: m})
	if _, err := OpenReplay(t.Context(), ReplayConfig{File: file, Mapping: m, Loop: true, Log: quiet()}); err == nil || !strings.Contains(err.Error(), "more than 256") {
		t.Error(err)
	}
}

func TestAsIfNowMakesNewIDs(t *testing.T) {
	file := writeFile(t, "data.csv", "t,id\n1600000000,a\n")
	m, err := ParseMapping("m", event)
	if err != nil {
		t.Fatal(err)
	}
	r := openReplay(t, ReplayConfig{File: file, Mapping: m, AsIfNow: true, RunStart: 1_700_000_000_000})
	items := all(t, r, 5)
	if len(items) != 1 || items[0].Event.ID != "a@loyw3v28" || !items[0].Now || r.Fingerprint() != "" {
		t.Errorf("%+v, fingerprint %q", items, r.Fingerprint())
	}
}

func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("data.csv", "t,id\n1600000000,a\n")
	write("names.csv", "k,v\n1,x\n")
	text := strings.Replace(event, "events:", "lookups: {n: {file: names.csv, key: k, value: v}}\nevents:", 1)
	of := func(change func(*ReplayConfig)) string {
		m, err := ParseMapping("m", text)
		if err != nil {
			t.Fatal(err)
		}
		c := ReplayConfig{File: filepath.Join(dir, "data.csv"), Mapping: m}
		change(&c)
		print, err := Fingerprint(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return print
	}
	same := func(*ReplayConfig) {}
	first := of(same)
	for name, change := range map[string]func(*ReplayConfig){
		"rejects":   func(c *ReplayConfig) { c.RejectsFile = "x" },
		"run start": func(c *ReplayConfig) { c.RunStart = 5 },
	} {
		if of(change) != first {
			t.Errorf("%s changes the fingerprint", name)
		}
	}
	for name, change := range map[string]func(*ReplayConfig){
		"loop":      func(c *ReplayConfig) { c.Loop = true },
		"as if now": func(c *ReplayConfig) { c.AsIfNow = true },
	} {
		if of(change) == first {
			t.Errorf("%s does not change the fingerprint", name)
		}
	}
	write("names.csv", "k,v\n1,y\n")
	second := of(same)
	write("data.csv", "t,id\n1600000001,a\n")
	third := of(same)
	text += "# changed\n"
	if fourth := of(same); first == second || second == third || third == fourth {
		t.Error("lookup, file and mapping do not change the fingerprint")
	}
}

func TestAFileThatChangesIsNoticed(t *testing.T) {
	file, m := shuffled(t, 3000)
	r := openReplay(t, ReplayConfig{File: file, Mapping: m, held: 1})
	if err := os.WriteFile(file, []byte("t,id,paid\n1,2,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := r.Next(make([]Item, 10_000))
	if !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), "changed while it was replayed") {
		t.Error(err)
	}
}

func TestRejectsFile(t *testing.T) {
	dir := t.TempDir()
	file, rejects := filepath.Join(dir, "data.csv"), filepath.Join(dir, "new", "rejects.csv")
	m, err := ParseMapping("m", event)
	if err != nil {
		t.Fatal(err)
	}
	open := func(text, rejects string) error {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := OpenReplay(t.Context(), ReplayConfig{File: file, Mapping: m, MaxBad: 0.5, RejectsFile: rejects, Log: quiet()})
		if err == nil {
			err = r.Close()
		}
		return err
	}
	if err := open("t,id\n1600000000,a\nsoon,\"b\nc\"\n", rejects); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(rejects)
	want := "file,line,reason,row\n" + file + ",3,\"time \"\"soon\"\" is not unix seconds\",\"soon,\"\"b\nc\"\"\"\n"
	if diff := cmp.Diff(want, string(text)); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if err := open("t,id\n1600000000,a\n", rejects); err != nil {
		t.Fatal(err)
	}
	if exists(rejects) {
		t.Error("rejects of an earlier run are still there")
	}
	if err := open("t,id\n1600000000,a\n", file); err != nil || !exists(file) {
		t.Error("a file that is no rejects file was removed:", err)
	}
	if err := open("t,id\n1600000000,a\nsoon,b\n", dir); !errors.Is(err, liushui.ErrMisuse) || !strings.HasPrefix(err.Error(), "rejects file "+dir+": ") {
		t.Error(err)
	}
}

func TestReplayErrorsSayWhatWhereAndHow(t *testing.T) {
	lookup := strings.Replace(event, "events:", "lookups: {n: {file: names.csv, key: k, value: v}}\nevents:", 1)
	tests := []struct {
		name, mapping string
		files         map[string]string
		want          string // % is the folder
	}{
		{"no file", event, nil, "csv %/data.csv: no such file"},
		{"a folder", event, map[string]string{"data.csv/x": ""}, "csv %/data.csv: not a file; a folder or pipe cannot be replayed"},
		{"empty", event, map[string]string{"data.csv": ""}, "csv %/data.csv: is empty; want a header and rows"},
		{"no such column", event, map[string]string{"data.csv": "t,number\n1600000000,1\n"},
			`mapping my.yaml: csv %/data.csv: events: number 1: id: template "{id}": no column "id"; the file has t, number`},
		{"column twice", event, map[string]string{"data.csv": "t,id, id\n1600000000,1,2\n"},
			`mapping my.yaml: csv %/data.csv: events: number 1: id: template "{id}": column "id" stands in the file twice`},
		{"open brace", strings.Replace(event, "{id}", "{id", 1), map[string]string{"data.csv": "t,id\n"},
			`mapping my.yaml: csv %/data.csv: events: number 1: id: template "{id": a brace without its partner (a brace itself is {{ or }})`},
		{"other encoding", event, map[string]string{"data.csv": "\xb6\xa9\xb5\xa5,id\n"},
			"csv %/data.csv: the header is not UTF-8; name the file's encoding in the mapping, such as  csv: {encoding: GB18030}"},
		{"no lookup", lookup, map[string]string{"data.csv": "t,id\n"}, "lookup n: %/names.csv: no such file"},
		{"lookup without its column", lookup, map[string]string{"data.csv": "t,id\n", "names.csv": "k,w\n"},
			`lookup n: %/names.csv: no column "v"; the file has k, w`},
		{"damaged lookup", lookup, map[string]string{"data.csv": "t,id\n", "names.csv": "k,v\n1,2\n3\n"},
			`lookup n: %/names.csv:3: 1 columns instead of 2`},
		{"too many bad rows", event, map[string]string{"data.csv": "t,id\n1600000000,a\nsoon,b\n15,c\nlate,d\n"},
			`csv %/data.csv: 3 of 4 rows are bad, more than --max-bad 1%; most often: time "soon" is not unix seconds (line 3); see them with  liushui check my.yaml --csv %/data.csv`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range test.files {
				path := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			m, err := ParseMapping("my.yaml", test.mapping)
			if err != nil {
				t.Fatal(err)
			}
			_, err = OpenReplay(t.Context(), ReplayConfig{File: filepath.Join(dir, "data.csv"), Mapping: m, Log: quiet()})
			want := strings.ReplaceAll(strings.ReplaceAll(test.want, "1%;", "1\x00;"), "%", dir)
			want = strings.ReplaceAll(want, "\x00", "%")
			if !errors.Is(err, liushui.ErrMisuse) || err.Error() != want {
				t.Errorf("%v\nwant %s", err, want)
			}
		})
	}
}

func TestReadingReportsItsProgress(t *testing.T) {
	file, m := shuffled(t, 20_000)
	var seen []int64
	size := int64(0)
	openReplay(t, ReplayConfig{File: file, Mapping: m, Progress: func(read, of int64) { seen, size = append(seen, read), of }})
	if len(seen) < 4 || seen[len(seen)-1] != size || seen[0] >= size {
		t.Error(seen, size)
	}
	for i := range seen[1:] {
		if seen[i] > seen[i+1] {
			t.Error("progress falls:", seen)
		}
	}
}

func TestLargeForeignFilesAreWrittenAnewAsUTF8(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	file := writeFile(t, "data.csv", "t,id,p\n1600000000,a,\xc9\xcf\xba\xa3\n")
	m, err := ParseMapping("m", event+"    province: {column: p, normalize: province}\ncsv: {encoding: GBK}\n")
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenReplay(t.Context(), ReplayConfig{File: file, Mapping: m, held: 1, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if e := all(t, r, 1)[0].Event; e.Province != "上海" {
		t.Errorf("%+v", e)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Error("left behind:", left, err)
	}
}

func TestCheckCountsBadRowsByReason(t *testing.T) {
	file := writeFile(t, "data.csv", "t,id,k\n1600000000,a,pay\n1600000001,a,view\nsoon,b,pay\nlater,c,pay\n15,d,pay\n1600000002,e\n1600000003,f,pay\n")
	m, err := ParseMapping("m", strings.Replace(event, "type: order", "type: \"{k}\"\n    when: {id: {in: [a, b, c, d, e]}}", 1))
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check(t.Context(), CheckConfig{File: file, Mapping: m, First: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := &Report{Rows: 7, Silent: 1, Same: 1, Events: map[string]int64{"pay": 1, "view": 1},
		First: []liushui.Event{{ID: "a", Type: "pay", Time: 1_600_000_000_000}},
		Bad: []BadCount{
			{"time cannot be read", 2, BadRow{file, 4, "time cannot be read", `time "soon" is not unix seconds`, "soon,b,pay"}},
			{"time is before the year 2000", 1, BadRow{file, 6, "time is before the year 2000", "time 15000 is before the year 2000", "15,d,pay"}},
			{"wrong number of columns", 1, BadRow{file, 7, "wrong number of columns", "2 columns instead of 3", "1600000002,e"}},
		}}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
}
