package e2e_test

import (
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer knows one address for every name, or none.
type nameServer struct {
	address string

	mu sync.Mutex // protects ip
	ip string     // "" = there is no such name
}

func startNameServer(t *testing.T, ip string) *nameServer {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{address: pc.LocalAddr().String(), ip: ip}
	var wg sync.WaitGroup
	wg.Go(func() { s.serve(pc) })
	t.Cleanup(func() {
		pc.Close()
		wg.Wait()
	})
	return s
}

func (s *nameServer) set(ip string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ip = ip
}

func (s *nameServer) serve(pc net.PacketConn) {
	b := make([]byte, 4096)
	for {
		n, from, err := pc.ReadFrom(b)
		if err != nil {
			return
		}
		if answer := s.answer(b[:n]); answer != nil {
			pc.WriteTo(answer, from)
		}
	}
}

// answer returns the reply to a query, nil for none.
func (s *nameServer) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	s.mu.Lock()
	ip := s.ip
	s.mu.Unlock()
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	switch {
	case ip == "":
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(ip).As4()},
		}}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}
