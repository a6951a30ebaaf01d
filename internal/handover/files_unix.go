//go:build unix

package handover

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func closeOnExec(fd uintptr) { syscall.CloseOnExec(int(fd)) }

// duplicate returns another descriptor of the same socket, which no child inherits.
// [syscall.ForkLock] must be held.
func duplicate(fd uintptr) (uintptr, error) {
	other, err := syscall.Dup(int(fd))
	if err != nil {
		return 0, err
	}
	syscall.CloseOnExec(other)
	return uintptr(other), nil
}

// Monotonic returns the time that systemd expects with RELOADING=1.
func Monotonic() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
