//go:build unix

package native

import (
	"os"
	"syscall"
)

// lock takes the file for this process alone, or fails when another has it.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
