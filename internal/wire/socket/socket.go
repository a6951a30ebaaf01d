// Package socket asks the sockets below connections what the net package does not,
// and reads and writes them without waiting.
//
// Its functions keep nothing. Those that take a file descriptor are for the functions
// that a [syscall.RawConn] calls with it, and as safe for concurrent use as that is.
// Where a system cannot tell, the answer is that nothing is known; where none can be
// asked, [Raw] returns nil.
package socket

import (
	"errors"
	"net"
	"time"
)

// ErrWouldWait says that nothing can be read, or written, without waiting.
var ErrWouldWait = errors.New("nothing can be done without waiting")

// LingerBytes bounds what is taken from a client that goes on sending after an
// answer. A client that is reset instead may not see that (RFC 9112, section 9.6).
const LingerBytes = 16 << 20

// TCP is what the kernel knows of a connection.
type TCP struct {
	Acked     uint64 // bytes that the other side's TCP has acknowledged, its SYN being one
	Closed    bool   // after a RST, unless this side has closed it
	RoundTrip time.Duration
	Waiting   bool // for the other side's TCP to acknowledge what was sent
}

// Below returns the connection below all that wrap it, such as TLS.
func Below(c net.Conn) net.Conn {
	for {
		outer, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = outer.NetConn()
	}
}

// Write writes what is in a and then in b, in one call if it can be, and takes off
// what was written.
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
