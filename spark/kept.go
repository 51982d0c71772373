package spark

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"liushui"
)

// kept is what the supervisor finds its queries by after a restart. What was
// computed is in Spark's checkpoints, and the account in the progress records.
type kept struct {
	Identity   identity
	Generation int64
	Job        string // its hash
	TopicID    string // of the events
	Checkpoint string // of the user; the queries' are below
	Attempt    int64  // ms at which all was begun anew on demand; 0: never
	From       map[int32]int64
	Queries    map[string]queryID // by name
	Plan       string             // hash of what they run
}

func (e *Engine) keptFile() string { return filepath.Join(e.c.Dir, engineName, "queries.json") }

// load reads what an earlier run kept; nothing is no error.
func (e *Engine) load() error {
	b, err := os.ReadFile(e.keptFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &e.kept)
	}
	if err != nil {
		return fmt.Errorf("read what was kept of the queries in %s: %w; without that file they are started again from their checkpoint: %w", e.keptFile(), err, liushui.ErrMisuse)
	}
	return nil
}

// keep writes it, whole or not at all.
func (e *Engine) keep() error {
	e.kept.Identity = e.session.identity()
	b, err := json.MarshalIndent(e.kept, "", "  ")
	if err != nil {
		return fmt.Errorf("keep the queries' ids: %w", err)
	}
	file := e.keptFile()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), replaceFile(file, b)); err != nil {
		return fmt.Errorf("keep the queries' ids: %w", err)
	}
	return nil
}

func replaceFile(file string, b []byte) (err error) {
	f, err := os.OpenFile(file+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
