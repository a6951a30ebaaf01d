package inbound

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// preface begins a connection of HTTP/2 (RFC 9113, section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// isPreface reports whether a connection begins with the preface. It waits until the
// bytes decide.
func isPreface(br *bufio.Reader) bool {
	for n := 1; ; n++ {
		n = max(n, min(br.Buffered(), len(preface)))
		have, err := br.Peek(n)
		if err != nil || !strings.HasPrefix(preface, string(have)) {
			return false
		}
		if n == len(preface) {
			return true
		}
	}
}

// handoff is the listener from which an http.Server accepts the connections that speak
// HTTP/2.
type handoff struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handoff) Addr() net.Addr { return &net.UnixAddr{Name: "handoff", Net: "unix"} }

// Close makes Accept return. The handoff then refuses connections.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// hand passes a connection to the HTTP/2 server, and reports whether that has taken it.
func (s *Server) hand(c net.Conn) bool {
	if s.handoff == nil {
		return false
	}
	select {
	case s.handoff.conns <- c:
		return true
	case <-s.handoff.closed:
		return false
	}
}

// serveHTTP2 starts the HTTP/2 server.
func (s *Server) serveHTTP2() {
	h2 := s.opts.HTTP2
	s.h2c = h2.Protocols != nil && h2.Protocols.UnencryptedHTTP2()
	s.handoff = &handoff{conns: make(chan net.Conn), closed: make(chan struct{})}
	h2.BaseContext = func(net.Listener) context.Context { return s.base }
	h2.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			s.state(c, state)
		}
	}
	s.running.Go(func() { h2.Serve(s.handoff) })
}

// release passes the connection to the handler that hijacks it.
func (c *conn) release() net.Conn {
	c.watch.stop()
	c.flush(nil)
	c.rd.Off()
	c.wr.Off()
	c.gone = true
	c.s.state(c.raw, http.StateHijacked)
	return c.rest()
}

// rest returns the connection, preceded by its bytes that were read but not used.
func (c *conn) rest() net.Conn {
	nc := c.nc
	if c.tls == nil {
		nc = c.raw
	}
	var early []byte
	if c.br != nil {
		early, _ = c.br.Peek(c.br.Buffered())
	}
	if c.ahead {
		early = append(slices.Clone(early), c.next[0])
	}
	if len(early) == 0 {
		return nc
	}
	return &earlyConn{nc, slices.Clone(early)}
}

// earlyConn is a connection whose first bytes have been read already.
type earlyConn struct {
	net.Conn
	early []byte
}

func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite shuts down the sending side.
func (c *earlyConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
