package discovery

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// NewDNS returns a source of all addresses of a host name. t.Addr is "host:port"; every
// target is t with an address in place of the host, and the host as Name. A host that
// is an address needs no lookup.
//
// A name that does not exist, or has no addresses, counts as a failure, which keeps the
// last good set. If the name servers answer only for one family, A or AAAA, that answer
// counts, and the other family keeps its last good addresses.
func NewDNS(t Target, options Resolver) (*Lookup, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(t.Addr)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("dns upstream %q: expected host:port", t.Addr)
	}
	l := newLookup(host, options)
	if addr, err := netip.ParseAddr(host); err == nil {
		t.Addr = net.JoinHostPort(addr.Unmap().String(), port)
		l.ask = func(context.Context) ([]Target, time.Duration, error) {
			return []Target{t}, options.MaxTTL, nil
		}
		return l, nil
	}
	t.Name = strings.TrimSuffix(host, ".")
	var known addressBook
	l.ask = func(ctx context.Context) ([]Target, time.Duration, error) {
		s := options.newSession(known)
		addrs, err := s.addrs(ctx, host)
		known = s.found
		return s.at(t, addrs, port), s.validity(), err
	}
	return l, nil
}

// at returns t with each of addrs, which are sorted.
func (s *session) at(t Target, addrs []netip.Addr, port string) []Target {
	if s.options.Pair && len(addrs) == 2 && addrs[0].Is4() && addrs[1].Is6() {
		t.Addr, t.Other = net.JoinHostPort(addrs[0].String(), port), net.JoinHostPort(addrs[1].String(), port)
		return []Target{t}
	}
	targets := make([]Target, 0, len(addrs))
	for _, a := range addrs {
		t.Addr = net.JoinHostPort(a.String(), port)
		targets = append(targets, t)
	}
	return targets
}
