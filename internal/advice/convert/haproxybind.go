package convert

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// binds converts the addresses of a frontend.
func (h *fromHAProxy) binds(s *haproxy.Section) {
	for _, b := range s.All("bind") {
		for _, a := range bound(b) {
			h.bind(s, b, a)
		}
	}
}

// overlaps refuses a frontend on one address beside a frontend on all addresses of the
// same port. HAProxy tells their clients apart, and goodgate does not.
func (h *fromHAProxy) overlaps() {
	for _, s := range h.Sections {
		for _, b := range s.All("bind") {
			for _, a := range bound(b) {
				host, port, err := net.SplitHostPort(a)
				if err != nil || host == "" || !slices.Contains(h.ownAddresses(), ":"+port) {
					continue
				}
				h.refuse(b.At(), "bind", "what is meant for "+a+" alone would apply to every address of the port, because another frontend listens on :"+port)
				h.file.listeners = slices.DeleteFunc(h.file.listeners, func(l *listener) bool { return l.address == a })
			}
		}
	}
}

// bound returns the addresses of a bind line in goodgate's form.
func bound(b haproxy.Line) (all []string) {
	for a := range strings.SplitSeq(b.Word(1), ",") {
		for _, family := range []string{"ipv4@", "ipv6@", "unix@"} {
			a = strings.TrimPrefix(a, family)
		}
		switch {
		case strings.HasPrefix(a, "/"):
			all = append(all, "unix:"+a)
		case strings.HasPrefix(a, ":::"):
			all = append(all, a[2:])
		default:
			all = append(all, address(a))
		}
	}
	return all
}

func (h *fromHAProxy) bind(s *haproxy.Section, b haproxy.Line, a string) {
	i := slices.IndexFunc(h.file.listeners, func(o *listener) bool { return o.address == a })
	if i >= 0 {
		return
	}
	if !strings.HasPrefix(a, "unix:/") && !isUpstream("http://"+strings.Replace(a, ":", "x:", map[bool]int{true: 1}[strings.HasPrefix(a, ":")])) {
		h.note(b.At(), "bind "+b.Word(1), "left out: goodgate cannot listen on this address")
		return
	}
	l := &listener{address: a}
	l.most, _ = strconv.Atoi(s.One("maxconn").Word(1))
	if b.Has("ssl") {
		l.secure = true
		for i, w := range b.Words[:len(b.Words)-1] {
			if w == "crt" {
				file := h.within("crt-base", b.Words[i+1])
				l.certs = append(l.certs, [2]string{file, file})
				if strings.HasSuffix(file, "/") {
					h.note(b.At(), "bind crt "+b.Words[i+1], "goodgate cannot read a folder: list its files in tls.certificates")
				}
			}
		}
		if len(l.certs) == 0 {
			h.refuse(b.At(), "bind", "clients of "+a+" would be served without TLS, because convert found no certificate for it (crt)")
		}
		h.clientCerts(b, l)
	}
	h.parameters(b, 2, bindKnown)
	h.oldest(b, l)
	h.timeouts(s, l)
	l.cleartext2 = b.After("proto") == "h2" && !l.secure
	if b.Has("interface") || b.Has("namespace") {
		h.refuse(b.At(), "bind interface", "rules for clients of one network would apply to all clients")
	}
	if b.Has("accept-proxy") {
		l.proxied = []string{"0.0.0.0/0", "::/0"} // HAProxy accepts it from everybody
	}
	h.file.listeners = append(h.file.listeners, l)
}

