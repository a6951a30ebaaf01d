//go:build unix

package logging

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The wait for another process that moves files, which takes only a moment.
const (
	lockTimeout = time.Second
	lockPause   = 2 * time.Millisecond
)

var errLocked = errors.New("another process holds the file's lock")

// lockFile locks an open file. unlock does not close the file.
func lockFile(f *os.File) (unlock func(), err error) {
	for end := time.Now().Add(lockTimeout); ; time.Sleep(lockPause) {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return func() { unix.Flock(int(f.Fd()), unix.LOCK_UN) }, nil
		case err != unix.EWOULDBLOCK && err != unix.EINTR:
			return nil, os.NewSyscallError("flock", err)
		case time.Now().After(end):
			return nil, errLocked
		}
	}
}
