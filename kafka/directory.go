package kafka

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"liushui"
)

// directoryVersion is what the file `version` in a broker's directory holds.
// A directory of another version is refused, never guessed at.
const directoryVersion = "liushui broker 1\n"

// directory is the place of a broker's log, taken for one process:
//
//	lock      held while the broker runs; holds its process id
//	version   the layout, see directoryVersion
//	log/      the partitions, written by kfake
type directory struct {
	path string
	lock *os.File
}

// takeDirectory makes a directory where it is missing, and locks it.
func takeDirectory(path string) (*directory, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("make the broker's directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the broker's directory: %w", err)
	}
	d := &directory{path: path, lock: lock}
	if err := d.claim(); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

func (d *directory) claim() error {
	free, err := lockFile(d.lock)
	if err != nil {
		return fmt.Errorf("lock %s: %w", d.lock.Name(), err)
	}
	if !free {
		holder, _ := io.ReadAll(io.LimitReader(d.lock, 32)) // only for the message
		return fmt.Errorf("%s belongs to a broker that runs as process %s: stop it, or name another directory: %w",
			d.path, strings.TrimSpace(string(holder)), liushui.ErrDirectoryInUse)
	}
	if err := d.lock.Truncate(0); err != nil {
		return fmt.Errorf("write %s: %w", d.lock.Name(), err)
	}
	if _, err := d.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("write %s: %w", d.lock.Name(), err)
	}
	return d.checkVersion()
}

func (d *directory) checkVersion() error {
	file := filepath.Join(d.path, "version")
	version, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if entries, err := os.ReadDir(d.log()); err == nil && len(entries) > 0 {
			return fmt.Errorf("%s has a log but no version file: it was not made by this program: %w", d.path, liushui.ErrMisuse)
		}
		if err := os.WriteFile(file, []byte(directoryVersion), 0o644); err != nil {
			return fmt.Errorf("write the broker's version: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("read the broker's version: %w", err)
	case string(version) != directoryVersion:
		return fmt.Errorf("%s was written by another version (%q, this one reads %q): use that one, or name another directory: %w",
			d.path, strings.TrimSpace(string(version)), strings.TrimSpace(directoryVersion), liushui.ErrMisuse)
	}
	return nil
}

func (d *directory) log() string { return filepath.Join(d.path, "log") }

func (d *directory) release() error { return d.lock.Close() }
