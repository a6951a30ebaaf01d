package discovery

import (
	"cmp"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// newTestDNS returns a source for addr that queries s. Its default timeout is generous,
// so that a busy machine causes no failure.
func newTestDNS(t *testing.T, s *nameServer, addr string, options Resolver) *Lookup {
	t.Helper()
	options.Server = s.addr
	options.Timeout = cmp.Or(options.Timeout, 15*time.Second)
	l, err := NewDNS(Target{Addr: addr, Weight: 3, TLS: true}, options)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestDNSAddressesAndTTL(t *testing.T) {
	t.Parallel()
	f := func(name string, prepare func(*nameServer), options Resolver, wantTTL time.Duration, wantAddrs ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newNameServer(t, prepare)
			targets, ttl, err := newTestDNS(t, s, "app.test.:3000", options).askOnce(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := addresses(targets); !slices.Equal(got, wantAddrs) || ttl != wantTTL {
				t.Errorf("got %q for %v, want %q for %v", got, ttl, wantAddrs, wantTTL)
			}
			for _, target := range targets {
				if target.Name != "app.test" || target.Weight != 3 || !target.TLS {
					t.Errorf("got %+v, want name app.test and the rest as given", target)
				}
			}
		})
	}
	f("A", func(s *nameServer) { s.set("app.test.", 42, ipv4("10.0.0.1")) }, Resolver{}, 42*time.Second, "10.0.0.1:3000")
	both := func(s *nameServer) {
		s.set("app.test.", 42, ipv6("2001:db8::1"), ipv4("10.0.0.2"), ipv4("10.0.0.1"), ipv4("10.0.0.2"))
	}
	f("sorted and unique", both, Resolver{}, 42*time.Second, "10.0.0.1:3000", "10.0.0.2:3000", "[2001:db8::1]:3000")
	f("IPv4 only", both, Resolver{Family: "ip4"}, 42*time.Second, "10.0.0.1:3000", "10.0.0.2:3000")
	f("IPv6 only", both, Resolver{Family: "ip6"}, 42*time.Second, "[2001:db8::1]:3000")
	f("TCP after a truncated answer", func(s *nameServer) {
		s.truncate = true
		both(s)
	}, Resolver{}, 42*time.Second, "10.0.0.1:3000", "10.0.0.2:3000", "[2001:db8::1]:3000")
	f("a lost query", func(s *nameServer) {
		s.drop = 2
		both(s)
	}, Resolver{Timeout: 2 * time.Second}, 42*time.Second, "10.0.0.1:3000", "10.0.0.2:3000", "[2001:db8::1]:3000")
	f("the smallest TTL", func(s *nameServer) {
		both(s)
		s.records["app.test."][2].Header.TTL = 7
	}, Resolver{}, 7*time.Second, "10.0.0.1:3000", "10.0.0.2:3000", "[2001:db8::1]:3000")
	f("a TTL of 0", func(s *nameServer) { s.set("app.test.", 0, ipv4("10.0.0.1")) }, Resolver{}, 0, "10.0.0.1:3000")
}

func TestDNSErrors(t *testing.T) {
	t.Parallel()
	f := func(name string, prepare func(*nameServer), check func(*net.DNSError) bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newNameServer(t, func(s *nameServer) {
				s.set("app.test.", 42, ipv4("10.0.0.1"))
				prepare(s)
			})
			targets, _, err := newTestDNS(t, s, "app.test.:80", Resolver{Timeout: 300 * time.Millisecond}).askOnce(t.Context())
			e, ok := errors.AsType[*net.DNSError](err)
			if len(targets) > 0 || !ok || !check(e) {
				t.Errorf("got %q and error %v", addresses(targets), err)
			}
		})
	}
	notFound := func(e *net.DNSError) bool { return e.IsNotFound }
	f("NXDOMAIN", func(s *nameServer) { s.set("app.test.", 0) }, notFound)
	f("no addresses", func(s *nameServer) { s.set("app.test.", 9, srv(0, 0, 80, "b.test.")) }, notFound)
	f("AAAA fails and there is no A", func(s *nameServer) {
		s.set("app.test.", 42, ipv6("2001:db8::1"))
		s.fail[dnsmessage.TypeAAAA] = true
	}, func(e *net.DNSError) bool { return e.IsTemporary && !e.IsNotFound })
	f("silence", func(s *nameServer) { s.drop = 1000 }, func(e *net.DNSError) bool { return e.IsTimeout })
}

