package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// script is a server that does the same for every request.
type script struct {
	addr        string
	connections atomic.Int64
	requests    atomic.Int64
}

// newScript answers each request with text, and then closes the connection unless keep
// is set.
func newScript(t *testing.T, text string, keep bool) *script {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{addr: ln.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			s.serve(c, text, keep)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return s
}

func (s *script) serve(c net.Conn, text string, keep bool) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		s.requests.Add(1)
		io.WriteString(c, text)
		if !keep {
			return
		}
	}
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestClientNamesFailures(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		s := newScript(t, text, false)
		c := &client{addr: s.addr, want: len("ok")}
		defer c.close()
		if got := c.do(t.Context(), http.MethodPost, "1"); got != want {
			t.Errorf("answer %q: got failure %q, want %q", text, got, want)
		}
		if n := s.requests.Load(); n != 1 {
			t.Errorf("answer %q: the request was sent %d times, want once", text, n)
		}
	}
	f(fine, "")
	f("", failedHeader)
	f("HTTP/1.1 200 OK\r\nContent-Le", failedHeader)
	f("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", failedBody)
	f("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "status 503")
	f("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes", failedForeign)
	f("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "")
}

func TestClientKeepsConnections(t *testing.T) {
	t.Parallel()
	s := newScript(t, fine, true)
	c := &client{addr: s.addr}
	defer c.close()
	for range 3 {
		if failure := c.do(t.Context(), http.MethodGet, "1"); failure != "" {
			t.Fatal(failure)
		}
	}
	if n := s.connections.Load(); n != 1 {
		t.Errorf("3 requests took %d connections, want 1", n)
	}
}

// A request on a kept connection that turns out to be closed is lost, as for every
// client without retries. The next request uses a new connection.
func TestClientNeverRetries(t *testing.T) {
	t.Parallel()
	s := newScript(t, fine, false)
	c := &client{addr: s.addr}
	defer c.close()
	for i, lost := range []bool{false, true, false} {
		if failure := c.do(t.Context(), http.MethodGet, "1"); (failure != "") != lost {
			t.Errorf("request %d: got failure %q, want a failure: %v", i, failure, lost)
		}
	}
	if n := s.requests.Load(); n != 2 {
		t.Errorf("the server read %d requests, want 2", n)
	}
}

func TestClientConnectFailure(t *testing.T) {
	t.Parallel()
	addr, err := freeAddr(loopback)
	if err != nil {
		t.Fatal(err)
	}
	if got := (&client{addr: addr}).do(t.Context(), http.MethodGet, "1"); got != failedConnect {
		t.Errorf("got %q, want %q", got, failedConnect)
	}
}

func TestClientTimeout(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		if c, err := ln.Accept(); err == nil {
			http.ReadRequest(bufio.NewReader(c))
			t.Cleanup(func() { c.Close() })
		}
	}()
	if got := (&client{addr: ln.Addr().String()}).do(ctx, http.MethodGet, "1"); got != failedTime {
		t.Errorf("got %q, want %q", got, failedTime)
	}
}
