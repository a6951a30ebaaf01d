package dns01

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// server is a name server of one zone, on UDP and TCP, which takes updates.
type server struct {
	t       *testing.T
	address string
	zone    string
	keys    []*key // that it accepts; none = updates without a signature

	mu      sync.Mutex // protects the fields below
	txt     map[string][]string
	cnames  map[string]string
	hides   int // questions for TXT that it still answers with nothing
	refuses dnsmessage.RCode
	log     []string // updates
}

func newServer(t *testing.T, zone string, keys ...*key) *server {
	t.Helper()
	s := &server{t: t, zone: zone, keys: keys, txt: map[string][]string{}, cnames: map[string]string{}}
	var l net.Listener
	var pc net.PacketConn
	for range 100 { // the same port for both
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if pc, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			break
		}
		l.Close()
	}
	s.address = l.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() { s.overUDP(pc) })
	wg.Go(func() { s.overTCP(l) })
	t.Cleanup(func() {
		l.Close()
		pc.Close()
		wg.Wait()
	})
	return s
}

func (s *server) overUDP(pc net.PacketConn) {
	b := make([]byte, 4096)
	for {
		n, from, err := pc.ReadFrom(b)
		if err != nil {
			return
		}
		pc.WriteTo(s.answer(slices.Clone(b[:n]), "udp"), from)
	}
}

func (s *server) overTCP(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		var size [2]byte
		io.ReadFull(c, size[:])
		b := make([]byte, binary.BigEndian.Uint16(size[:]))
		io.ReadFull(c, b)
		a := s.answer(b, "tcp")
		c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...))
		c.Close()
	}
}

// answer returns the answer to a message.
func (s *server) answer(b []byte, network string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil || len(m.Questions) != 1 {
		s.t.Errorf("malformed query %x: %v", b, err)
		return nil
	}
	if m.OpCode == opUpdate {
		return s.update(b, &m)
	}
	m.Response, m.Authoritative = true, true
	q := m.Questions[0]
	name := strings.ToLower(q.Name.String())
	add := func(kind dnsmessage.Type, body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: kind, Class: q.Class, TTL: 60}, Body: body})
	}
	switch target, alias := s.cnames[name]; {
	case !within(name, s.zone):
		m.RCode = dnsmessage.RCodeRefused
	case alias:
		add(dnsmessage.TypeCNAME, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(target)})
	case q.Type == dnsmessage.TypeNS && name == s.zone:
		add(q.Type, &dnsmessage.NSResource{NS: dnsmessage.MustNewName("ns." + s.zone)})
	case q.Type == dnsmessage.TypeA && name == "ns."+s.zone:
		add(q.Type, &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}})
	case q.Type == dnsmessage.TypeTXT && s.hides > 0:
		s.hides--
	case q.Type == dnsmessage.TypeTXT:
		for _, v := range s.txt[name] {
			add(q.Type, &dnsmessage.TXTResource{TXT: []string{v[:1], v[1:]}}) // one text, in two pieces
		}
		if network == "udp" && len(s.txt[name]) > 1 {
			m.Truncated, m.Answers = true, nil
		}
	case q.Type == dnsmessage.TypeSOA:
		soa := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(s.zone), Type: q.Type, Class: q.Class},
			Body: &dnsmessage.SOAResource{NS: q.Name, MBox: q.Name}}
		if m.Authorities = []dnsmessage.Resource{soa}; name != s.zone {
			m.RCode = dnsmessage.RCodeNameError
		}
	}
	packed, err := m.Pack()
	if err != nil {
		s.t.Error(err)
	}
	return packed
}

func (s *server) update(b []byte, m *dnsmessage.Message) []byte {
	a := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, OpCode: opUpdate, Response: true, RCode: s.refuses}, Questions: m.Questions}
	var with *key
	for _, k := range s.keys {
		if k.verify(b, nil, time.Now()) == nil {
			with = k
		}
	}
	switch {
	case len(s.keys) > 0 && with == nil:
		a.RCode = 9
	case !sameName(m.Questions[0].Name.String(), s.zone):
		a.RCode = 10
	case s.refuses == 0:
		s.apply(m)
	}
	packed, err := a.Pack()
	if err != nil {
		s.t.Error(err)
	}
	if with != nil {
		start, _ := lastRecord(b)
		sent, _ := parseTSIG(b, start)
		packed = signAnswer(with, packed, sent.mac)
	}
	return packed
}

// signAnswer signs the answer to a request with the given MAC.
func signAnswer(k *key, message, request []byte) []byte {
	now := time.Now()
	signed, plain := k.sign(message, now)
	mac := k.mac(request, message, signedTime(now), 0, nil)
	return []byte(strings.Replace(string(signed), string(plain), string(mac), 1))
}

func (s *server) apply(m *dnsmessage.Message) {
	for _, r := range m.Authorities {
		name, value := r.Header.Name.String(), strings.Join(r.Body.(*dnsmessage.TXTResource).TXT, "")
		if r.Header.Class == classNONE {
			s.log = append(s.log, "remove "+name+" "+value)
			s.txt[name] = slices.DeleteFunc(s.txt[name], func(v string) bool { return v == value })
		} else {
			s.log = append(s.log, "add "+name+" "+value)
			s.txt[name] = append(s.txt[name], value)
		}
	}
}

func (s *server) updates() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, ", ")
}

// set changes the server.
func (s *server) set(change func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if change != nil {
		change(s)
	}
}

// values returns the texts at a name.
func (s *server) values(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.txt[name])
}
