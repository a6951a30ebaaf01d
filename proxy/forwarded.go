package proxy

import (
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
)

// maxRequestID bounds the X-Request-Id that a trusted proxy may set.
const maxRequestID = 128

// peerOf returns the address that is connected, without its zone, which no
// prefix contains; invalid for a unix socket.
func peerOf(r *http.Request) netip.Addr {
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
	if i := strings.LastIndexByte(remote, ':'); x.peer.Is4() && i > 0 && remote[0] != '[' {
		return remote[:i]
	}
	return x.peer.String()
}

// trusts reports whether the peer's word about the client is believed. A peer
// on a unix socket has passed the file's permissions.
func (p *Proxy) trusts(peer netip.Addr) bool {
	if !peer.IsValid() {
		return true
	}
	for _, prefix := range p.opts.Trusted {
		if prefix.Contains(peer) {
			return true
		}
	}
	return false
}

// clientOf returns who the request comes from: the peer, or, when that is a
// trusted proxy, the last address in X-Forwarded-For that is not one.
func (x *exchange) clientOf(r *http.Request) netip.Addr {
	if !x.trusted {
		return x.peer
	}
	client := x.peer
	values := r.Header["X-Forwarded-For"]
	for i := len(values) - 1; i >= 0; i-- {
		rest := values[i]
		for rest != "" {
			var last string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, last = rest[:comma], rest[comma+1:]
			} else {
				rest, last = "", rest
			}
			addr, ok := parseForwardedFor(strings.TrimSpace(last))
			if !ok {
				return client
			}
			client = addr
			if !x.proxy.trusts(addr) {
				return client
			}
		}
	}
	return client
}

// parseForwardedFor reads one element of X-Forwarded-For: an address, which
// some proxies give a port.
func parseForwardedFor(s string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// requestID takes the id a trusted proxy gave, else makes one.
func (x *exchange) requestID(r *http.Request) string {
	if x.trusted {
		if ids := r.Header["X-Request-Id"]; len(ids) == 1 && validRequestID(ids[0]) {
			return ids[0]
		}
	}
	var raw [16]byte
	var text [32]byte
	for i, v := range [2]uint64{rand.Uint64(), rand.Uint64()} {
		for j := range 8 {
			raw[i*8+j] = byte(v >> (8 * j))
		}
	}
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// setForwarded tells the upstream who asked and how. What a trusted proxy said
// is kept and added to; everyone else's word has been dropped by httputil.
func (x *exchange) setForwarded(in *http.Request, h http.Header) {
	proto := "http"
	if in.TLS != nil {
		proto = "https"
	}
	host := in.Host
	peer := "unix"
	if x.peer.IsValid() {
		peer = x.peerText()
	}
	chain, element := peer, forwardedElement(x.peer, peer, host, proto)
	x.dropClaims(h)
	if x.trusted {
		chain = joined(in.Header["X-Forwarded-For"], chain, x.peer.IsValid())
		element = joined(in.Header["Forwarded"], element, true)
		proto = firstOf(in.Header["X-Forwarded-Proto"], proto)
		host = firstOf(in.Header["X-Forwarded-Host"], host)
	}
	h["X-Forwarded-For"] = x.single(chain)
	h["X-Forwarded-Host"] = x.single(host)
	h["X-Forwarded-Proto"] = x.single(proto)
	h["Forwarded"] = x.single(element)
	h["X-Request-Id"] = x.single(x.record.ID)
	if x.proxy.opts.Via != "" {
		h["Via"] = x.single(joined(in.Header["Via"], x.proxy.via[viaVersion(in)], true))
	}
}

// dropClaims takes off what a stranger says about itself beyond the headers
// that httputil has already dropped. Spelled with "_", which CGI and WSGI take
// for "-", it has come past a trusted proxy as well.
func (x *exchange) dropClaims(h http.Header) {
	for name := range h {
		plain := strings.ReplaceAll(name, "_", "-")
		if isClaim(plain) && (!x.trusted || plain != name) || plain != name && isFraming(plain) {
			delete(h, name)
		}
	}
}

// isFraming reports whether a field says where a message ends or whom it is for.
func isFraming(name string) bool {
	return strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding")
}

func isClaim(name string) bool {
	const prefix = "X-Forwarded-"
	return len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) || strings.EqualFold(name, "X-Real-Ip")
}

// https reports whether the client came by HTTPS, to goodgate or to a trusted
// proxy before it.
func (x *exchange) https() bool {
	if x.request.TLS != nil {
		return true
	}
	return x.trusted && firstOf(x.request.Header["X-Forwarded-Proto"], "") == "https"
}

// viaElements are the elements for Via by viaVersion (RFC 9110 section 7.6.3).
func viaElements(pseudonym string) [4]string {
	return [4]string{"1.0 " + pseudonym, "1.1 " + pseudonym, "2.0 " + pseudonym, "3.0 " + pseudonym}
}

func viaVersion(r *http.Request) int {
	switch {
	case r.ProtoMajor == 1 && r.ProtoMinor == 0:
		return 0
	case r.ProtoMajor >= 2:
		return min(r.ProtoMajor, 3)
	}
	return 1
}

// joined appends v to a list header's earlier values.
func joined(earlier []string, v string, add bool) string {
	if len(earlier) == 0 {
		return v
	}
	list := strings.Join(earlier, ", ")
	if !add {
		return list
	}
	return list + ", " + v
}

func firstOf(values []string, otherwise string) string {
	if len(values) == 0 {
		return otherwise
	}
	return values[0]
}

// forwardedElement is one hop in the Forwarded header (RFC 7239 section 4);
// text is peer as it is written elsewhere.
func forwardedElement(peer netip.Addr, text, host, proto string) string {
	node := "unknown"
	switch {
	case peer.Is4():
		node = text
	case peer.IsValid():
		node = `"[` + text + `]"`
	}
	return "for=" + node + ";host=" + quoted(host) + ";proto=" + proto
}

// quoted returns s as a token if it is one, else as a quoted-string (RFC 9110
// section 5.6).
func quoted(s string) string {
	if isToken(s) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		c := s[i]
		if c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		if c >= ' ' && c != 0x7f {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}
