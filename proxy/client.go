package proxy

import (
	"net/netip"
	"slices"
	"strings"
)

// This file finds the client's address. It uses the first field of Options.TrustedHeaders
// that can hold an address, and ignores the others. If a request does not have that
// field, the client is the peer.

// tellsAddress reports whether a field, by its canonical name, can hold the client's
// address.
func tellsAddress(name string) bool {
	switch name {
	case "Forwarded", "X-Forwarded-For", "X-Original-Forwarded-For", "Forwarded-For", "X-Remote-Addr", "X-Azure-Clientip", "Cf-Connecting-Ipv6":
		return true
	}
	return strings.HasSuffix(name, "-Ip")
}

// peerOf returns the address of the connection's other end, invalid for a unix socket. It
// drops the zone, because no prefix contains one.
func peerOf(r *Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// peerText returns the peer as text. An IPv4 address is cut out of the request's
// RemoteAddr without an allocation.
func (x *exchange) peerText() string {
	remote := x.request.RemoteAddr
	if i := strings.LastIndexByte(remote, ':'); x.peer.addr.Is4() && i > 0 && remote[0] != '[' {
		return remote[:i]
	}
	return x.peer.addr.String()
}

// clientOf returns the address of the client: the peer, or, if that is a trusted proxy,
// the last address in the field that is not one.
func (x *exchange) clientOf(r *Request) netip.Addr {
	trust := x.proxy.trust
	if !x.peer.trusted || trust.client == "" {
		return x.peer.addr
	}
	client, values := x.peer.addr, slices.Collect(r.ValuesOf(trust.client))
	for i := len(values) - 1; i >= 0; i-- {
		for rest, last := values[i], ""; rest != ""; {
			rest, last = cutLast(rest)
			addr, ok := addressIn(trust.client, last)
			if !ok {
				return client
			}
			client = addr
			if !trust.trusts(addr) {
				return client
			}
		}
	}
	return client
}

// cutLast cuts the last element off a list.
func cutLast(list string) (rest, last string) {
	if comma := strings.LastIndexByte(list, ','); comma >= 0 {
		return list[:comma], list[comma+1:]
	}
	return "", list
}

// addressIn parses an element of the field with the client's address.
func addressIn(field, element string) (netip.Addr, bool) {
	element = strings.TrimSpace(element)
	if field == "Forwarded" {
		return forwardedFor(element)
	}
	return parseAddress(element)
}

// parseAddress parses an address. Some proxies add a port.
func parseAddress(s string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// forwardedFor returns the address in an element of Forwarded (RFC 7239, section 4). Each
// proxy writes one element. An element with two "for", or with an open quote, is invalid.
func forwardedFor(element string) (addr netip.Addr, ok bool) {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if ok {
			return netip.Addr{}, false
		}
		if quoted, rest := strings.CutPrefix(value, `"`); rest {
			if value, ok = strings.CutSuffix(quoted, `"`); !ok {
				return netip.Addr{}, false
			}
		}
		if bare, rest := strings.CutPrefix(value, "["); rest {
			if inner, found := strings.CutSuffix(bare, "]"); found {
				value = inner
			}
		}
		if addr, ok = parseAddress(value); !ok {
			return netip.Addr{}, false
		}
	}
	return addr, ok
}
