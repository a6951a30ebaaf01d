package proxy

import (
	"context"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged is how long what was sent may go without an acknowledgement
// until the connection fails: the kernel's own patience is a quarter of an hour.
const unacknowledged = 30 * time.Second

// userTimeout sets the user timeout (RFC 5482) of a connection that is to be
// made. One that cannot have it is made without.
func userTimeout(_ context.Context, network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	return c.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
	})
}
