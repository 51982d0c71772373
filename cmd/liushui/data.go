package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"liushui"
	"liushui/source"
)

// dataRoot is where data directories are made when no --data says otherwise.
const dataRoot = "liushui-data"

// feed names what is sent to the topic of events, so that one data directory
// never mixes two.
type feed struct {
	Name    string `json:"feed"`              // the file's name, or demo
	Mapping string `json:"mapping,omitempty"` // as named
	ID      string `json:"id,omitempty"`      // 8 hex of content, mapping and the options that change ids or times
}

// demoFeed is the generator's. Each of its runs makes new ids, so runs may mix.
var demoFeed = feed{Name: "demo"}

// fileFeed names the feed of a replay.
func fileFeed(ctx context.Context, c source.ReplayConfig) (feed, error) {
	id, err := source.Fingerprint(ctx, c)
	if err != nil {
		return feed{}, err
	}
	return feed{Name: filepath.Base(c.File), Mapping: c.Mapping.Name, ID: id[:8]}, nil
}

// reason drops the path from a file error: the flag was named instead.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// directory is the feed's data directory where none is named.
func (f feed) directory() string {
	if f.ID == "" {
		return filepath.Join(dataRoot, f.Name)
	}
	return filepath.Join(dataRoot, f.Name+"-"+f.ID)
}

// file is the feed's name as part of a file's.
func (f feed) file() string { return filepath.Base(f.directory()) }

func (f feed) String() string {
	if f.ID == "" {
		return f.Name
	}
	return fmt.Sprintf("%s by %s (%s)", f.Name, f.Mapping, f.ID)
}

// directory is a data directory that this process alone works on.
type directory struct {
	path string
	lock *os.File
}

func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

const feedFile = "feed.json"

// openDirectory makes a data directory, or opens it again. One that another
// process uses, or that holds another feed, is refused by name.
func openDirectory(path string, f feed) (_ *directory, err error) {
	if err := checkEmpty(path); err != nil {
		return nil, err
	}
	d := &directory{path: path}
	if d.lock, err = lockFolder(path); err != nil {
		return nil, err
	}
	if err := d.check(f); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *directory) close() { d.lock.Close() }

// checkEmpty refuses a directory that holds something, but nothing of ours.
func checkEmpty(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	} else if err != nil {
		return misuse("--data %s: %w", path, reason(err))
	}
	for _, e := range entries {
		if e.Name() == feedFile || e.Name() == "lock" {
			return nil
		}
	}
	return misuse("--data %s holds files, but no data of `liushui up`; name an empty or a new directory", path)
}

// check compares the feed with the one that the directory was taken for.
func (d *directory) check(f feed) error {
	text, err := os.ReadFile(d.file(feedFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var held feed
	if err := json.Unmarshal(text, &held); err != nil {
		return fmt.Errorf("%s: %w; remove the directory to start anew", d.file(feedFile), err)
	}
	if held != f {
		return misuse("--data %s holds another feed, %s, not %s; name another directory, leave --data out, or remove it to start anew",
			d.path, held, f)
	}
	return nil
}

// take writes down which feed the directory holds from now on: wholly or not at all.
func (d *directory) take(f feed) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	aside := d.file(feedFile + ".new")
	if err := os.WriteFile(aside, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(aside, d.file(feedFile))
}

// lockFolder makes a folder of --data and keeps other processes out of it until
// the file is closed or this process ends.
func lockFolder(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, misuse("--data %s: %w", path, reason(err))
	}
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, misuse("--data %s: %w", path, reason(err))
	}
	if err := lockNow(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w; stop that one, or name another with --data", path, liushui.ErrDirectoryInUse)
	}
	return f, nil
}
