package config

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// OwnListener returns the index of the listener that an upstream's URL leads to, -1 for
// none: its requests would return. The only name that it knows is localhost. The
// addresses of other names are unknown until they are looked up.
func OwnListener(listeners []Listener, url string) int {
	path, isSocket := strings.CutPrefix(url, unixPrefix)
	scheme, address, _ := strings.Cut(url, "://")
	host, port, err := net.SplitHostPort(strings.TrimRight(address, "/"))
	if err != nil {
		host, port = strings.Trim(strings.TrimRight(address, "/"), "[]"), map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return slices.IndexFunc(listeners, func(l Listener) bool {
		network, at := l.Network()
		switch {
		case network == "unix":
			return isSocket && path == at
		case network != "tcp" || isSocket:
			return false
		}
		h, p, err := net.SplitHostPort(at)
		return err == nil && p == port && p != "0" && leadsTo(host, h)
	})
}

// comesBack reports whether a route may send a listener's requests to the pool that sent
// them there. Otherwise the listener is a second stage, and its mark ends a loop of
// several stages.
func (v *validator) comesBack(pool string, l Listener) bool {
	return !slices.ContainsFunc(v.config.Routes, func(r Route) bool { return len(r.Pools()) > 0 }) ||
		slices.ContainsFunc(v.config.Routes, func(r Route) bool { return v.leadsToPool(r, pool) && v.config.takes(r.Match, l) })
}

// leadsToPool reports whether a route's requests may be sent to a pool.
func (v *validator) leadsToPool(r Route, pool string) bool {
	falls := func(f *Fallback) bool { return f != nil && f.Pool == pool }
	return slices.ContainsFunc(r.Pools(), func(name string) bool {
		return name == pool || falls(r.Fallback) || falls(v.config.Pools[name].Fallback)
	})
}

// takes reports whether a route may match requests of a listener.
func (c *Config) takes(m Match, l Listener) bool {
	if m.Scheme == "https" && l.TLS == nil || m.Scheme == "http" && l.TLS != nil {
		return false
	}
	if len(m.SNI) > 0 && l.TLS == nil || !l.mayHavePort(m.Port) {
		return false
	}
	return len(m.Listener) == 0 || slices.ContainsFunc(m.Listener, func(ref string) bool {
		address, _ := c.ListenerAddress(ref)
		return address == l.Address
	})
}

// mayHavePort reports whether clients of a listener may have connected to one of ports.
// An empty list is no condition.
func (l Listener) mayHavePort(ports []int) bool {
	network, address := l.Network()
	if len(ports) == 0 || network != "tcp" && network != "unix" { // a socket from systemd may have any port
		return true
	}
	_, port, _ := net.SplitHostPort(address)
	n, err := strconv.Atoi(port)
	return port == "0" || err == nil && slices.Contains(ports, n)
}

// leadsTo reports whether a connection to host reaches a listener at the host listens of
// this machine.
func leadsTo(host, listens string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return leadsTo("127.0.0.1", listens) || leadsTo("::1", listens)
	}
	to, err := netip.ParseAddr(host)
	if err != nil {
		return strings.EqualFold(host, listens)
	}
	to = to.Unmap()
	if to.IsUnspecified() { // the system connects to itself
		to = netip.MustParseAddr(map[bool]string{true: "127.0.0.1", false: "::1"}[to.Is4()])
	}
	if listens == "localhost" {
		return to == netip.MustParseAddr("127.0.0.1") || to == netip.MustParseAddr("::1")
	}
	at, err := netip.ParseAddr(listens)
	switch {
	case listens == "":
		return isOwn(to)
	case err != nil:
		return false
	case at.IsUnspecified():
		return (to.Is4() || at.Is6()) && isOwn(to)
	}
	return at.Unmap() == to
}

// isOwn reports whether an address is one of this machine's.
func isOwn(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	addrs, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(addrs, func(own net.Addr) bool {
		p, err := netip.ParsePrefix(own.String())
		return err == nil && p.Addr().Unmap() == a.WithZone("")
	})
}
