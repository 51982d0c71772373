package dev

import (
	"archive/zip"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
)

// SparkProtocol is Spark Connect's protocol as a release carries it, to look up
// what is in it by its full name.
func SparkProtocol(t testing.TB, release string) linker.Resolver {
	t.Helper()
	libs, err := artifacts(release)
	requires(t, err)
	jars, err := filepath.Glob(filepath.Join(libs, "spark-connect_*.jar"))
	if err != nil || len(jars) != 1 {
		t.Fatalf("the jar with Spark's protocol: %v, %v", jars, err)
	}
	jar, err := zip.OpenReader(jars[0])
	if err != nil {
		t.Fatal(fmt.Errorf("open %s: %w", jars[0], err))
	}
	defer jar.Close()
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: func(name string) (io.ReadCloser, error) { return jar.Open(name) },
	})}
	var names []string
	for _, name := range []string{"base", "commands", "common", "expressions", "relations", "types"} {
		names = append(names, "spark/connect/"+name+".proto")
	}
	files, err := compiler.Compile(t.Context(), names...)
	if err != nil {
		t.Fatal(fmt.Errorf("read Spark's protocol: %w", err))
	}
	return files.AsResolver()
}
