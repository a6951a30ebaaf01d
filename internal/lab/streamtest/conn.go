package streamtest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Sizes has the numbers of bytes of successive reads, in rotation.
type Sizes struct {
	list []int
	at   int
}

// NewSizes returns sizes; an empty list means no limits.
func NewSizes(list []int) *Sizes { return &Sizes{list: list} }

func (s *Sizes) bound(p []byte) []byte {
	if len(s.list) == 0 {
		return p
	}
	n := s.list[s.at%len(s.list)]
	s.at++
	return p[:min(n, len(p))]
}

// Short is a connection whose reads return few bytes.
type Short struct {
	net.Conn
	Sizes *Sizes
}

// Read implements net.Conn.
func (c *Short) Read(p []byte) (int, error) { return c.Conn.Read(c.Sizes.bound(p)) }

// NetConn returns the underlying connection.
func (c *Short) NetConn() net.Conn { return c.Conn }

// InParts returns a reader of text that returns at most n bytes per read.
func InParts(text string, n int) io.Reader { return &parts{text, n} }

type parts struct {
	text string
	n    int
}

func (r *parts) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(r.n, len(p))], r.text)
	r.text = r.text[n:]
	return n, nil
}

// Talk lets a server read a stream, and returns its answers.
func Talk(t testing.TB, l *Listener, stream string, sizes []int) string {
	c := &script{in: stream, sizes: NewSizes(sizes), closed: make(chan struct{})}
	l.conns <- c
	select {
	case <-c.closed:
	case <-time.After(10 * time.Second):
		t.Errorf("the server goes on after the end of %q", stream)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// Listener passes the connections of [Talk] to a server.
type Listener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

// NewListener returns an open listener.
func NewListener() *Listener {
	return &Listener{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return addr }

var addr = &net.UnixAddr{Name: "streamtest", Net: "unix"}

// script is a client that has sent everything and closed its direction. It keeps the
// bytes that it receives.
type script struct {
	mu     sync.Mutex // protects in and out
	in     string
	out    bytes.Buffer
	sizes  *Sizes
	once   sync.Once
	closed chan struct{}
}

func (c *script) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in == "" {
		return 0, io.EOF
	}
	n := copy(c.sizes.bound(p), c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *script) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *script) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *script) LocalAddr() net.Addr              { return addr }
func (c *script) RemoteAddr() net.Addr             { return addr }
func (c *script) SetDeadline(time.Time) error      { return nil }
func (c *script) SetReadDeadline(time.Time) error  { return nil }
func (c *script) SetWriteDeadline(time.Time) error { return nil }
