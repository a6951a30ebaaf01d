package discovery

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer is a DNS server on UDP and TCP for tests.
type nameServer struct {
	addr string

	mu       sync.Mutex // mu protects the fields below.
	records  map[string][]dnsmessage.Resource
	fail     map[dnsmessage.Type]bool         // names answered with SERVFAIL
	mute     dnsmessage.Type                  // this one is not answered
	truncate bool                             // UDP answers are truncated, to make the client use TCP
	drop     int                              // number of UDP queries without an answer
	forge    func(*dnsmessage.Message) []byte // nil = answers are as they should be
}

// newNameServer starts a name server, after prepare has set its answers.
func newNameServer(t *testing.T, prepare func(*nameServer)) *nameServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{addr: ln.Addr().String(), records: make(map[string][]dnsmessage.Resource), fail: make(map[dnsmessage.Type]bool)}
	prepare(s)
	var wg sync.WaitGroup
	wg.Go(func() { s.serveUDP(pc) })
	wg.Go(func() { s.serveTCP(ln) })
	t.Cleanup(func() {
		ln.Close()
		pc.Close()
		wg.Wait()
	})
	return s
}

// set replaces the records of name; none at all make it a name that does not exist.
func (s *nameServer) set(name string, ttl uint32, bodies ...dnsmessage.ResourceBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, name)
	for _, b := range bodies {
		h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: ttl}
		switch b.(type) {
		case *dnsmessage.AResource:
			h.Type = dnsmessage.TypeA
		case *dnsmessage.AAAAResource:
			h.Type = dnsmessage.TypeAAAA
		case *dnsmessage.SRVResource:
			h.Type = dnsmessage.TypeSRV
		}
		s.records[name] = append(s.records[name], dnsmessage.Resource{Header: h, Body: b})
	}
}

// failing sets whether a type is answered with SERVFAIL.
func (s *nameServer) failing(kind dnsmessage.Type, fails bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[kind] = fails
}

// reply returns the answer to query, nil for none.
func (s *nameServer) reply(query []byte, tcp bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	if !tcp && s.drop > 0 {
		s.drop--
		return nil
	}
	q := m.Questions[0]
	if q.Type == s.mute {
		return nil
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	found := s.records[q.Name.String()]
	switch {
	case s.fail[q.Type]:
		m.RCode = dnsmessage.RCodeServerFailure
	case len(found) == 0:
		m.RCode = dnsmessage.RCodeNameError
	case s.truncate && !tcp:
		m.Truncated = true
	default:
		m.Answers = slices.DeleteFunc(slices.Clone(found), func(r dnsmessage.Resource) bool { return r.Header.Type != q.Type })
	}
	if s.forge != nil {
		return s.forge(&m)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func (s *nameServer) serveUDP(pc net.PacketConn) {
	b := make([]byte, 4096)
	for {
		n, from, err := pc.ReadFrom(b)
		if err != nil {
			return
		}
		if r := s.reply(b[:n], false); r != nil {
			pc.WriteTo(r, from)
		}
	}
}

func (s *nameServer) serveTCP(ln net.Listener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			size := make([]byte, 2)
			if _, err := io.ReadFull(c, size); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size))
			if _, err := io.ReadFull(c, query); err != nil {
				return
			}
			r := s.reply(query, true)
			r = append(binary.BigEndian.AppendUint16(nil, uint16(len(r))), r...)
			for piece := range slices.Chunk(r, 7) {
				c.Write(piece)
			}
		})
	}
}

func ipv4(s string) *dnsmessage.AResource {
	return &dnsmessage.AResource{A: netip.MustParseAddr(s).As4()}
}

func ipv6(s string) *dnsmessage.AAAAResource {
	return &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(s).As16()}
}

func srv(priority, weight, port uint16, target string) *dnsmessage.SRVResource {
	return &dnsmessage.SRVResource{Priority: priority, Weight: weight, Port: port, Target: dnsmessage.MustNewName(target)}
}