// bindKnown and serverKnown are the parameters that are converted or need no equivalent,
// with the number of words that follow each.
var (
	bindKnown = map[string]int{
		"ssl": 0, "crt": 1, "verify": 1, "ca-file": 1, "crl-file": 1, "ca-verify-file": 1, "accept-proxy": 0, "ssl-min-ver": 1, "proto": 1, "interface": 1, "namespace": 1,
		// Go chooses ciphers and curves; the rest is about sockets and names
		"alpn": 1, "npn": 1, "ciphers": 1, "ciphersuites": 1, "curves": 1, "ecdhe": 1, "no-sslv3": 0, "no-tlsv10": 0, "no-tlsv11": 0, "no-tls-tickets": 0, "prefer-client-ciphers": 0, "no-tlsv12": 0, "force-tlsv13": 0,
		"v4v6": 0, "v6only": 0, "name": 1, "id": 1, "process": 1, "thread": 1, "shards": 1, "backlog": 1, "tfo": 0, "defer-accept": 0, "nice": 1, "level": 1, "maxconn": 1,
	}
	serverKnown = map[string]int{
		"check": 0, "ssl": 0, "verify": 1, "ca-file": 1, "crt": 1, "verifyhost": 1, "weight": 1, "maxconn": 1, "backup": 0, "disabled": 0, "inter": 1, "send-proxy": 0, "send-proxy-v2": 0,
		"cookie": 1, "observe": 1, "slowstart": 1, "track": 1, "proto": 1, // converted or noted where they are read
		"rise": 1, "fall": 1, "fastinter": 1, "downinter": 1, "sni": 1, "alpn": 1, "resolvers": 1, "init-addr": 1, "resolve-prefer": 1, "check-ssl": 0, "check-sni": 1, "port": 1, "agent-check": 0, "agent-port": 1, "agent-inter": 1, "agent-send": 1, "id": 1, "no-check": 0, "enabled": 0, "crl-file": 1, "ca-names-file": 1, "no-ssl": 0, "no-sslv3": 0, "no-tlsv10": 0, "no-tlsv11": 0, "no-tls-tickets": 0, "ssl-min-ver": 1, "ssl-max-ver": 1, "ssl-reuse": 0, "no-ssl-reuse": 0, "resolve-opts": 1, "resolve-net": 1, "max-reuse": 1, "pool-max-conn": 1, "pool-purge-delay": 1, "pool-low-conn": 1, "tfo": 0, "ciphers": 1, "ciphersuites": 1, "check-alpn": 1, "check-proto": 1, "check-send-proxy": 0, "non-stick": 0,
	}
)

// withValue are parameters without an equivalent that a value follows.
var withValue = map[string]int{
	"addr": 1, "agent-addr": 1, "error-limit": 1, "hash-key": 1, "init-state": 1, "minconn": 1, "maxqueue": 1, "on-error": 1, "on-marked-down": 1, "on-marked-up": 1,
	"pool-conn-name": 1, "proxy-v2-options": 1, "redir": 1, "shard": 1, "socks4": 1, "source": 1, "usesrc": 1, "ws": 1,
	"ca-sign-file": 1, "ca-sign-pass": 1, "crt-list": 1, "gid": 1, "group": 1, "mode": 1, "mss": 1, "severity-output": 1, "tcp-ut": 1, "uid": 1, "user": 1,
}

// parameters notes the parameters of a line that are neither converted nor without
// meaning.
func (h *fromHAProxy) parameters(l haproxy.Line, from int, known map[string]int) {
	for i := from; i < len(l.Words); i++ {
		words, ok := known[l.Words[i]]
		if !ok {
			h.note(l.At(), strings.Join(l.Words[:min(2, len(l.Words))], " "), "%s is left out: goodgate has no equivalent", l.Words[i])
			words = withValue[l.Words[i]]
		}
		i += words
	}
}

func (h *fromHAProxy) clientCerts(b haproxy.Line, l *listener) {
	verify := b.After("verify")
	if b.Has("ca-verify-file") {
		h.refuse(b.At(), "bind ca-verify-file", "clients would need no certificate of these authorities")
	}
	if verify != "required" && verify != "optional" {
		return
	}
	if b.After("ca-file") == "" || strings.HasPrefix(b.After("ca-file"), "@") {
		h.refuse(b.At(), "bind verify", "clients would need no certificate")
		return
	}
	l.clientCA, l.optional = h.within("ca-base", b.After("ca-file")), verify == "optional"
	switch file := h.within("ca-base", b.After("crl-file")); {
	case strings.HasPrefix(file, "@"):
		h.refuse(b.At(), "bind crl-file", "clients with revoked certificates would get access")
	case file != "":
		l.crl = []string{file}
	}
}
