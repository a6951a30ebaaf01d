package convert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// pool converts a backend. Each backend becomes one pool.
func (h *fromHAProxy) pool(s *haproxy.Section) string {
	if name, known := h.pools[s.Name]; known {
		return name
	}
	h.pools[s.Name] = "" // so that a backend that tracks itself ends here
	p := &pool{
		name: freeName(h.file.pools, s.Name), policy: "round_robin",
		dial: s.Timeout("connect"), response: s.Timeout("server"),
	}
	waits(s, p)
	if n, err := strconv.Atoi(s.One("retries").Word(1)); err == nil {
		p.attempts = n + 1
	}
	h.retryOn(s, p)
	h.balance(s, p)
	checked := h.servers(s, p)
	h.shared(s, p)
	if !h.tracking(s, p) {
		h.health(s, p, checked)
	}
	if h.usable(p, "backend "+s.Name, h.ownAddresses()); len(p.servers) == 0 {
		return ""
	}
	h.pools[s.Name] = p.name
	h.file.pools = append(h.file.pools, p)
	return p.name
}

// server converts a server line. It reports whether the server has a health check.
func (h *fromHAProxy) server(l haproxy.Line, s *haproxy.Section, p *pool) bool {
	address := strings.TrimPrefix(strings.TrimPrefix(l.Word(2), "ipv4@"), "ipv6@")
	out := server{}
	secure := l.Has("ssl")
	switch {
	case strings.HasPrefix(address, "unix@"):
		out.url = "unix:" + address[len("unix@"):]
	case strings.HasPrefix(address, "/"):
		out.url = "unix:" + address
	case secure:
		out.url = "https://" + address
	default:
		out.url = "http://" + address
	}
	if secure {
		h.trusts(l, p)
	}
	out.weight, _ = strconv.Atoi(l.After("weight"))
	out.limit, _ = strconv.Atoi(l.After("maxconn"))
	out.backup = l.Has("backup")
	if l.Has("disabled") && !l.Has("enabled") {
		h.note(l.At(), "server "+l.Word(1)+" disabled", "left out, because it is disabled")
		return false
	}
	if l.After("weight") == "0" {
		h.note(l.At(), "server "+l.Word(1)+" weight 0", "left out, because HAProxy sends it no new requests")
		return false
	}
	switch {
	case l.Has("send-proxy-v2"):
		p.proxied = "v2"
	case l.Has("send-proxy"):
		p.proxied = "v1"
	}
	h.parameters(l, 3, serverKnown)
	if l.Has("crl-file") {
		h.refuse(l.At(), "server crl-file", "upstreams with revoked certificates would be trusted")
	}
	if l.Has("observe") {
		h.note(l.At(), "server "+l.Word(1)+" observe", "left out: goodgate's circuit breaker watches all servers of the pool (see breaker)")
	}
	if !isUpstream(out.url) {
		h.note(l.At(), "server "+l.Word(1), "left out: goodgate cannot use its address %s", l.Word(2))
		return false
	}
	p.addServer(out)
	return l.Has("check") && !l.Has("no-check")
}

// trusts converts the TLS settings of a server. They become those of the pool.
func (h *fromHAProxy) trusts(l haproxy.Line, p *pool) {
	own := pool{insecure: cmp.Or(l.After("verify"), h.global("ssl-server-verify").Word(1)) == "none", ca: h.within("ca-base", l.After("ca-file")), cert: h.within("crt-base", l.After("crt"))}
	own.key = own.cert
	sni, plain := strings.CutPrefix(l.After("sni"), "str(")
	if sni = strings.TrimSuffix(sni, ")"); !plain || !isName(sni) {
		if sni = ""; l.Has("sni") {
			h.note(l.At(), "server "+l.Word(1)+" sni", "left out: goodgate sends the name of the server (see tls.server_name)")
		}
	}
	if own.sni = cmp.Or(l.After("verifyhost"), sni); !isName(own.sni) {
		own.sni = ""
	}
	switch {
	case own.insecure:
	case own.sni == "":
		h.note(l.At(), "server "+l.Word(1)+" verify", "goodgate also checks that the certificate is for the server's name or address (see tls.server_name)")
	case sni != "" && sni != own.sni:
		h.note(l.At(), "server "+l.Word(1)+" sni", "left out: goodgate sends the name that it verifies, %s", own.sni)
	}
	if slices.ContainsFunc(p.servers, func(o server) bool { return strings.HasPrefix(o.url, "https://") }) && (own.insecure != p.insecure || own.ca != p.ca || own.sni != p.sni || own.cert != p.cert) {
		h.refuse(l.At(), "server ssl", "the servers of a pool have the same TLS settings, but those of "+l.Word(1)+" differ from those before it: goodgate would verify some servers less strictly. Move it to a backend of its own")
		return
	}
	p.insecure, p.ca, p.sni, p.cert, p.key = own.insecure, own.ca, own.sni, own.cert, own.key
}

// isStatus reports whether a text is a status or a range of them.
func isStatus(text string) bool {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	ok := func(s string) bool {
		return len(s) == 3 && s[0] >= '1' && s[0] <= '5' && strings.Trim(s, "0123456789") == ""
	}
	return ok(first) && ok(last) && first <= last
}
