package firewall

import (
	"net"

	"golang.org/x/sys/unix"
)

// Forget makes the kernel drop all further packets to a connection, like a firewall
// that has forgotten the connection. The kernel acknowledges nothing any more.
func Forget(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K} // returns 0 as the number of bytes to keep
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop})
	})
	if err != nil {
		return err
	}
	return failed
}
