package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// far returns a network with a delay, or skips the test if that is not possible.
func far(t *testing.T, w wire) *network {
	t.Helper()
	n, err := newNetwork(w, loopback)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(n.stop)
	return n
}

func TestFarNetworkDelays(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	n := far(t, wire{delay: delay})
	t.Log("by", n.means)
	var ln net.Listener
	var err error
	n.far.do(func() { ln, err = net.Listen("tcp", net.JoinHostPort(n.far.ip, "0")) })
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if c, err := ln.Accept(); err == nil {
			http.ReadRequest(bufio.NewReader(c))
			c.Write([]byte(fine))
			c.Close()
		}
	}()
	c := &client{at: n.near, addr: ln.Addr().String()}
	defer c.close()
	began := time.Now()
	if failure := c.do(t.Context(), http.MethodGet, "1"); failure != "" {
		t.Fatal(failure)
	}
	if took := time.Since(began); took < 4*delay { // the round trips of the connection and of the request
		t.Errorf("a request took %v over a wire of %v each way, want at least %v", took, delay, 4*delay)
	}
}

func TestFarNetworkLoses(t *testing.T) {
	t.Parallel()
	n := far(t, wire{delay: time.Millisecond, loss: 1})
	var err error
	n.near.do(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err = (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(n.far.ip, "9"))
	})
	if e, ok := err.(net.Error); !ok || !e.Timeout() {
		t.Errorf("a wire that loses everything: got %v, want a timeout", err)
	}
}

func TestNameServer(t *testing.T) {
	t.Parallel()
	s, err := newNameServer()
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.addr)
	}}
	f := func(want ...string) {
		t.Helper()
		got, _ := r.LookupHost(t.Context(), backendName)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	a, b := netip.MustParseAddr("127.0.1.1"), netip.MustParseAddr("127.0.1.2")
	s.add(a)
	f("127.0.1.1")
	s.add(b)
	f("127.0.1.1", "127.0.1.2")
	s.remove(a)
	f("127.0.1.2")
}
