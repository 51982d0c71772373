package source

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// readRows returns the fields of all rows of a text without header, and each bad one's line and reason.
func readRows(t testing.TB, content string, f format, held int64) (rows [][]string, bad map[int64]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := openText(t.Context(), "csv", file, f, held)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	return rowsOf(t, newRows(text, f))
}

// rowsOf also reads each row alone, as a replay does.
func rowsOf(t testing.TB, r *rows) (all [][]string, bad map[int64]string) {
	t.Helper()
	bad = map[int64]string{}
	alone := r.splitter
	for {
		w, d, err := r.next()
		if errors.Is(err, io.EOF) {
			return all, bad
		}
		if err != nil {
			t.Fatal(err)
		}
		if d != nil {
			bad[w.line] = d.reason
			continue
		}
		all = append(all, append([]string{}, w.fields...))
		text, err := r.text.read(w.offset, len(w.text))
		if err != nil {
			t.Fatal(err)
		}
		alone.eol = r.eol
		if err := alone.row(text); err != nil {
			t.Fatalf("row %q alone: %v", text, err)
		}
		if diff := cmp.Diff(all[len(all)-1], alone.fields); diff != "" {
			t.Fatalf("row %q alone: %s", text, diff)
		}
	}
}

func mustFormat(t testing.TB, f csvFile) format {
	t.Helper()
	no := false
	f.Header, f.Columns = &no, []string{"a"}
	form, err := f.format()
	if err != nil {
		t.Fatal(err)
	}
	return form
}

func TestRows(t *testing.T) {
	tests := []struct {
		name, text string
		form       csvFile
		rows       [][]string
		bad        map[int64]string
	}{
		{"LF", "a,b\nc,d\n", csvFile{}, [][]string{{"a", "b"}, {"c", "d"}}, nil},
		{"CRLF", "a,b\r\nc,d\r\n", csvFile{}, [][]string{{"a", "b"}, {"c", "d"}}, nil},
		{"bare CR", "a,b\rc,d\r", csvFile{}, [][]string{{"a", "b"}, {"c", "d"}}, nil},
		{"bare CR as told", "a,b\nB\rc,d", csvFile{Newline: "cr"}, [][]string{{"a", "b\nB"}, {"c", "d"}}, nil},
		{"LF as told", "a,b\rB\nc,d", csvFile{Newline: "lf"}, [][]string{{"a", "b\rB"}, {"c", "d"}}, nil},
		{"no end of the last line", "a,b\nc,d", csvFile{}, [][]string{{"a", "b"}, {"c", "d"}}, nil},
		{"byte order mark", "\xef\xbb\xbfa,b\n", csvFile{}, [][]string{{"a", "b"}}, nil},
		{"empty lines", "\n\r\na\n\n\nb\n\r\n", csvFile{Newline: "lf"}, [][]string{{"a"}, {"b"}}, nil},
		{"empty fields", ",\n,,\n", csvFile{}, [][]string{{"", ""}, {"", "", ""}}, nil},
		{"nothing", "", csvFile{}, nil, nil},
		{"semicolon", "a;b,c\n", csvFile{Delimiter: ";"}, [][]string{{"a", "b,c"}}, nil},
		{"tab", "a\tb c\n", csvFile{Delimiter: "\t"}, [][]string{{"a", "b c"}}, nil},
		{"two bytes of delimiter", "a||\"b||c\"||d|e\n", csvFile{Delimiter: "||"}, [][]string{{"a", "b||c", "d|e"}}, nil},
		{"quotes", "\"a,b\",\"say \"\"hi\"\"\",\"\"\n", csvFile{}, [][]string{{"a,b", `say "hi"`, ""}}, nil},
		{"other quote", "'a,b',c\"d\n", csvFile{Quote: "'"}, [][]string{{"a,b", `c"d`}}, nil},
		{"no quote", "\"a,b\",6\" pipe\n", csvFile{Quote: "none"}, [][]string{{`"a`, `b"`, `6" pipe`}}, nil},
		{"line break inside quotes", "x,\"a\nb\r\nc\"\r\ny,z\n", csvFile{}, [][]string{{"x", "a\nb\nc"}, {"y", "z"}}, nil},
		{"quote inside a bare field", "a\n6\" pipe,x\nb\n", csvFile{}, [][]string{{"a"}, {"b"}}, map[int64]string{2: errBareQuote.Error()}},
		{"text behind a quoted field", "a\n\"x\"y\nb\n", csvFile{}, [][]string{{"a"}, {"b"}}, map[int64]string{2: errOpenQuote.Error()}},
		{"a quote that never closes costs one line", "a\n\"x,1\nb\nc\n", csvFile{}, [][]string{{"a"}, {"b"}, {"c"}}, map[int64]string{2: errOpenQuote.Error()}},
		{"lines are counted through quotes", "\"a\nb\"\n\"x\"y\n", csvFile{}, [][]string{{"a\nb"}}, map[int64]string{3: errOpenQuote.Error()}},
		{"GB18030", "\xbd\xad\xcb\xd5\xca\xa1,\xce\xf7\xb2\xd8\n", csvFile{Encoding: "GB18030"}, [][]string{{"江苏省", "西藏"}}, nil},
		{"GBK", "\xc9\xcf\xba\xa3,1\r\n", csvFile{Encoding: "GBK"}, [][]string{{"上海", "1"}}, nil},
		{"a cut GBK character", "\xc9\xcf\xba,1\nb\xff\xff,2\n\xc9\xcf,3\n", csvFile{Encoding: "GBK"}, [][]string{{"上", "3"}},
			map[int64]string{1: "bytes that are not of the file's encoding", 2: "bytes that are not of the file's encoding"}},
		{"windows-1252", "caf\xe9,\x80\n", csvFile{Encoding: "windows-1252"}, [][]string{{"café", "€"}}, nil},
		{"UTF-16 with a mark", "\xff\xfea\x00,\x00\x0aN\n\x00", csvFile{Encoding: "UTF-16"}, [][]string{{"a", "上"}}, nil},
		{"Shift_JIS with a comma as second byte's neighbour", "\x83\x5c,\x94\x5c\n", csvFile{Encoding: "Shift_JIS"}, [][]string{{"ソ", "能"}}, nil},
		{"UTF-8 by name", "上海,1\n", csvFile{Encoding: "utf-8"}, [][]string{{"上海", "1"}}, nil},
		{"a row that is too long", "a\n" + strings.Repeat("x", maxRow+1) + "\nb\n", csvFile{}, [][]string{{"a"}, {"b"}}, map[int64]string{2: "a row is too long"}},
		{"a row much too long", "a\n" + strings.Repeat("x", 3*maxRow) + "\nb\n", csvFile{}, [][]string{{"a"}, {"b"}}, map[int64]string{2: "a row is too long"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.bad == nil {
				test.bad = map[int64]string{}
			}
			for _, held := range []int64{heldSize, 0} {
				rows, bad := readRows(t, test.text, mustFormat(t, test.form), held)
				if diff := cmp.Diff(test.rows, rows); diff != "" {
					t.Errorf("held %d: %s", held, diff)
				}
				if diff := cmp.Diff(test.bad, bad); diff != "" {
					t.Errorf("held %d: bad rows: %s", held, diff)
				}
			}
		})
	}
}

