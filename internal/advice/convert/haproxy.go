package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// HAProxy converts the frontends and backends of an HAProxy configuration.
func HAProxy(c *haproxy.Config) *Result {
	h := &fromHAProxy{Config: c, Result: &Result{}, pools: map[string]string{}}
	for _, s := range c.Sections {
		switch s.Kind {
		case "frontend", "listen":
			h.frontend(s)
		case "backend", "defaults":
			h.unknown(s)
		case "global":
		default:
			h.note("", s.Kind+" "+s.Name, "has no equivalent and is left out")
		}
	}
	return h.Result
}

type fromHAProxy struct {
	*haproxy.Config
	*Result
	pools map[string]string // by backend
}

// unknown notes the lines that are neither converted nor without meaning here.
func (h *fromHAProxy) unknown(s *haproxy.Section) {
	for _, l := range s.Lines {
		first, second := l.Word(0), l.Word(1)
		switch {
		case slices.Contains([]string{"mode", "bind", "server", "default_backend", "use_backend", "acl", "balance", "log", "maxconn", "retries", "fullconn", "default-server", "description", "http-reuse"}, first):
		case first == "timeout" && slices.Contains([]string{"connect", "server", "client", "http-request", "http-keep-alive", "check", "tunnel", "queue", "client-fin", "server-fin"}, second):
		case first == "option" && slices.Contains([]string{"httplog", "tcplog", "dontlognull", "forwardfor", "httpchk", "http-server-close", "http-keep-alive", "redispatch", "log-health-checks", "http-buffer-request"}, second):
		case first == "http-check" && (second == "expect" || second == "send"):
		case first == "http-request" && slices.Contains([]string{"set-header", "add-header", "del-header", "redirect"}, second), first == "redirect":
		case first == "http-response" && (second == "set-header" || second == "add-header"):
		default:
			h.note(l.At(), strings.Join(l.Words[:min(2, len(l.Words))], " "), "has no equivalent and is left out")
		}
	}
}

func (h *fromHAProxy) frontend(s *haproxy.Section) {
	h.unknown(s)
	if s.One("mode").Word(1) != "http" {
		h.note(s.One("mode").At(), s.Kind+" "+s.Name, "is not of mode http: goodgate forwards HTTP only")
		return
	}
	for _, b := range s.All("bind") {
		h.bind(b)
	}
	base := route{}
	h.headers(s, &base)
	for _, l := range append(s.All("http-request", "redirect"), s.All("redirect")...) {
		h.redirect(s, l, base)
	}
	for _, l := range s.All("use_backend") {
		r := base
		if h.condition(s, l, &r) {
			h.route(l, l.Word(1), r)
		}
	}
	switch name := s.One("default_backend").Word(1); {
	case s.Kind == "listen" && len(s.All("server")) > 0:
		h.route(s.One("server"), s.Name, base)
	case name != "":
		h.route(s.One("default_backend"), name, base)
	default:
		base.respond, base.status = true, 503
		h.file.routes = append(h.file.routes, base)
	}
}

func (h *fromHAProxy) bind(b haproxy.Line) {
	l := listener{address: strings.TrimPrefix(b.Word(1), "*")}
	if b.Has("ssl") {
		l.cert = b.After("crt")
		l.key = l.cert
	}
	if slices.ContainsFunc(h.file.listeners, func(o listener) bool { return o.address == l.address }) {
		return
	}
	if len(h.file.listeners) > 0 {
		h.note(b.At(), "bind "+b.Word(1), "routes are not told apart by listener, only by host, path, headers and scheme")
	}
	h.file.listeners = append(h.file.listeners, l)
}

// route adds a route to a backend, with what the backend does to headers.
func (h *fromHAProxy) route(at haproxy.Line, backend string, r route) {
	s := h.Find("backend", backend)
	if s == nil {
		h.note(at.At(), "backend "+backend, "is not in the file; its requests are left out")
		return
	}
	if s.Kind == "backend" {
		h.headers(s, &r)
	}
	r.pool = h.pool(s)
	h.file.routes = append(h.file.routes, r)
}

// headers converts what is set without a condition and without variables.
func (h *fromHAProxy) headers(s *haproxy.Section, r *route) {
	for _, direction := range []string{"http-request", "http-response"} {
		for _, l := range s.All(direction) {
			name, value := l.Word(2), l.Word(3)
			plain := !strings.Contains(value, "%[") && !l.Has("if") && !l.Has("unless")
			switch {
			case l.Word(1) == "redirect":
			case strings.HasPrefix(strings.ToLower(name), "x-forwarded-"):
				// goodgate sends these by itself
			case !plain:
				h.note(l.At(), direction+" "+l.Word(1)+" "+name, "has a variable or a condition and is left out")
			case direction == "http-request" && l.Word(1) == "del-header":
				r.dropRequest = append(slices.Clone(r.dropRequest), name)
			case direction == "http-request":
				r.setRequest = with(r.setRequest, name, value)
			case l.Word(1) == "set-header":
				r.setResponse = with(r.setResponse, name, value)
			}
		}
	}
}

func with(m map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	for k, v := range m {
		if k != name {
			out[k] = v
		}
	}
	return out
}

// redirect converts "redirect scheme https" and those to a fixed place.
func (h *fromHAProxy) redirect(s *haproxy.Section, l haproxy.Line, r route) {
	status, err := strconv.Atoi(l.After("code"))
	if err != nil {
		status = 302
	}
	r.status = status
	switch {
	case l.After("scheme") == "https":
		r.redirect, r.scheme = "https://{host}{path}{query}", "http"
		if l.Has("if") && !l.Has("ssl_fc") || l.Has("unless") && !l.Has("ssl_fc") {
			h.condition(s, l, &r)
		}
	case l.After("prefix") != "":
		r.redirect = strings.TrimSuffix(l.After("prefix"), "/") + "{path}{query}"
	default:
		r.redirect = l.After("location")
	}
	if l.After("scheme") != "https" && l.Has("if") && !h.condition(s, l, &r) {
		return
	}
	if r.redirect == "" || strings.Contains(r.redirect, "%[") {
		h.note(l.At(), "redirect", "has no equivalent and is left out")
		return
	}
	h.file.routes = append(h.file.routes, r)
}
