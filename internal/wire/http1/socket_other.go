//go:build !unix

package http1

import (
	"net"
	"syscall"
)

// socket looks at a connection's socket without waiting, which is not possible
// here: a connection that has ended is found when it is used.
type socket struct{ raw syscall.RawConn }

func newSocket(net.Conn, bool) *socket { return nil }

func (s *socket) quiet() bool { return true }

// direct reports that nothing is moved without being copied.
func (c *conn) direct() bool { return false }

func (s *socket) writeAndWait([]byte) (asked, int, error) { return notAsked, 0, nil }
