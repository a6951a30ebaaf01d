//go:build unix

package inbound

import (
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket waits for bytes without a buffer to take them. It belongs to the
// connection's goroutine.
type socket struct {
	raw     syscall.RawConn
	fd      int  // to read from,
	looking bool // while fill is called
	look    func(fd uintptr) bool
	err     error

	have  int                   // what count has found
	count func(fd uintptr)      // nil before it is needed, as it hardly ever is,
	peek  func(fd uintptr) bool // and so
}

// errNothing says that there is nothing to be read yet.
var errNothing = errors.New("nothing to read")

// newSocket returns nil for a connection that is no socket. fill is to read, and
// return errNothing if that cannot be done without waiting.
func newSocket(c net.Conn, fill func() error) *socket {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.look = func(fd uintptr) bool {
		s.fd, s.looking = int(fd), true
		s.err = fill()
		s.looking = false
		return s.err != errNothing
	}
	return s
}

// wait waits until fill has read or failed.
func (s *socket) wait() error {
	if err := s.raw.Read(s.look); err != nil {
		return err
	}
	return s.err
}

// read reads what is there.
func (s *socket) read(p []byte) (int, error) {
	for {
		n, err := unix.Read(s.fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, errNothing
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// waitReady waits until a read would not wait.
func (s *socket) waitReady() error {
	if s.peek == nil {
		s.peek = func(fd uintptr) bool { return readable(int(fd)) }
	}
	return s.raw.Read(s.peek)
}

// queued returns how many bytes have come that were not read; 0 = none, or that is
// not known.
func (s *socket) queued() int {
	if s.count == nil {
		s.count = func(fd uintptr) { s.have = queued(int(fd)) }
	}
	if s.raw.Control(s.count) != nil {
		return 0
	}
	return s.have
}

// readable reports whether a read would not wait.
func readable(fd int) bool {
	var next [1]byte
	for {
		_, _, err := unix.Recvfrom(fd, next[:], unix.MSG_PEEK)
		if err != unix.EINTR {
			return err != unix.EAGAIN
		}
	}
}
