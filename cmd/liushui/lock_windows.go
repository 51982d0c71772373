package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockNow takes the file's lock, or fails when another process has it.
func lockNow(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
}