// If a name server fails for one family, or does not answer for it, the answer for the
// other family remains (onecli/onecli#424, projectdiscovery/dnsx#842; RFC 8305, section
// 3). The error names the queried server.
func TestDNSOneFamilyFails(t *testing.T) {
	t.Parallel()
	f := func(name string, spoil func(*nameServer), wantTimeout bool, wants ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newNameServer(t, func(s *nameServer) {
				s.set("app.test.", 42, ipv4("10.0.0.1"), ipv6("2001:db8::1"))
				s.set("_http._tcp.app.test.", 60, srv(0, 1, 80, "app.test."))
				spoil(s)
			})
			options := Resolver{Server: s.addr, Timeout: time.Second}
			bySRV, err := NewSRV("_http._tcp.app.test.", Target{}, options)
			if err != nil {
				t.Fatal(err)
			}
			for kind, l := range map[string]*Lookup{"name": newTestDNS(t, s, "app.test.:80", options), "srv": bySRV} {
				targets, ttl, err := l.askOnce(t.Context())
				if got := addresses(targets); !slices.Equal(got, wants) || ttl != 42*time.Second {
					t.Errorf("%s: got %q for %v, want %q for 42s", kind, got, ttl, wants)
				}
				e, ok := errors.AsType[*net.DNSError](err)
				if _, partial := errors.AsType[*Partial](err); !partial || !ok || e.Server != s.addr || e.IsTimeout != wantTimeout {
					t.Errorf("%s: got error %v, want what is missing, and that %s was asked", kind, err, s.addr)
				}
			}
			answer, err := options.Ask(t.Context(), "app.test.")
			if err != nil || len(answer.Addrs) != 1 || answer.Missing == nil {
				t.Errorf("asked once: got %+v and %v", answer, err)
			}
		})
	}
	f("AAAA is SERVFAIL", func(s *nameServer) { s.fail[dnsmessage.TypeAAAA] = true }, false, "10.0.0.1:80")
	f("A is SERVFAIL", func(s *nameServer) { s.fail[dnsmessage.TypeA] = true }, false, "[2001:db8::1]:80")
	f("AAAA is not answered", func(s *nameServer) { s.mute = dnsmessage.TypeAAAA }, true, "10.0.0.1:80")
}

// A family that fails for a while keeps its addresses, and the other one moves.
func TestDNSFailedFamilyKeepsItsAddresses(t *testing.T) {
	t.Parallel()
	s := newNameServer(t, func(s *nameServer) { s.set("app.test.", 0, ipv4("10.0.0.1"), ipv6("2001:db8::1")) })
	l := newTestDNS(t, s, "app.test.:80", Resolver{})
	ask := func(wantErr bool, want ...string) {
		t.Helper()
		targets, _, err := l.askOnce(t.Context())
		if got := addresses(targets); !slices.Equal(got, want) || (err != nil) != wantErr {
			t.Errorf("got %q and %v, want %q", got, err, want)
		}
	}
	ask(false, "10.0.0.1:80", "[2001:db8::1]:80")
	s.failing(dnsmessage.TypeAAAA, true)
	s.set("app.test.", 0, ipv4("10.0.0.2"), ipv6("2001:db8::2"))
	ask(true, "10.0.0.2:80", "[2001:db8::1]:80")
	ask(true, "10.0.0.2:80", "[2001:db8::1]:80")
	s.failing(dnsmessage.TypeAAAA, false)
	ask(false, "10.0.0.2:80", "[2001:db8::2]:80")
}

