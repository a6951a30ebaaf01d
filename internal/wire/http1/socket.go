package http1

import (
	"net"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/wire/socket"
)

// probe looks at a connection's socket without waiting. It is for an idle connection and
// not safe for concurrent use. On systems that cannot look at sockets, a call finds a
// closed connection when it uses it.
type probe struct {
	raw   syscall.RawConn
	tcp   bool // plain TCP, without TLS
	look  func(fd uintptr)
	still bool // result of look
	ask   asking
}

// newProbe returns nil if the connection is no socket.
func newProbe(c net.Conn, plain bool) *probe {
	raw := socket.Raw(c)
	if raw == nil {
		return nil
	}
	s := &probe{raw: raw}
	if t, ok := c.(*net.TCPConn); ok && plain {
		multi, err := t.MultipathTCP()
		s.tcp = err == nil && !multi
	}
	s.look = func(fd uintptr) { s.still = socket.Quiet(fd) }
	s.ask.step = s.ask.next
	return s
}

// socket returns the socket, nil if there is none.
func (s *probe) socket() *syscall.RawConn {
	if s == nil {
		return nil
	}
	return &s.raw
}

// quiet reports whether there is nothing to read: neither bytes nor the end.
func (s *probe) quiet() bool {
	return s == nil || s.raw.Control(s.look) == nil && s.still
}

// acked returns how many bytes the other side's TCP has acknowledged; its SYN counts as
// one (tcpEStatsAppHCThruOctetsAcked of RFC 4898). It returns 0 where that would say
// nothing about the request: over anything but plain TCP.
func (s *probe) acked() uint64 {
	tcp, _ := s.info()
	return tcp.Acked
}

// maxRefusal bounds the wait for a RST.
const maxRefusal = 100 * time.Millisecond

// refused reports whether the other side answered the bytes after the first acked ones
// with RST, and acknowledged none of them. The answer takes a round trip.
func (s *probe) refused(acked uint64) bool {
	began := time.Now()
	for pause := 100 * time.Microsecond; ; pause *= 2 {
		tcp, ok := s.info()
		switch {
		case !ok || tcp.Acked > acked:
			return false
		case tcp.Closed:
			return true
		}
		if time.Since(began) > min(2*tcp.RoundTrip+maxRefusal/10, maxRefusal) {
			return false
		}
		time.Sleep(pause)
	}
}

func (s *probe) info() (tcp socket.TCP, ok bool) {
	if s == nil || !s.tcp {
		return tcp, false
	}
	err := s.raw.Control(func(fd uintptr) { tcp, ok = socket.AskTCP(fd) })
	return tcp, ok && err == nil
}
