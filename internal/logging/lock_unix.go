//go:build unix

package logging

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile locks an open file without waiting, or returns errLocked. unlock does not close
// the file.
func lockFile(f *os.File) (unlock func(), err error) {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case nil:
			return func() { unix.Flock(int(f.Fd()), unix.LOCK_UN) }, nil
		case unix.EWOULDBLOCK:
			return nil, errLocked
		case unix.EINTR:
		default:
			return nil, os.NewSyscallError("flock", err)
		}
	}
}
