//go:build unix

package http1

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket looks at a connection's socket without waiting. It is for an idle
// connection: not safe for concurrent use.
type socket struct {
	raw  syscall.RawConn
	tcp  bool // and not below TLS
	poll func(fd uintptr)
	fds  [1]unix.PollFd
	n    int
	err  error
	ask  asking
}

// newSocket returns nil for a connection that is none.
func newSocket(c net.Conn, plain bool) *socket {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	if t, ok := c.(*net.TCPConn); ok && plain {
		multi, err := t.MultipathTCP()
		s.tcp = err == nil && !multi
	}
	s.poll = func(fd uintptr) {
		s.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		s.n, s.err = unix.Poll(s.fds[:], 0)
	}
	s.ask.step = s.ask.next
	return s
}

// direct reports whether what is read of the connection is what comes from its
// socket.
func (c *conn) direct() bool { return c.sock != nil && c.nc == c.raw }

// quiet reports whether there is nothing to read, neither bytes nor the end.
func (s *socket) quiet() bool {
	if s == nil {
		return true
	}
	if err := s.raw.Control(s.poll); err != nil {
		return false
	}
	return s.n == 0 && s.err == nil
}
