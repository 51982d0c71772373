package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// docsCommand writes docs/commands.md; it is hidden, for `go generate`.
func (p *program) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "docs FILE",
		Short:  "Write the command reference",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var text strings.Builder
			writeReference(&text, c.Root())
			return os.WriteFile(args[0], []byte(text.String()), 0o644)
		},
	}
}

// writeReference writes the reference of all commands in Markdown.
func writeReference(w io.Writer, root *cobra.Command) {
	fmt.Fprintf(w, "# Commands\n\nGenerated from the program by `make docs`. `liushui COMMAND --help` says the same.\n\n")
	fmt.Fprintf(w, "Every flag also reads an environment variable: `--exit-when-done` is `LIUSHUI_EXIT_WHEN_DONE`. A flag wins over its variable.\n")
	fmt.Fprintf(w, "Exit codes: 0 fine, 1 failure, 2 something for you to mend (a flag, a file, an address). Every command takes `--log-format text|json`.\n")
	writeCommands(w, root)
}

func writeCommands(w io.Writer, above *cobra.Command) {
	for _, c := range above.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		fmt.Fprintf(w, "\n## %s\n\n%s\n\n", c.CommandPath(), description(c))
		fmt.Fprintf(w, "    %s\n\n", c.UseLine())
		if c.Example != "" {
			fmt.Fprintf(w, "Examples:\n\n%s\n\n", indent(c.Example, "  "))
		}
		writeFlags(w, c)
		writeCommands(w, c)
	}
}

func description(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(text, "\n", "\n"+by)
}

func writeFlags(w io.Writer, c *cobra.Command) {
	first := true
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if first {
			fmt.Fprintf(w, "| flag | default | |\n| --- | --- | --- |\n")
			first = false
		}
		kind, usage := pflag.UnquoteUsage(f)
		value := f.DefValue
		if value == "[]" || value == "false" || value == "0" || value == "0s" {
			value = ""
		}
		if value != "" {
			value = "`" + value + "`"
		}
		name := "`--" + strings.TrimSpace(f.Name+" "+kind) + "`"
		fmt.Fprintf(w, "| %s | %s | %s |\n", strings.ReplaceAll(name, "|", `\|`), strings.Trim(value, "[]"), strings.ReplaceAll(usage, "|", `\|`))
	})
}
