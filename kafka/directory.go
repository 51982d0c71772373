package kafka

import (
	"errors"
	"fmt"
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
//	lock      held while the broker runs; holds its process id and address
//	version   the layout, see directoryVersion
//	log/      the partitions, written by kfake
type directory struct {
	path string
	lock *os.File
}

// takeDirectory makes a directory where it is missing, and locks it for a
// broker that is reached at an address.
func takeDirectory(path, address string) (*directory, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("make the broker's directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the broker's directory: %w", err)
	}
	d := &directory{path: path, lock: lock}
	if err := d.claim(address); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

func (d *directory) claim(address string) error {
	free, err := lockFile(d.lock)
	if err != nil {
		return fmt.Errorf("lock %s: %w", d.lock.Name(), err)
	}
	if !free {
		holder, _ := readHolder(d.path) // only for the message
		return fmt.Errorf("%s belongs to a broker that runs as process %s: stop it, or name another directory: %w",
			d.path, holder.process, liushui.ErrDirectoryInUse)
	}
	if err := d.lock.Truncate(0); err != nil {
		return fmt.Errorf("write %s: %w", d.lock.Name(), err)
	}
	if _, err := d.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+" "+address+"\n"), 0); err != nil {
		return fmt.Errorf("write %s: %w", d.lock.Name(), err)
	}
	return d.checkVersion()
}

// holder is the broker that a directory belongs to while it runs.
type holder struct{ process, address string }

func readHolder(path string) (holder, error) {
	text, err := os.ReadFile(filepath.Join(path, "lock"))
	if err != nil {
		return holder{}, err
	}
	process, address, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	return holder{process, address}, nil
}

// versionIn is the file that tells a broker's directory from any other.
func versionIn(path string) string { return filepath.Join(path, "version") }

func (d *directory) checkVersion() error {
	file := versionIn(d.path)
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
