package native

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Disk is what an engine needs of a file system. Names are paths.
type Disk interface {
	// Lock makes a directory, and keeps other processes out of it until unlock:
	// then, ErrDirectoryInUse.
	Lock(dir string) (unlock func() error, err error)
	Open(name string) (io.ReadCloser, error)
	// Write opens a file for writing, made where there is none.
	Write(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the names in a directory last.
	SyncDir(dir string) error
	// List are the names in a directory.
	List(dir string) ([]string, error)
}

// File is a file under Write.
type File interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// osDisk is the operating system's.
type osDisk struct{}

func (osDisk) Open(name string) (io.ReadCloser, error) { return os.Open(name) }
func (osDisk) Write(name string) (File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
}
func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) Remove(name string) error     { return os.Remove(name) }

func (osDisk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

func (osDisk) List(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

// directory is where an engine keeps its state: numbered checkpoints, journals
// and segments of ids.
type directory struct {
	Disk
	path string
}

func (d directory) name(kind string, number int64) string {
	return filepath.Join(d.path, fmt.Sprintf("%s-%08d", kind, number))
}

func (d directory) checkpoint(number int64) string { return d.name("checkpoint", number) }
func (d directory) journal(number int64) string    { return d.name("journal", number) }
func (d directory) segment(number int64) string    { return d.name("ids", number) }

// numbers are those of the files of a kind, ascending.
func (d directory) numbers(kind string) ([]int64, error) {
	names, err := d.List(d.path)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", d.path, err)
	}
	var numbers []int64
	for _, name := range names {
		var n int64
		if _, err := fmt.Sscanf(name, kind+"-%d", &n); err == nil && d.name(kind, n) == filepath.Join(d.path, name) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (d directory) read(name string) ([]byte, error) {
	file, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(file)
	return b, errors.Join(err, file.Close())
}

// writeAt cuts a file at an offset, writes from there on, and syncs.
func (d directory) writeAt(name string, at int64, write func(io.Writer) error) error {
	file, err := d.Write(name)
	if err != nil {
		return err
	}
	if err = file.Truncate(at); err == nil {
		if err = write(io.NewOffsetWriter(file, at)); err == nil {
			err = file.Sync()
		}
	}
	return errors.Join(err, file.Close())
}

// forget removes checkpoints, journals and ids, half-written and broken ones too.
func (d directory) forget() error {
	err := d.remove(func(name string) bool {
		kind, _, _ := strings.Cut(name, "-")
		return kind == "checkpoint" || kind == "journal" || kind == "ids"
	})
	if err != nil {
		return fmt.Errorf("forget the old state: %w", err)
	}
	return nil
}

// aside ends the name of a checkpoint that is being written.
const aside = ".new"

// dropAside removes what crashes have left of checkpoints; none may be under way.
func (d directory) dropAside() error {
	err := d.remove(func(name string) bool {
		return strings.HasPrefix(name, "checkpoint-") && strings.HasSuffix(name, aside)
	})
	if err != nil {
		return fmt.Errorf("drop half a checkpoint: %w", err)
	}
	return nil
}

func (d directory) remove(needless func(name string) bool) error {
	names, err := d.List(d.path)
	if err != nil {
		return fmt.Errorf("list %s: %w", d.path, err)
	}
	for _, name := range names {
		if needless(name) {
			if err := d.Remove(filepath.Join(d.path, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// drop removes the files of a kind that are not needed.
func (d directory) drop(kind string, needless func(number int64) bool) error {
	numbers, err := d.numbers(kind)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if needless(n) {
			if err := d.Remove(d.name(kind, n)); err != nil {
				return fmt.Errorf("drop old %s: %w", kind, err)
			}
		}
	}
	return nil
}
