// Command liushui is the whole line: CSV or generator, Kafka, statistics, SQL
// and the wall, each as a command of its own, and all of it as `liushui up`.
// Read up.go first: it is the line in order.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

//go:generate go run . docs ../../docs/commands.md

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C quits at once
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
