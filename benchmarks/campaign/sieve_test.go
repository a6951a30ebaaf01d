package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// tcpPacket returns the beginning of a TCP packet, with options in the IP header.
func tcpPacket(from, to netip.AddrPort) []byte {
	p := make([]byte, 24+4)
	p[0], p[9] = 4<<4|6, 6
	src, dst := from.Addr().As4(), to.Addr().As4()
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	binary.BigEndian.PutUint16(p[24:], from.Port())
	binary.BigEndian.PutUint16(p[26:], to.Port())
	return p
}

func TestSieve(t *testing.T) {
	t.Parallel()
	client, other := netip.MustParseAddrPort("198.18.0.1:4000"), netip.MustParseAddrPort("198.18.0.1:4001")
	a, b := netip.MustParseAddrPort("198.18.0.2:3000"), netip.MustParseAddrPort("198.18.0.2:3001")
	s := newSieve()
	f := func(says string, from, to netip.AddrPort, want bool) {
		t.Helper()
		if got := s.passes(tcpPacket(from, to)); got != want {
			t.Errorf("%s: passes is %v, want %v", says, got, want)
		}
	}
	f("nothing is dropped", client, a, true)
	f("nothing is dropped, to b", client, b, true)
	s.forget(a)
	f("a forgotten connection", client, a, false)
	f("a forgotten connection, backwards", a, client, false)
	f("a new connection to the same", other, a, true)
	f("one to another", client, b, true)
	s.drop(b, true)
	f("all of b is dropped", b, client, false)
	f("new ones too", other, b, false)
	f("a is not", other, a, true)
	s.drop(b, false)
	f("b again", client, b, true)
	for _, p := range [][]byte{nil, make([]byte, 40), tcpPacket(client, a)[:24]} {
		if !s.passes(p) {
			t.Errorf("% x is no TCP over IPv4 that could be read, and should pass", p)
		}
	}
}

// TestSieveForgetsConnections drops the packets of a connection in a real network, so that a
// case cannot pass because nothing is dropped.
func TestSieveForgetsConnections(t *testing.T) {
	t.Parallel()
	n := far(t, wire{drops: true})
	var ln net.Listener
	var err error
	n.far.do(func() { ln, err = net.Listen("tcp", net.JoinHostPort(n.far.ip, "0")) })
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewReader(c); ; {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					c.Write([]byte(fine))
				}
			}()
		}
	}()
	c := &client{at: n.near, addr: ln.Addr().String()}
	defer c.close()
	if failure := c.do(t.Context(), http.MethodGet, "1"); failure != "" {
		t.Fatal(failure)
	}
	n.sieve.forget(netip.MustParseAddrPort(c.addr))
	c.patience = 300 * time.Millisecond
	if failure := c.do(t.Context(), http.MethodGet, "2"); failure != failedTime {
		t.Errorf("on a forgotten connection: got %q, want %q", failure, failedTime)
	}
	c.patience = 0
	if failure := c.do(t.Context(), http.MethodGet, "3"); failure != "" {
		t.Errorf("on a new connection: got %q", failure)
	}
	n.sieve.drop(netip.MustParseAddrPort(c.addr), true)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if conn, err := c.dial(ctx); err == nil {
		conn.Close()
		t.Error("a connection to an address that is dropped")
	}
}
