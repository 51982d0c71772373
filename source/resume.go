package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// resumePoint is what a run keeps: all items before it are acknowledged.
type resumePoint struct {
	TopicID     string `json:"topic_id"`
	Fingerprint string `json:"fingerprint"`
	RunStart    int64  `json:"run_start"` // ms; in the ids of laps
	Items       int64  `json:"items"`     // acknowledged, from the run's begin
	Time        int64  `json:"time"`      // ms, of the next item
}

// readResume returns the point kept in a file; found is false where there is none.
func readResume(path string) (r resumePoint, found bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("read resume point: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil || r.Items < 0 {
		return r, false, misuse("resume point %s: not readable; delete it to send the whole file again", path)
	}
	return r, true, nil
}

// write puts the point in the file's place, synced, or leaves the old one.
func (r resumePoint) write(path string) error {
	text, err := json.Marshal(r)
	if err == nil {
		err = replaceFile(path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep resume point: %w", err)
	}
	return nil
}

func replaceFile(path string, text []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o755); err == nil {
			f, err = os.CreateTemp(dir, filepath.Base(path)+".*")
		}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(dir)
}

// syncFolder makes a rename last.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
