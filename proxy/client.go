package proxy

import (
	"net/netip"
	"slices"
	"strings"
)

// This file finds out who the client is. One field tells, the first of
// Options.TrustedHeaders that can; the others have no say. Without it in the
// request, the client is the peer.

// tellsAddress reports whether a field, canonical, tells the client's address.
func tellsAddress(name string) bool {
	switch name {
	case "Forwarded", "X-Forwarded-For", "X-Original-Forwarded-For", "Forwarded-For", "X-Remote-Addr", "X-Azure-Clientip", "Cf-Connecting-Ipv6":
		return true
	}
	return strings.HasSuffix(name, "-Ip")
}

// peerOf returns the address that is connected, without its zone, which no
// prefix contains; invalid for a unix socket.
func peerOf(r *Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// peerText returns the peer as text. Of an address of IPv4 it is a part of the
// request's, which saves making it.
func (x *exchange) peerText() string {
	remote := x.request.RemoteAddr
	if i := strings.LastIndexByte(remote, ':'); x.peer.addr.Is4() && i > 0 && remote[0] != '[' {
		return remote[:i]
	}
	return x.peer.addr.String()
}

// clientOf returns who the request comes from: the peer, or, when that is a
// trusted proxy, the last address it has told of that is not one.
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

// addressIn reads an element of the field that tells the client's address.
func addressIn(field, element string) (netip.Addr, bool) {
	element = strings.TrimSpace(element)
	if field == "Forwarded" {
		return forwardedFor(element)
	}
	return parseAddress(element)
}

// parseAddress reads an address, which some proxies give a port.
func parseAddress(s string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// forwardedFor returns the address in an element of Forwarded (RFC 7239, section
// 4), of which a proxy writes one. An element that says "for" twice, or in which
// a quote is open, has no meaning.
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
