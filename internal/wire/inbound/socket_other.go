//go:build !unix

package inbound

import (
	"errors"
	"net"
	"syscall"
)

// socket is for systems on which a connection waits with its buffer.
type socket struct {
	raw     syscall.RawConn
	looking bool
}

var errNothing = errors.New("nothing to read")

func newSocket(net.Conn, func() error) *socket { return nil }

func (s *socket) wait() error              { return nil }
func (s *socket) read([]byte) (int, error) { return 0, errNothing }
func (s *socket) waitReady() error         { return nil }
func (s *socket) queued() int              { return 0 }
