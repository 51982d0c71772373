package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"liushui/wall/access"
)

func (p *program) userCommand() *cobra.Command {
	role := roleFlag(access.Viewer)
	c := &cobra.Command{
		Use:   "user NAME",
		Short: "Make a user for the wall: the line for --users-file",
		Long: `Make a line for the file that serve and up take as --users-file: a name, a role, and
the argon2id hash of a password. The password is asked for on a terminal, twice and
unseen; elsewhere it is the first line of the input. Nothing is written but the line.`,
		Example: `  liushui user li >> users
  liushui user wang --role operator >> users
  pass show wall/li | liushui user li >> users`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("`liushui user` takes one name, but got %d", len(args))
			}
			if err := access.CheckName(args[0]); err != nil {
				return misuse("`liushui user`: %w", err)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			password, err := p.newPassword(c.Context(), args[0])
			if err != nil {
				return err
			}
			line, err := access.Line(access.Who{Name: args[0], Role: access.Role(role)}, password)
			if err != nil {
				return misuse("`liushui user`: %w", err)
			}
			_, err = fmt.Fprintln(p.stdout, line)
			return err
		},
	}
	c.Flags().Var(&role, "role", "what the user may do; so far both look, and nothing asks for an operator")
	return c
}

// newPassword asks a person for a password, or reads it from what is no terminal.
func (p *program) newPassword(ctx context.Context, name string) (string, error) {
	if f, ok := p.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return p.askPassword(ctx, name, int(f.Fd()))
	}
	line, err := bufio.NewReader(io.LimitReader(p.stdin, 2*access.PasswordMost)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (p *program) askPassword(ctx context.Context, name string, terminal int) (string, error) {
	var typed [2]string
	for i, question := range []string{"password of " + name, "once more"} {
		fmt.Fprintf(p.stderr, "%s: ", question)
		text, err := readUnseen(ctx, terminal)
		fmt.Fprintln(p.stderr)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		typed[i] = text
	}
	if typed[0] != typed[1] {
		return "", misuse("the two passwords differ; try again")
	}
	return typed[0], nil
}

// readUnseen reads a line that the terminal does not show. After Ctrl-C it shows
// again what is typed; the read that goes on ends with the process.
func readUnseen(ctx context.Context, terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		read <- answer{text, err}
	}()
	select {
	case a := <-read:
		return string(a.text), a.err
	case <-ctx.Done():
		_ = term.Restore(terminal, before) // or the next program does it
		return "", ctx.Err()
	}
}

// roleFlag is a role of access.
type roleFlag access.Role

func (f *roleFlag) Type() string   { return "viewer|operator" }
func (f *roleFlag) String() string { return string(*f) }

func (f *roleFlag) Set(s string) error {
	role, err := access.ParseRole(s)
	if err != nil {
		return errors.New("want viewer or operator")
	}
	*f = roleFlag(role)
	return nil
}
