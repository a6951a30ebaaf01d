package inbound

import (
	"net"
	"syscall"

	"github.com/goodgate/goodgate/internal/wire/socket"
)

// waiter waits for bytes without a buffer for them. It belongs to the connection's
// goroutine.
type waiter struct {
	raw     syscall.RawConn
	fd      uintptr // to read from,
	looking bool    // while fill is called
	look    func(fd uintptr) bool
	err     error

	have  int              // what count has found
	count func(fd uintptr) // nil before it is needed, as it hardly ever is
}

// newWaiter returns nil for a connection that is no socket, and on systems that cannot
// wait without a buffer. fill must read, or return socket.ErrWouldWait if it would have
// to wait.
func newWaiter(c net.Conn, fill func() error) *waiter {
	raw := socket.Raw(c)
	if raw == nil {
		return nil
	}
	s := &waiter{raw: raw}
	s.look = func(fd uintptr) bool {
		s.fd, s.looking = fd, true
		s.err = fill()
		s.looking = false
		return s.err != socket.ErrWouldWait
	}
	return s
}

// wait waits until fill has read or failed.
func (s *waiter) wait() error {
	if err := s.raw.Read(s.look); err != nil {
		return err
	}
	return s.err
}

// waitReady waits until a read would not wait.
func (s *waiter) waitReady() error { return s.raw.Read(socket.Readable) }

// waitReset waits until the connection has failed.
func (s *waiter) waitReset() error { return s.raw.Read(socket.Failed) }

// queued returns the number of bytes that have arrived but were not read; 0 = none, or
// unknown.
func (s *waiter) queued() int {
	if s.count == nil {
		s.count = func(fd uintptr) { s.have = socket.Queued(fd) }
	}
	if s.raw.Control(s.count) != nil {
		return 0
	}
	return s.have
}
