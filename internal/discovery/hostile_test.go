package discovery

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Addresses that no host can have are left out: blocking name servers answer with them,
// and a connection to 0.0.0.0 leads to this machine.
func TestUnusableAddresses(t *testing.T) {
	t.Parallel()
	f := func(want string, bodies ...dnsmessage.ResourceBody) {
		s := newNameServer(t, func(s *nameServer) {
			s.set("app.test.", 60, bodies...)
			s.set("_http._tcp.app.test.", 60, srv(0, 0, 3000, "app.test."))
		})
		byName := newTestDNS(t, s, "app.test.:3000", Resolver{})
		bySRV, err := NewSRV("_http._tcp.app.test.", Target{}, Resolver{Server: s.addr, Timeout: 15 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for kind, l := range map[string]*Lookup{"name": byName, "srv": bySRV} {
			targets, _, err := l.askOnce(t.Context())
			if got := strings.Join(addresses(targets), " "); got != want || (err == nil) != (want != "") {
				t.Errorf("%s: got %q and %v, want %q", kind, got, err, want)
			}
		}
	}
	f("", ipv4("0.0.0.0"))
	f("", ipv6("::"))
	f("", ipv4("0.0.0.0"), ipv6("::"), ipv4("255.255.255.255"), ipv4("224.0.0.1"), ipv6("ff02::1"))
	f("", ipv6("::ffff:0.0.0.0"))
	f("10.0.0.1:3000", ipv4("0.0.0.0"), ipv4("10.0.0.1"), ipv6("::"))
	f("127.0.0.1:3000", ipv4("127.0.0.1"))
}

// Port 0 is left out.
func TestPortZero(t *testing.T) {
	t.Parallel()
	s := newNameServer(t, func(s *nameServer) {
		s.set("a.test.", 60, ipv4("10.0.0.1"))
		s.set("_x._tcp.test.", 60, srv(0, 1, 0, "a.test."), srv(1, 1, 65535, "a.test."))
		s.set("_y._tcp.test.", 60, srv(0, 1, 0, "a.test."))
	})
	for name, want := range map[string]string{"_x._tcp.test.": "10.0.0.1:65535", "_y._tcp.test.": ""} {
		l, err := NewSRV(name, Target{}, Resolver{Server: s.addr, Timeout: 15 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		targets, _, err := l.askOnce(t.Context())
		if got := strings.Join(addresses(targets), " "); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q and %v, want %q", name, got, err, want)
		}
	}
}

// The records of a service can multiply: thousands of them, each with thousands of
// addresses.
func TestManyAddresses(t *testing.T) {
	t.Parallel()
	s := newNameServer(t, func(s *nameServer) {
		var records, addrs []dnsmessage.ResourceBody
		for i := range 1000 {
			addrs = append(addrs, ipv4(fmt.Sprintf("10.0.%d.%d", i/256, i%256)))
			records = append(records, srv(uint16(i), 1, uint16(i+1), "a.test."))
		}
		s.truncate = true
		s.set("a.test.", 60, addrs...)
		s.set("_x._tcp.test.", 60, records...)
	})
	l, err := NewSRV("_x._tcp.test.", Target{}, Resolver{Server: s.addr, Family: "ip4", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	targets, _, err := l.askOnce(t.Context())
	if len(targets) != maxFound || err == nil || !strings.Contains(err.Error(), "left out") {
		t.Errorf("got %d targets and %v, want %d and an error that says so", len(targets), err, maxFound)
	}
}

// Answers that are not to the question, or that cannot be read, bring no address,
// and no TTL.
func TestForgedAnswers(t *testing.T) {
	t.Parallel()
	pack := func(m *dnsmessage.Message) []byte {
		b, err := m.Pack()
		if err != nil {
			panic(err)
		}
		return b
	}
	evil := func(m *dnsmessage.Message, name string) {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 86400},
			Body:   ipv4("6.6.6.6"),
		}}
	}
	for name, forge := range map[string]func(*dnsmessage.Message) []byte{
		"another id": func(m *dnsmessage.Message) []byte { evil(m, "app.test."); m.ID++; return pack(m) },
		"another question": func(m *dnsmessage.Message) []byte {
			evil(m, "x.test.")
			m.Questions[0].Name = dnsmessage.MustNewName("x.test.")
			return pack(m)
		},
		"no question":     func(m *dnsmessage.Message) []byte { evil(m, "app.test."); m.Questions = nil; return pack(m) },
		"a query":         func(m *dnsmessage.Message) []byte { evil(m, "app.test."); m.Response = false; return pack(m) },
		"only the header": func(m *dnsmessage.Message) []byte { return pack(m)[:12] },
		"one byte":        func(m *dnsmessage.Message) []byte { return []byte{1} },
		"a pointer to itself": func(m *dnsmessage.Message) []byte {
			m.Answers = nil
			b := pack(m)
			binary.BigEndian.PutUint16(b[6:], 1) // one answer
			at := uint16(len(b))
			return append(binary.BigEndian.AppendUint16(b, 0xc000|at), 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 6, 6, 6, 6)
		},
		"65,535 answers that are not there": func(m *dnsmessage.Message) []byte {
			m.Answers = nil
			b := pack(m)
			binary.BigEndian.PutUint16(b[6:], 65535)
			return b
		},
		"a CNAME to itself": func(m *dnsmessage.Message) []byte {
			n := m.Questions[0].Name
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET, TTL: 1}, Body: &dnsmessage.CNAMEResource{CNAME: n}}}
			return pack(m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, truncate := range []bool{false, true} {
				s := newNameServer(t, func(s *nameServer) {
					s.set("app.test.", 60, ipv4("10.0.0.1"))
					s.forge = func(m *dnsmessage.Message) []byte {
						if m.Truncated {
							return pack(m)
						}
						return forge(m)
					}
					s.truncate = truncate
				})
				l := newTestDNS(t, s, "app.test.:3000", Resolver{Family: "ip4", Timeout: 600 * time.Millisecond})
				if targets, _, err := l.askOnce(t.Context()); len(targets) > 0 || err == nil {
					t.Errorf("truncated %v: got %q, want an error", truncate, addresses(targets))
				}
			}
		})
	}
}
