//go:build unix

package main

import (
	"os"
	"syscall"
)

// lockNow takes the file's lock, or fails when another process has it.
func lockNow(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
