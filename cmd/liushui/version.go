package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version that this tree is on the way to, or is tagged as.
const release = "0.1.0"

// version names the build: the release, the commit where known, and Go's version.
func version() string {
	return fmt.Sprintf("liushui %s (%s, %s/%s)", build(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// build is the release with the commit that it was built from.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	commit, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 8:
			commit = "+" + s.Value[:8]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = ".changed"
		}
	}
	return release + commit + changed
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  liushui version",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(p.stdout, version())
			return err
		},
	}
}