// An error names the queried name server, not one of the system's.
func TestDNSErrorNamesTheServer(t *testing.T) {
	t.Parallel()
	s := newNameServer(t, func(s *nameServer) { s.fail[dnsmessage.TypeSRV] = true })
	bySRV, err := NewSRV("_http._tcp.app.test.", Target{}, Resolver{Server: s.addr})
	if err != nil {
		t.Fatal(err)
	}
	for kind, l := range map[string]*Lookup{"name": newTestDNS(t, s, "gone.test.:80", Resolver{}), "srv": bySRV} {
		_, _, err := l.askOnce(t.Context())
		if e, ok := errors.AsType[*net.DNSError](err); !ok || e.Server != s.addr {
			t.Errorf("%s: got %v, want that it names %s", kind, err, s.addr)
		}
	}
}

func TestDNSChangesAndFailuresOverTime(t *testing.T) {
	t.Parallel()
	s := newNameServer(t, func(s *nameServer) { s.set("app.test.", 0, ipv4("10.0.0.1")) })
	r := run(t, newTestDNS(t, s, "app.test.:80", Resolver{MinTTL: time.Millisecond, MaxTTL: 10 * time.Millisecond}))
	r.want(t, "10.0.0.1:80")
	s.set("app.test.", 0, ipv4("10.0.0.1"), ipv4("10.0.0.2"))
	r.want(t, "10.0.0.1:80", "10.0.0.2:80")
	s.set("app.test.", 0) // NXDOMAIN
	if err := <-r.errs; err == nil {
		t.Error("got no report of a name that is gone")
	}
	s.set("app.test.", 0, ipv4("10.0.0.3"))
	r.want(t, "10.0.0.3:80") // and no empty set in between
}

func TestDNSRefresh(t *testing.T) {
	t.Parallel()
	s := newNameServer(t, func(s *nameServer) { s.set("app.test.", 3600, ipv4("10.0.0.1")) })
	l := newTestDNS(t, s, "app.test.:80", Resolver{MaxTTL: time.Hour})
	r := run(t, l)
	r.want(t, "10.0.0.1:80")
	s.set("app.test.", 3600, ipv4("10.0.0.2"))
	l.Refresh()
	r.want(t, "10.0.0.2:80")
}

func TestHostsFileHasNoTTL(t *testing.T) {
	t.Parallel()
	s := newNameServer(t, func(*nameServer) {})
	targets, ttl, err := newTestDNS(t, s, "localhost:80", Resolver{Family: "ip4"}).askOnce(t.Context())
	if err != nil {
		t.Skipf("localhost is not in the hosts file: %v", err)
	}
	if got := addresses(targets); !slices.Contains(got, "127.0.0.1:80") || ttl != hostsTTL {
		t.Errorf("got %q for %v, want 127.0.0.1:80 for %v", got, ttl, hostsTTL)
	}
}

func TestDNSOfAnAddressSendsNoQuery(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{"10.0.0.1:80": "10.0.0.1:80", "[::1]:80": "[::1]:80", "[::ffff:10.0.0.1]:80": "10.0.0.1:80"} {
		l, err := NewDNS(Target{Addr: addr}, Resolver{Server: "127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, l)
		r.want(t, want)
		r.wantQuiet(t)
	}
}

func TestResolverIsValidated(t *testing.T) {
	t.Parallel()
	for _, r := range []Resolver{
		{Timeout: -1}, {MinTTL: -1}, {MinTTL: 2, MaxTTL: 1}, {Family: "ip5"}, {Server: "10.0.0.1"},
	} {
		if _, err := NewDNS(Target{Addr: "app:80"}, r); err == nil {
			t.Errorf("%+v: got no error", r)
		}
		if _, err := NewSRV("app", Target{}, r); err == nil {
			t.Errorf("%+v: got no error", r)
		}
	}
	for _, addr := range []string{"", "app", ":80", "app:"} {
		if _, err := NewDNS(Target{Addr: addr}, Resolver{}); err == nil {
			t.Errorf("address %q: got no error", addr)
		}
	}
	if _, err := NewSRV("", Target{}, Resolver{}); err == nil {
		t.Error("empty SRV name: got no error")
	}
}
