package proxy

import (
	"context"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged is the time without an acknowledgement of sent data after which a
// connection fails. The kernel's default is a quarter of an hour.
const unacknowledged = 30 * time.Second

// userTimeout sets the user timeout (RFC 5482) of a new connection. If that fails, the
// connection goes without.
func userTimeout(_ context.Context, network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	return c.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
	})
}
