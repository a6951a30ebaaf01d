package inbound

import "golang.org/x/sys/unix"

// queued returns how many bytes a socket has received that were not read.
func queued(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}
