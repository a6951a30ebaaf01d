//go:build !minimal

package http3

import (
	"net"

	"golang.org/x/sys/unix"
)

// receiveBuffer returns SO_RCVBUF in the setter's units: the kernel reports the double.
func receiveBuffer(udp *net.UDPConn) int {
	raw, err := udp.SyscallConn()
	if err != nil {
		return 0
	}
	var size int
	raw.Control(func(fd uintptr) {
		size, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	return size / 2
}