// TestRowsAcrossBlocks reads rows that lie across the ends of chunks and blocks.
func TestRowsAcrossBlocks(t *testing.T) {
	var text strings.Builder
	var want [][]string
	for i := 0; text.Len() < 3*chunkSize; i++ {
		a, b := strings.Repeat("x", i*37%1000), strings.Repeat("y\n", i*11%90)
		text.WriteString(a + ",\"" + b + "\"\n")
		want = append(want, []string{a, b})
	}
	rows, bad := readRows(t, text.String(), mustFormat(t, csvFile{}), 0)
	if diff := cmp.Diff(want, rows); diff != "" || len(bad) > 0 {
		t.Error(diff, bad)
	}
}

// stringFile is a file for fuzzing.
type stringFile struct{ *strings.Reader }

func (stringFile) Close() error { return nil }
func (stringFile) Name() string { return "a string" }

// FuzzRows holds the splitter against encoding/csv: what that accepts as a
// whole must be read the same, from memory and from a file in small pieces.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{"a,b\nc,d\n", "\"a\"\"b\",\"c\nd\"\r\n", "\"\"\n\"", "a\r\n\r\nb\r", "\"a\r\nb\"\r\n,\n", "\r\n", "\"x\"\r", "a\"b", "\"a\" ,b\n", ",\n,\"\",\n"} {
		f.Add(seed, uint8(1))
	}
	form := mustFormat(f, csvFile{Newline: "lf"})
	f.Fuzz(func(t *testing.T, content string, chunk uint8) {
		std := csv.NewReader(strings.NewReader(content))
		std.FieldsPerRecord = -1
		want, err := std.ReadAll()
		held := newRows(&text{whole: content, size: int64(len(content))}, form)
		pieces := newRows(&text{file: stringFile{strings.NewReader(content)}, size: int64(len(content))}, form)
		pieces.chunk = int64(chunk) + 1
		for _, r := range []*rows{held, pieces} {
			got, bad := rowsOf(t, r)
			if err != nil && len(bad) == 0 {
				t.Fatalf("%q: encoding/csv says %v; here nothing is bad: %q", content, err, got)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err == nil && (diff != "" || len(bad) > 0) {
				t.Fatalf("%q: %s bad: %v", content, diff, bad)
			}
		}
	})
}
