package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// OwnListener returns which of the listeners an upstream's URL leads to, -1 for none:
// its requests would come back. A name counts if it is localhost; where others lead
// is known once they are looked up.
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

// leadsTo reports whether a connection to host comes to who listens at a host of this
// machine.
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
