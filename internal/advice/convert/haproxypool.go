package convert

import (
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
		p.insecure = l.After("verify") == "none"
		p.ca = l.After("ca-file")
		if p.sni = l.After("verifyhost"); !isName(p.sni) {
			p.sni = ""
		}
		if p.cert = l.After("crt"); p.cert != "" {
			p.key = p.cert
		}
	}
	out.weight, _ = strconv.Atoi(l.After("weight"))
	out.limit, _ = strconv.Atoi(l.After("maxconn"))
	out.backup = l.Has("backup")
	if l.Has("disabled") {
		h.note(l.At(), "server "+l.Word(1)+" disabled", "left out, because it is disabled")
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
