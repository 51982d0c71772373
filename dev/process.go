package dev

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// process is a server that runs until it is stopped, or until this process ends
// in any way.
type process struct {
	keeper *exec.Cmd // a shell that carries out orders
	orders io.WriteCloser
	gone   chan struct{} // closed when the server has ended
}

// keep runs a server and sends it the signals that it reads from its own input.
// When that ends, as it does when the process that gives the orders ends in any
// way, it kills the server and removes a folder. Signals for all, such as a
// Ctrl-C, are for the one that gives the orders. The server alone holds
// descriptor 3, which tells when it has ended. A server that leads a process
// group, as setsid makes it, gets its signals together with its children.
const keep = `trap '' INT TERM HUP
log=$1 remove=$2; shift 2
send() { kill -"$1" -- -$! 2>/dev/null || kill -"$1" $!; }
( trap - INT TERM HUP; exec "$@" ) </dev/null >>"$log" 2>&1 &
exec 3>&-
while read -r signal; do send "$signal"; done
send KILL 2>/dev/null
wait $!
[ -z "$remove" ] || { rm -rf "$remove"; rmdir "$(dirname "$remove")" 2>/dev/null; }`

// launch runs a command. What it says is added to the file log; the folder
// remove, where one is named, is gone when the process has ended.
func launch(log, remove, command string, args ...string) (*process, error) {
	alive, held, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer held.Close()
	p := &process{gone: make(chan struct{})}
	p.keeper = exec.Command("sh", append([]string{"-c", keep, "keep", log, remove, command}, args...)...)
	p.keeper.ExtraFiles = []*os.File{held} // descriptor 3
	if p.orders, err = p.keeper.StdinPipe(); err != nil {
		alive.Close()
		return nil, err
	}
	if err := p.keeper.Start(); err != nil {
		alive.Close()
		return nil, err
	}
	go func() {
		io.Copy(io.Discard, alive) // ends when nobody holds the other end
		alive.Close()
		close(p.gone)
	}()
	return p, nil
}

// signal sends a signal by its name, as in TERM.
func (p *process) signal(name string) error {
	if _, err := io.WriteString(p.orders, name+"\n"); err != nil {
		return fmt.Errorf("send %s: %w", name, err)
	}
	return nil
}

// kill ends the server at once, as a power cut would, and waits for its end.
func (p *process) kill() {
	p.orders.Close()
	p.keeper.Wait() // the error says only that the server was killed
	<-p.gone
}

// stop asks the server to end, and kills it when it has not within a time.
func (p *process) stop(within time.Duration) error {
	defer p.kill()
	if err := p.signal("TERM"); err != nil {
		return err
	}
	select {
	case <-p.gone:
		return nil
	case <-time.After(within):
		return fmt.Errorf("it had not ended %s after SIGTERM", within)
	}
}

// await calls ready until it returns nil. It gives up when the server ends, or
// after a time; the error then holds the end of the log.
func (p *process) await(log string, within time.Duration, ready func() error) error {
	end := time.After(within)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.gone:
			return fmt.Errorf("the server ended by itself:\n%s", tail(log))
		case <-end:
			return fmt.Errorf("no answer within %s: %w\n%s", within, err, tail(log))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tail is the end of a log.
func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}
