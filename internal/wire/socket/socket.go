// Package socket reads facts about sockets that the net package does not provide, and
// reads and writes without waiting.
//
// Its functions have no state. Those with a file descriptor are for use in the
// functions that a [syscall.RawConn] calls, and are as safe for concurrent use as that.
// If a system does not provide a fact, the result means unknown. If it provides no
// sockets, [Raw] returns nil.
package socket

import (
	"errors"
	"net"
	"time"
)

// ErrWouldWait means that a read or write would have to wait.
var ErrWouldWait = errors.New("nothing can be done without waiting")

// LingerBytes bounds the bytes read from a client that continues to send after an
// answer. A client that gets a reset instead may miss the answer (RFC 9112, section
// 9.6).
const LingerBytes = 16 << 20

// TCP is the kernel's state of a connection.
type TCP struct {
	Acked     uint64 // bytes that the peer's TCP has acknowledged, including the SYN
	Closed    bool   // after a RST, unless this side has closed it
	RoundTrip time.Duration
	Waiting   bool // sent bytes are not yet acknowledged by the peer's TCP
}

// Below returns the connection below all wrappers, such as TLS.
func Below(c net.Conn) net.Conn {
	for {
		outer, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = outer.NetConn()
	}
}

// Write writes a and then b, in one call if possible, and removes the written bytes
// from them.
func Write(c net.Conn, a, b *[]byte) (int64, error) {
	if len(*a) > 0 && len(*b) > 0 {
		both := net.Buffers{*a, *b}
		n, err := both.WriteTo(c)
		fromA := min(n, int64(len(*a)))
		*a, *b = (*a)[fromA:], (*b)[n-fromA:]
		return n, err
	}
	if len(*a) == 0 {
		a = b
	}
	n, err := c.Write(*a)
	*a = (*a)[n:]
	return int64(n), err
}
