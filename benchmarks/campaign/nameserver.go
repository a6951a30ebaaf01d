package main

import (
	"net"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// backendName is the name of the backends in some cases.
const backendName = "app.campaign.test"

// nameTTL is the TTL of an answer, in seconds.
const nameTTL = 1

// nameServer answers every question for addresses with its present list. It is safe for
// concurrent use.
type nameServer struct {
	addr string
	conn net.PacketConn
	ends sync.WaitGroup

	mu    sync.Mutex // protects addrs
	addrs []netip.Addr
}

func newNameServer() (*nameServer, error) {
	conn, err := net.ListenPacket("udp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return nil, err
	}
	s := &nameServer{addr: conn.LocalAddr().String(), conn: conn}
	s.ends.Go(s.serve)
	return s, nil
}

func (s *nameServer) stop() {
	s.conn.Close()
	s.ends.Wait()
}

// add adds an address to the answers, remove removes it.
func (s *nameServer) add(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addrs = append(s.addrs, a)
}

func (s *nameServer) remove(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addrs = slices.DeleteFunc(s.addrs, func(b netip.Addr) bool { return a == b })
}

func (s *nameServer) serve() {
	buf := make([]byte, 4096)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply := s.answer(buf[:n]); reply != nil {
			s.conn.WriteTo(reply, from)
		}
	}
}

// answer returns the reply to a question, nil for anything else.
func (s *nameServer) answer(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || m.Response || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.RecursionAvailable, m.Additionals = true, true, true, nil
	if q.Type == dnsmessage.TypeA {
		s.mu.Lock()
		for _, a := range s.addrs {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: nameTTL},
				Body:   &dnsmessage.AResource{A: a.As4()},
			})
		}
		s.mu.Unlock()
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}
