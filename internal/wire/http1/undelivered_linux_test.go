package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
)

// hookedConn calls a hook before its second write.
type hookedConn struct {
	net.Conn
	hook   func()
	writes int
}

func (c *hookedConn) NetConn() net.Conn { return c.Conn }

func (c *hookedConn) Write(p []byte) (int, error) {
	c.writes++
	if c.writes == 2 {
		c.hook()
	}
	return c.Conn.Write(p)
}

// TestUndelivered has the upstream close a connection between its check and the write of
// the second request, or after it has read that request.
func TestUndelivered(t *testing.T) {
	t.Parallel()
	f := func(name string, before, after func(*net.TCPConn), undelivered bool, kind Kind) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writing, closed := make(chan struct{}), make(chan struct{})
			addr := serveRaw(t, func(c *net.TCPConn) {
				br := bufio.NewReader(c)
				readRequest(br)
				io.WriteString(c, okResponse)
				<-writing
				before(c)
				close(closed)
				if _, _, err := readRequest(br); err == nil {
					after(c)
				}
			})
			tr := transport(t, addr, func(o *Options) {
				o.Dial = func(ctx context.Context) (net.Conn, error) {
					c, err := dialer(addr)(ctx)
					return &hookedConn{Conn: c, hook: func() {
						close(writing)
						<-closed
					}}, err
				}
			})
			get(t, tr, nil)
			var x Call
			_, err := tr.RoundTrip(request(t, "POST", "hello"), &x)
			if e, ok := errors.AsType[*Error](err); !ok || e.Kind != kind {
				t.Errorf("got %v, want %v", err, kind)
			}
			if !x.Reused || !x.Sent() || x.Received() != 0 || x.Undelivered != undelivered {
				t.Errorf("got %s, want undelivered %t", describe(&x), undelivered)
			}
		})
	}
	nothing := func(*net.TCPConn) {}
	f("closed before", fin, nothing, true, Closed)
	f("closed after it was read", nothing, fin, false, Closed)
	f("reset after it was read", nothing, rst, false, Reset)
	f("half closed before", func(c *net.TCPConn) { c.CloseWrite() }, nothing, false, Closed)
}

// TestNewConnectionHasAcknowledgedItsSYN checks the count from which the proof starts. If
// it is 0, the kernel does not report it.
func TestNewConnectionHasAcknowledgedItsSYN(t *testing.T) {
	t.Parallel()
	addr := serveRaw(t, answer(okResponse))
	tr := transport(t, addr)
	nc, err := dialer(addr)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if c := newConn(tr, nc); c.ackBase != 1 {
		t.Errorf("got %d, want 1", c.ackBase)
	}
}
