package main

import (
	"encoding/binary"
	"net/netip"
	"sync"
)

// sieve drops packets of a network silently. It is safe for concurrent use. A nil sieve
// drops nothing.
type sieve struct {
	mu        sync.Mutex                       // protects the fields below
	seen      map[netip.AddrPort]map[flow]bool // connections, by each of their ends
	dropped   map[netip.AddrPort]bool          // ends whose packets are dropped
	forgotten map[flow]bool                    // connections whose packets are dropped
}

// flow is a connection by its two ends, with the lesser one first.
type flow struct{ a, b netip.AddrPort }

func newSieve() *sieve {
	return &sieve{
		seen:      map[netip.AddrPort]map[flow]bool{},
		dropped:   map[netip.AddrPort]bool{},
		forgotten: map[flow]bool{},
	}
}

// drop drops all packets to and from an address, or lets them pass again.
func (s *sieve) drop(addr netip.AddrPort, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped[addr] = all
}

// forget drops the packets of an address' existing connections, like a firewall that
// has lost its state. New connections pass.
func (s *sieve) forget(addr netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.seen[addr] {
		s.forgotten[f] = true
	}
}

// passes reports whether a packet passes. Anything but TCP over IPv4 does.
func (s *sieve) passes(packet []byte) bool {
	if s == nil {
		return true
	}
	f, ok := flowOf(packet)
	if !ok {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, end := range []netip.AddrPort{f.a, f.b} {
		if s.seen[end] == nil {
			s.seen[end] = map[flow]bool{}
		}
		s.seen[end][f] = true
	}
	return !s.dropped[f.a] && !s.dropped[f.b] && !s.forgotten[f]
}

// flowOf returns the connection of a packet (RFC 791 3.1, RFC 9293 3.1).
func flowOf(packet []byte) (f flow, ok bool) {
	const headerMin, tcp = 20, 6
	if len(packet) < headerMin || packet[0]>>4 != 4 || packet[9] != tcp {
		return flow{}, false
	}
	ports := int(packet[0]&0xf) * 4
	if len(packet) < ports+4 {
		return flow{}, false
	}
	end := func(ip, port []byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip)), binary.BigEndian.Uint16(port))
	}
	f = flow{end(packet[12:16], packet[ports:ports+2]), end(packet[16:20], packet[ports+2:ports+4])}
	if f.b.Compare(f.a) < 0 {
		f.a, f.b = f.b, f.a
	}
	return f, true
}
