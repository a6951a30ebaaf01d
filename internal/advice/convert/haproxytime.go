package convert

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// connections matches a rule about the number of a client's connections.
var connections = regexp.MustCompile(`^tcp-request connection reject if \{ (?:src_conn_cur|sc0?_conn_cur(?:\(0\))?) (gt|ge) (\d+) \}$`)

// timeouts converts the client timeouts of a frontend.
func (h *fromHAProxy) timeouts(s *haproxy.Section, l *listener) {
	for _, t := range []struct {
		name        string
		keys        []string
		least, most time.Duration
	}{
		{"http-request", []string{"timeouts.header"}, 10 * time.Millisecond, 10 * time.Minute},
		{"client", []string{"timeouts.body_idle", "timeouts.write_idle"}, 10 * time.Millisecond, time.Hour},
		{"http-keep-alive", []string{"timeouts.keepalive"}, 100 * time.Millisecond, time.Hour},
	} {
		d := s.Timeout(t.name)
		for _, key := range t.keys {
			if d > 0 {
				l.settings = with(l.settings, key, min(max(d, t.least), t.most).String())
			}
		}
	}
}

// waits converts a backend's timeouts for tunnels and the queue.
func waits(s *haproxy.Section, p *pool) {
	if d := s.Timeout("tunnel"); d > 0 {
		p.tunnel = min(max(d, time.Second), 168*time.Hour)
	}
	if d := s.Timeout("queue"); d > 0 {
		p.queue = min(max(d, time.Millisecond), time.Minute)
	}
}

// oldest converts "ssl-min-ver" of a bind or of the global defaults: the oldest TLS
// version.
func (h *fromHAProxy) oldest(b haproxy.Line, l *listener) {
	options := h.global("ssl-default-bind-options")
	version := cmp.Or(b.After("ssl-min-ver"), options.After("ssl-min-ver"))
	if version == "TLSv1.3" || slices.ContainsFunc([]string{"no-tlsv12", "force-tlsv13"}, func(word string) bool { return b.Has(word) || options.Has(word) }) {
		l.minVersion = "1.3"
	}
}

// forwarded converts "option forwardfor". goodgate sends this header by itself, unless
// it has another name.
func (h *fromHAProxy) forwarded(s *haproxy.Section, r *route) {
	l := s.One("option", "forwardfor")
	name := l.After("header")
	switch {
	case len(l.Words) == 0:
		return
	case name != "" && !strings.EqualFold(name, "X-Forwarded-For") && isField(name):
		r.setRequest = with(r.setRequest, name, "{client_ip}")
	}
	for _, word := range []string{"except", "if-none"} {
		if l.Has(word) {
			h.note(l.At(), "option forwardfor "+word, "left out: goodgate always sends X-Forwarded-For. It keeps the value from the client only if the client is in trusted_proxies")
		}
	}
}

// sources converts "http-request set-src", which takes the client's address from a
// header.
func (h *fromHAProxy) sources(s *haproxy.Section) {
	for _, l := range s.All("http-request", "set-src") {
		m := fetchedField.FindStringSubmatch(l.Word(2))
		terms, ok := h.terms(s, l)
		if m == nil || !isField(m[1]) || !ok || len(terms) != 1 || len(terms[0].hasNot) > 0 {
			continue // it is refused
		}
		from := terms[0].has.clients
		if len(from) == 0 || !onlyClients(terms[0].has, m[1]) {
			continue
		}
		for _, network := range from {
			h.file.trusted = withWord(h.file.trusted, network)
		}
		if !strings.EqualFold(m[1], "X-Forwarded-For") {
			h.file.trustedHeaders = []string{m[1], "X-Forwarded-Proto", "X-Request-Id"}
		}
		h.use(l)
		h.note(l.At(), "http-request set-src", "goodgate has one list, trusted_proxies, which applies to all listeners")
	}
}

var fetchedField = regexp.MustCompile(`^(?:req\.)?(?:f?hdr|hdr_ip)\(([\w-]+)(?:,-?1)?\)$`)

// onlyClients reports whether the conditions are about nothing but the client's address
// and, perhaps, the presence of the header.
func onlyClients(c conditions, field string) bool {
	c.clients = nil
	for name, value := range c.headers {
		if strings.EqualFold(name, field) && value == "*" && len(c.headers) == 1 {
			c.headers = nil
		}
	}
	return c.match() == "{}"
}
