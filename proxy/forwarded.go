package proxy

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// maxRequestID bounds the X-Request-Id that a trusted proxy may set, in bytes.
const maxRequestID = 128

// This file tells the upstream who sent the request and how. The request has such fields
// only if they are trusted: see trust.go.

// requestID returns the ID that a trusted proxy has set, else a new one.
func (x *exchange) requestID(r *Request) string {
	if id := r.Get(header.XRequestID); r.Count(header.XRequestID) == 1 && validRequestID(id) {
		return id
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

// setForwarded sets the forwarding fields for the upstream. It extends trusted values.
func (x *exchange) setForwarded(in *Request, h message.Editor) {
	proto := "http"
	if in.TLS != nil {
		proto = "https"
	}
	peer := "unix"
	if x.peer.addr.IsValid() {
		peer = x.peerText()
	}
	element := forwardedElement(x.peer.addr, peer, in.Host, proto)
	h.Set("X-Forwarded-For", x.chain(in.Values(header.XForwardedFor), peer))
	h.Set("X-Forwarded-Host", lastOf(in.Values(header.XForwardedHost), in.Host))
	h.Set("X-Forwarded-Proto", lastOf(in.Values(header.XForwardedProto), proto))
	if p := x.route.stripped(in.URL); p != "" { // the application can use it for links to this proxy
		h.Set("X-Forwarded-Prefix", x.outerPrefix()+p)
	}
	h.Set("Forwarded", joined(in.Values(header.Forwarded), element, true))
	h.Set("X-Request-Id", x.record.ID)
	if x.peer.realIP && !in.Has(header.XRealIP) && x.record.Client.IsValid() {
		h.Set("X-Real-Ip", x.record.Client.String()) // an application behind such a proxy may need it
	}
	countForward(in, h)
	x.setPassed(in, h)
	if x.proxy.opts.Via != "" {
		h.Set("Via", joined(in.Values(header.Via), x.proxy.via[viaVersion(in)], true))
	}
}

// outerPrefix returns the path prefix that the proxies in front have removed.
func (x *exchange) outerPrefix() string {
	outer := ""
	for v := range x.request.ValuesOf("X-Forwarded-Prefix") {
		outer = v // the last one, as for the other fields
	}
	return strings.TrimSuffix(outer, "/")
}

// chain returns the addresses on the request's way. If another field holds the client's
// address, that address is the first.
func (x *exchange) chain(earlier []string, peer string) string {
	if len(earlier) == 0 && x.record.Client != x.peer.addr {
		earlier = []string{x.record.Client.String()}
	}
	return joined(earlier, peer, x.peer.addr.IsValid())
}

// https reports whether the client used HTTPS, to goodgate or to a trusted proxy in front
// of it.
func (x *exchange) https() bool {
	return x.request.TLS != nil || lastOf(x.request.Values(header.XForwardedProto), "") == "https"
}

// viaElements returns the elements for Via, indexed by viaVersion (RFC 9110, section
// 7.6.3).
func viaElements(pseudonym string) [4]string {
	return [4]string{"1.0 " + pseudonym, "1.1 " + pseudonym, "2.0 " + pseudonym, "3.0 " + pseudonym}
}

func viaVersion(r *Request) int {
	switch {
	case r.ProtoMajor == 1 && r.ProtoMinor == 0:
		return 0
	case r.ProtoMajor >= 2:
		return min(r.ProtoMajor, 3)
	}
	return 1
}

// joined appends v to the earlier values of a list.
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

// lastOf returns the last line of a field. A proxy that adds a line instead of replacing
// the field leaves the client's line before it.
func lastOf(values []string, otherwise string) string {
	if len(values) == 0 {
		return otherwise
	}
	return values[len(values)-1]
}

// forwardedElement returns the element of this hop for Forwarded (RFC 7239, section 4).
// text is the peer as text.
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

// quoted returns s if it is a token, else as a quoted-string (RFC 9110, section 5.6).
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
