package discovery

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestSRV(t *testing.T) {
	t.Parallel()
	const name = "_http._tcp.app.test."
	f := func(title string, prepare func(*nameServer), wantErr bool, want ...Target) {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := newNameServer(t, func(s *nameServer) {
				s.set("a.test.", 60, ipv4("10.0.0.1"))
				s.set("b.test.", 30, ipv4("10.0.0.2"), ipv6("2001:db8::2"))
				prepare(s)
			})
			l, err := NewSRV(name, Target{MaxInFlight: 5}, Resolver{Server: s.addr, Timeout: 15 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			got, ttl, err := l.askOnce(t.Context())
			if (err != nil) != wantErr {
				t.Errorf("got error %v, want one: %v", err, wantErr)
			}
			for i := range want {
				want[i].MaxInFlight = 5
			}
			if !slices.Equal(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if len(want) == 3 && ttl != 20*time.Second {
				t.Errorf("got ttl %v, want 20s, that of the SRV records", ttl)
			}
		})
	}
	f("tiers by rank, ports, weights", func(s *nameServer) {
		s.set(name, 20, srv(50, 0, 8080, "a.test."), srv(10, 7, 80, "b.test."))
	}, false,
		Target{Addr: "10.0.0.2:80", Name: "b.test", Weight: 7},
		Target{Addr: "[2001:db8::2]:80", Name: "b.test", Weight: 7},
		Target{Addr: "10.0.0.1:8080", Name: "a.test", Weight: 1, Tier: 1})
	f("one target does not exist", func(s *nameServer) {
		s.set(name, 20, srv(0, 1, 80, "a.test."), srv(0, 1, 80, "gone.test."))
	}, true, Target{Addr: "10.0.0.1:80", Name: "a.test", Weight: 1})
	f("one of two targets fails", func(s *nameServer) {
		s.set(name, 20, srv(0, 1, 80, "a.test."), srv(0, 1, 80, "b.test."))
		s.fail[dnsmessage.TypeA] = true
	}, true, Target{Addr: "[2001:db8::2]:80", Name: "b.test", Weight: 1})
	f("one target fails", func(s *nameServer) {
		s.set(name, 20, srv(0, 1, 80, "a.test."))
		s.fail[dnsmessage.TypeA] = true
	}, true)
	f("no such service", func(s *nameServer) { s.set(name, 20, srv(0, 0, 0, ".")) }, true)
	f("no such name", func(*nameServer) {}, true)
}

func TestSRVNotFoundIsADNSError(t *testing.T) {
	t.Parallel()
	s := newNameServer(t, func(*nameServer) {})
	l, _ := NewSRV("_http._tcp.app.test.", Target{}, Resolver{Server: s.addr})
	_, _, err := l.askOnce(t.Context())
	if e, ok := errors.AsType[*net.DNSError](err); !ok || !e.IsNotFound {
		t.Errorf("got %v, want a DNSError with IsNotFound", err)
	}
}

func TestRankDoesNotDependOnTheOrder(t *testing.T) {
	t.Parallel()
	records := []*net.SRV{
		{Target: "a.", Port: 1, Priority: 1, Weight: 65535}, {Target: "b.", Port: 1, Priority: 1, Weight: 6553},
		{Target: "b.", Port: 2, Priority: 1, Weight: 1}, {Target: "c.", Port: 1, Priority: 9, Weight: 20},
		{Target: "d.", Port: 1, Priority: 9, Weight: 10}, {Target: ".", Priority: 0},
	}
	want := []service{
		{"a.", "1", 0, 1000}, {"b.", "1", 0, 100}, {"b.", "2", 0, 1}, {"c.", "1", 1, 20}, {"d.", "1", 1, 10},
	}
	for range len(records) {
		if got := rank(records); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		records = append(records[1:], records[0])
	}
}
