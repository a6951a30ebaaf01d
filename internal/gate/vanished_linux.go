package gate

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// boundSilence makes a connection fail when its client acknowledges nothing for d
// (TCP_USER_TIMEOUT, RFC 5482). It ignores connections without this option. Accepted
// connections do not inherit the option from the listening socket, because Go's listeners
// speak MPTCP.
func boundSilence(c net.Conn, d time.Duration) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := t.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
		})
	}
}
