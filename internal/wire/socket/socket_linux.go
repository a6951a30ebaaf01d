package socket

import (
	"time"

	"golang.org/x/sys/unix"
)

// tcpClose is TCP_CLOSE of the kernel's tcp_states.h.
const tcpClose = 7

// Queued returns the number of received bytes that were not read; 0 = none or unknown.
func Queued(fd uintptr) int {
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// AskTCP returns the kernel's state of a TCP connection; false if it is unknown.
func AskTCP(fd uintptr) (TCP, bool) {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return TCP{}, false
	}
	return TCP{
		Acked:     info.Bytes_acked,
		Closed:    info.State == tcpClose,
		RoundTrip: time.Duration(info.Rtt) * time.Microsecond,
		Waiting:   info.Unacked > 0,
	}, true
}
