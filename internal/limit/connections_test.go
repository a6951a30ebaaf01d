package limit

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

func listen(t *testing.T, c Connections) (addr string, accepted chan net.Conn, l net.Listener) {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = c.Listen(raw)
	accepted = make(chan net.Conn, 10)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	t.Cleanup(func() { l.Close() })
	return raw.Addr().String(), accepted, l
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestMaxConnections checks that a connection over the limit waits until another ends.
func TestMaxConnections(t *testing.T) {
	addr, accepted, l := listen(t, Connections{Max: 2})
	dial(t, addr)
	dial(t, addr)
	first := <-accepted
	<-accepted
	dial(t, addr)
	select {
	case <-accepted:
		t.Fatal("a third connection was accepted")
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	first.Close() // returns only one place
	<-accepted
	dial(t, addr)
	select {
	case <-accepted:
		t.Fatal("a connection that was closed twice made room for two")
	case <-time.After(50 * time.Millisecond):
	}
	l.Close()
	if _, open := <-accepted; open {
		t.Error("Accept did not return when the listener closed")
	}
}

// TestRoom checks that listeners share a room, and that a listener waiting for it can
// be closed.
func TestRoom(t *testing.T) {
	var full atomic.Int64
	room := NewRoom(3, func(begins bool) {
		if begins {
			full.Add(1)
		}
	})
	first, ones, _ := listen(t, Connections{Room: room})
	second, others, l := listen(t, Connections{Room: room}) // each listener waits for a connection and already holds a place
	dial(t, first)
	one := <-ones // and takes the last place for the next connection
	if got := full.Load(); got != 0 {
		t.Errorf("told %d times that it is full, want 0", got)
	}
	dial(t, first)
	two := <-ones
	dial(t, first)
	dial(t, second)
	<-others
	select {
	case <-ones:
		t.Fatal("more were accepted than there is room for")
	case <-time.After(50 * time.Millisecond):
	}
	if got := full.Load(); got != 2 {
		t.Errorf("told %d times that it is full, want 2", got)
	}
	one.Close()
	two.Close() // either listener may get the places
	l.Close()
	if _, open := <-others; open {
		t.Error("Accept did not return when the listener closed")
	}
	<-ones
}

// TestConnectionsPerClient checks that a client's connection over the limit is reset,
// and that another is accepted after one has ended.
func TestConnectionsPerClient(t *testing.T) {
	var refused atomic.Int64
	addr, accepted, _ := listen(t, Connections{PerClient: 1, Refused: func(net.Addr) { refused.Add(1) }})
	dial(t, addr)
	one := <-accepted
	if second, err := net.Dial("tcp", addr); err == nil { // the reset may arrive before Dial returns
		defer second.Close()
		if _, err := second.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("the second connection: got %v, want a reset", err)
		}
	}
	one.Close()
	dial(t, addr)
	<-accepted
	if got := refused.Load(); got != 1 {
		t.Errorf("%d were refused, want 1", got)
	}
}

// TestConnectionsForAnotherClient checks that a connection on behalf of another client counts
// for that client once it is known, and that its place is returned once.
func TestConnectionsForAnotherClient(t *testing.T) {
	addr, accepted, _ := listen(t, Connections{PerClient: 1, Foreign: func(net.Addr) bool { return true }})
	one, two := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 1}
	next := func() net.Conn {
		dial(t, addr)
		return <-accepted
	}
	first := next()
	for i, step := range []struct {
		client net.Addr
		want   bool
	}{{one, true}, {one, false}, {two, true}, {two, false}, {&net.UnixAddr{Name: "x"}, true}} {
		c := first
		if i > 0 {
			c = next()
		}
		if got := CountFor(c, step.client); got != step.want {
			t.Errorf("connection %d, of %s: let in %t, want %t", i, step.client, got, step.want)
		}
	}
	if !CountFor(first, two) {
		t.Error("a connection counted for a second client")
	}
	first.Close()
	first.Close()
	if !CountFor(next(), one) {
		t.Error("the end of a connection made no room")
	}
	if c := next(); CountFor(c, one) {
		t.Error("closing a connection twice made room for two")
	}
	late := next()
	late.Close()
	if !CountFor(late, one) { // it is closed and holds no place
		t.Error("a connection that has ended was refused")
	}
}

func TestNoLimitsNoWrapper(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := (Connections{}).Listen(l); got != l {
		t.Error("a listener without bounds is wrapped")
	}
}

// TestHalfClose checks that a bounded connection can shut down its sending side.
func TestHalfClose(t *testing.T) {
	addr, accepted, _ := listen(t, Connections{Max: 1})
	c := dial(t, addr)
	server := <-accepted
	server.(interface{ CloseWrite() error }).CloseWrite()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("got %v, want the end", err)
	}
	c.Write([]byte("x"))
	if n, err := server.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("after it: read %d, %v", n, err)
	}
}
