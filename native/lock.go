package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"liushui"
)

func (osDisk) Lock(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := lock(file); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w; stop the other `liushui process`, or name another folder with --data", dir, liushui.ErrDirectoryInUse), file.Close())
	}
	return file.Close, nil
}
