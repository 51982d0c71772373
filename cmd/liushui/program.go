package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"liushui"
)

// program is what a command gets from outside, so that tests run the real one in memory.
type program struct {
	env    map[string]string
	stdin  io.Reader // answers
	stdout io.Writer // results
	stderr *screen   // logs, progress and errors
	log    *slog.Logger
}

// Exit codes.
const (
	exitFine    = 0
	exitFailure = 1
	exitMisuse  = 2 // a flag, file or address that the user must mend
)

// run executes one command line and returns its exit code. When ctx is done the
// command stops cleanly, which is no failure.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	p := &program{env: map[string]string{}, stdin: os.Stdin, stdout: stdout, stderr: newScreen(stderr)}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		p.env[name] = value
	}
	root := p.command()
	root.SetArgs(append([]string{}, args...)) // nil would be the process's own
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil, ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitFine
	case errors.Is(err, liushui.ErrMisuse):
		fmt.Fprintln(stderr, "liushui:", oneLine(err))
		return exitMisuse
	}
	fmt.Fprintln(stderr, "liushui:", oneLine(err))
	return exitFailure
}

// oneLine is the error as a person reads it.
func oneLine(err error) string {
	text := strings.ReplaceAll(err.Error(), ": "+liushui.ErrMisuse.Error(), "")
	text = strings.TrimPrefix(text, liushui.ErrMisuse.Error()+": ")
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, " ")
}

// misuse says in one line what the user must mend.
func misuse(format string, args ...any) error {
	return misuseError{fmt.Errorf(format, args...)}
}

type misuseError struct{ error }

func (e misuseError) Unwrap() []error { return []error{e.error, liushui.ErrMisuse} }

// setUp is what cobra keeps for the whole process.
var setUp = sync.OnceFunc(func() {
	cobra.EnableCommandSorting = false // the line's order is the order of help
	cobra.AddTemplateFunc("plainFlags", plainFlags)
})

func (p *program) command() *cobra.Command {
	setUp()
	var logs logFlag
	var showVersion bool
	root := &cobra.Command{
		Use:   "liushui",
		Short: "Real-time statistics of online shopping, from a CSV file or a live feed to a big screen",
		Long: `Liushui 流水: real-time statistics of online shopping, from a CSV file or a live
feed to a big screen, within a second, exact to the cent.

    CSV / generator / feed ──► topic category ──► engine ──► topic category_results ──► store, wall
      produce                    Kafka             process     Kafka                      store, serve

` + "`up`" + ` runs all of it in one process; each part can also run on its own.
Every flag also reads an environment variable: --exit-when-done is LIUSHUI_EXIT_WHEN_DONE.`,
		Example: `  liushui up                                              # the demo, on http://127.0.0.1:8080
  liushui up --csv orders.csv --mapping tmall-orders --speed 3600
  liushui query sales --window 1d`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          p.knownCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			if showVersion {
				fmt.Fprintln(p.stdout, version())
				return nil
			}
			return c.Help()
		},
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := p.readEnvironment(c); err != nil {
				return err
			}
			p.log = logs.logger(p.stderr)
			return nil
		},
	}
	root.Flags().BoolVar(&showVersion, "version", false, "print the version")
	root.PersistentFlags().Var(&logs, "log-format", "how logs look")
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", " | plainFlags"))
	root.AddCommand(p.upCommand(), p.brokerCommand(), p.produceCommand(), p.processCommand(), p.storeCommand(),
		p.serveCommand(), p.queryCommand(), p.checkCommand(), p.deadLettersCommand(), p.reconcileCommand(), p.healthCommand(), p.userCommand(), p.versionCommand(), p.docsCommand())
	return root
}

// plainFlags lists flags; that one without a value may also be given true or
// false is more than a reader wants to know.
func plainFlags(flags *pflag.FlagSet) string {
	const choice = "[=true|false]"
	return strings.ReplaceAll(flags.FlagUsages(), choice, strings.Repeat(" ", len(choice)))
}

// knownCommand names a command that does not exist.
func (p *program) knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return misuse("there is no command %q; did you mean `liushui %s`?", args[0], near[0])
	}
	return misuse("there is no command %q; see `liushui --help`", args[0])
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misuse("`%s` takes no argument, but got %q; see `%s --help`", c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}

const environmentPrefix = "LIUSHUI_"

func environmentName(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// readEnvironment gives each flag that was not named the value of its variable.
func (p *program) readEnvironment(c *cobra.Command) (err error) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		value := p.env[environmentName(f.Name)]
		if f.Changed || value == "" || f.Name == "help" || err != nil {
			return
		}
		if bad := c.Flags().Set(f.Name, value); bad != nil {
			err = misuse("%s=%s: %w", environmentName(f.Name), value, reasonOf(bad))
		}
	})
	return err
}

// flagError says what is wrong with a flag, in the terms of the flag.
func flagError(c *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return misuse("--%s %q: %w", invalid.GetFlag().Name, invalid.GetValue(), reasonOf(err))
	}
	return misuse("%w; see `%s --help`", err, c.CommandPath())
}

// reasonOf is what a value should have been; the flag's name and Go's parser are left out.
func reasonOf(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	switch invalid.GetFlag().Value.Type() {
	case "bool":
		return errors.New("want true or false")
	case "int", "int32", "int64", "uint64":
		return errors.New("want a whole number")
	case "duration":
		return errors.New("want a time such as 100ms, 10s or 5m")
	}
	return invalid.Unwrap()
}

// logFlag chooses how logs look.
type logFlag struct{ json bool }

func (f *logFlag) String() string {
	if f.json {
		return "json"
	}
	return "text"
}

func (f *logFlag) Type() string { return "text|json" }

func (f *logFlag) Set(s string) error {
	if !slices.Contains([]string{"text", "json"}, s) {
		return errors.New("want text or json")
	}
	f.json = s == "json"
	return nil
}

func (f *logFlag) logger(w io.Writer) *slog.Logger {
	if f.json {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: plain}))
}

// plain shortens text logs to what a person at a terminal needs.
func plain(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) > 0:
	case a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime:
		return slog.String(a.Key, a.Value.Time().Format("15:04:05"))
	case a.Key == slog.LevelKey && a.Value.Any() == slog.LevelInfo:
		return slog.Attr{}
	}
	return a
}
