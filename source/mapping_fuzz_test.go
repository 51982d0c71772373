package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"liushui"
)

// FuzzMapping: whatever text is given, a mapping is refused in one line or
// makes only events and bad rows, never a fault.
func FuzzMapping(f *testing.F) {
	for _, name := range BuiltinMappings() {
		f.Add(builtin(f, name).Text, "1,2,3,4,5\n")
	}
	f.Add(event+"    amount: \"{a}\"\n", "t,id,a\n1600000000,x,1.5\n")
	f.Add("zone: UTC\ncsv: {header: false, columns: [a, b]}\nevents:\n  - {type: \"{a}\", time: {column: b, unit: s}, id: \"{a}{#row}\"}\n", "view,1600000000\n,\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, rows string) {
		m, err := ParseMapping("m", text)
		if err != nil {
			if !errors.Is(err, liushui.ErrMisuse) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q: %q", text, err)
			}
			return
		}
		m.lookups = nil // they would read files
		file := filepath.Join(dir, "data.csv")
		if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Check(t.Context(), CheckConfig{File: file, Mapping: m})
		if err != nil {
			if !errors.Is(err, liushui.ErrMisuse) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q, %q: %q", text, rows, err)
			}
			return
		}
		for i := range report.First {
			if err := report.First[i].Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
