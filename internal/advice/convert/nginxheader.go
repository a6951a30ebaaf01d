package convert

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// addHeaders converts add_header. status is that of a fixed answer, or 0 for answers of
// upstreams and goodgate's own errors.
func (n *nginx) addHeaders(sc scope, status int, f filling) (add, errors map[string]string) {
	f.answer = true
	for _, h := range sc.any("add_header") {
		name := h.Arg(0)
		value, ok := f.fill(h.Arg(1))
		switch {
		case isField(name) && f.auth.claimed(name, h.Arg(1)):
			continue
		case status >= 400 && h.Arg(2) != "always":
			continue
		case !ok:
			n.note(h.At(), "add_header "+name, "left out: its value has a variable that goodgate lacks")
			continue
		case !isField(name) || !isValue(value):
			n.note(h.At(), "add_header "+name, "left out: goodgate cannot set this header")
			continue
		case strings.EqualFold(name, "Set-Cookie") && setsField(add, name): // cookies have no lists
			n.note(h.At(), "add_header "+name, "left out: goodgate sets only one cookie")
			continue
		}
		add = also(add, name, value)
		if h.Arg(2) == "always" && status == 0 {
			errors = also(errors, name, value)
		}
		if h.Arg(2) != "always" && status == 0 {
			n.note(h.At(), "add_header "+name, "goodgate sets it on every response; nginx leaves it out of most errors")
		}
	}
	return add, errors
}

// setsField reports whether headers have a name.
func setsField(fields map[string]string, name string) bool {
	for have := range fields {
		if strings.EqualFold(have, name) {
			return true
		}
	}
	return false
}

// also adds a value to those of a header. goodgate has one value for each name, so
// several become a list.
func also(to map[string]string, name, value string) map[string]string {
	for other, have := range to {
		if strings.EqualFold(other, name) {
			return with(to, other, have+", "+value)
		}
	}
	return with(to, name, value)
}

// addedTo adds headers to an upstream's answers, as nginx does. It replaces those that
// an answer can have only once.
func (r *route) addedTo(fields map[string]string) {
	for name, value := range fields {
		if slices.ContainsFunc([]string{"Content-Type", "ETag", "Last-Modified"}, func(s string) bool { return strings.EqualFold(s, name) }) {
			r.setResponse = with(r.setResponse, name, value)
		} else {
			r.addResponse = with(r.addResponse, name, value)
		}
	}
}

// isField reports whether goodgate can set or remove a header.
func isField(name string) bool {
	return isToken(name) &&
		!slices.ContainsFunc([]string{"Host", "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length"},
			func(s string) bool { return strings.EqualFold(s, name) })
}

// isToken reports whether a text can be the name of a header.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) })
}

func isValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == 0xfffd })
}

// bySelf reports whether goodgate always sends a header.
func bySelf(name string) bool {
	return slices.ContainsFunc([]string{"Connection", "Upgrade", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-Id", "Forwarded", "Content-Length", "Transfer-Encoding", "TE", "Keep-Alive", "Proxy-Connection"},
		func(s string) bool { return strings.EqualFold(s, name) })
}

// requestHeaders converts proxy_set_header, except for headers that goodgate always
// sends.
func (n *nginx) requestHeaders(l *nginxconf.Location, p *place, r *route) {
	r.host = strings.TrimSuffix(l.Host, ":") // nginx sends $proxy_host
	if strings.HasPrefix(l.Host, "unix:") {
		r.host = "localhost"
	}
	if r.host != "localhost" && !isUpstream("http://"+r.host) || r.split != "" && l.Group(n.Config) == nil { // each pool has another host
		r.host = "upstream"
	}
	for _, h := range p.any(l.Prefix() + "_set_header") {
		if !r.forward.claimed(h.Arg(0), h.Arg(1)) || !isClaim(h.Arg(0)) {
			n.requestHeader(h, n.filling(l, r), r)
		}
	}
}

// filling returns the variables that the texts of a location may have.
func (n *nginx) filling(l *nginxconf.Location, r *route) filling {
	return filling{server: serverName(l), groups: r.groups(), auth: r.forward, const_: func(text string) string { return n.constant(l, text) }}
}

func (n *nginx) requestHeader(h *nginxconf.Directive, f filling, r *route) {
	name, value, server := h.Arg(0), h.Arg(1), f.server
	filled, ok := f.fill(value)
	switch {
	case strings.EqualFold(name, "Host"):
		r.host = n.hostHeader(h, value, r.host, server)
	case bySelf(name) && strings.Contains(value, "$http_x_forwarded_"):
		n.note(h.At(), "proxy_set_header "+name, "goodgate trusts this header only from trusted_proxies")
	case bySelf(name) && (strings.Contains(value, "$") || !isField(name)):
		// goodgate sends the same by itself
	case !isField(name):
		n.note(h.At(), "proxy_set_header "+name, "left out: goodgate cannot set this header")
	case strings.EqualFold(value, "$http_"+strings.ReplaceAll(name, "-", "_")):
		// the client's header, which passes unchanged
	case value == "":
		r.dropRequest = append(r.dropRequest, name)
	case !ok || !isValue(filled):
		r.dropRequest = append(r.dropRequest, name)
		n.note(h.At(), "proxy_set_header "+name, "left out: its value has a variable that goodgate lacks. goodgate removes this header from requests, so that no client can forge it")
	default:
		r.setRequest = with(r.setRequest, name, filled)
	}
}

func (n *nginx) hostHeader(h *nginxconf.Directive, value, standard, server string) string {
	switch value {
	case "$host", "$http_host", "$host:$server_port", "$host:$proxy_port", "$http_host:$server_port":
		return "keep"
	case "$proxy_host":
		return standard
	case "$server_name":
		value = server
	}
	if !strings.HasPrefix(value, "[") && !isUpstream("http://"+value) {
		n.note(h.At(), "proxy_set_header Host", "left out, and upstreams get the client's Host: the value is not a host name, or has a variable that goodgate lacks")
		return "keep"
	}
	return value
}

// answers converts the changes of an upstream's answers.
func (n *nginx) answers(l *nginxconf.Location, sc scope, r *route) {
	for _, d := range sc.any(l.Prefix() + "_hide_header") {
		if isField(d.Arg(0)) {
			r.dropResponse = append(r.dropResponse, d.Arg(0))
		} else {
			n.refuse(d.At(), d.Name, "clients would get the header "+d.Arg(0))
		}
	}
	if l.Prefix() == "grpc" {
		return
	}
	n.locations(l, sc, r)
	n.cookies(l, sc.any("proxy_cookie_domain"), r, &r.cookieDomain)
	n.flagged(sc.any("proxy_cookie_flags"), r) // nginx uses the first that matches
	n.cookies(l, sc.any("proxy_cookie_path"), r, &r.cookiePath)
}

// locations converts proxy_redirect and its default: the upstream's address becomes the
// location's.
func (n *nginx) locations(l *nginxconf.Location, sc scope, r *route) {
	list := sc.any("proxy_redirect")
	if len(list) == 0 {
		list = []*nginxconf.Directive{{Args: []string{"default"}}}
	}
	for _, d := range list {
		from, to := n.constant(l, d.Arg(0)), n.constant(l, d.Arg(1))
		switch {
		case from == "off":
			return
		case from == "default" && (strings.Contains(l.Pass.Arg(0), "$") || strings.HasPrefix(l.Modifier, "~")):
			continue // nginx rewrites nothing then
		case from == "default" && l.URI != "":
			from, to = l.Pass.Arg(0), l.Path
		case from == "default":
			from, to = strings.TrimSuffix(l.Pass.Arg(0), "/")+"/", "/"
		}
		for _, own := range []string{"$scheme://$http_host/", "$scheme://$host:$server_port/", "$scheme://$host/", "http://$host/", "https://$host/", "http://$http_host/", "https://$http_host/"} {
			if rest, ok := strings.CutPrefix(to, own); ok {
				to = "/" + rest
			}
		}
		entry, ok := n.rewriteTo(l, from, to)
		if !ok {
			n.note(d.At(), "proxy_redirect "+d.Arg(0), "left out: goodgate does not have its variable or cannot read its expression (see response_rewrites)")
			continue
		}
		r.location = append(r.location, entry)
	}
}

// constant replaces variables that are the same for all requests of a location: the
// server's name, and variables that are set once to plain text.
func (n *nginx) constant(l *nginxconf.Location, text string) string {
	known := map[string]string{"$proxy_host": l.Host}
	if (scope{n.http, l.Server.Block}).one("ssl_verify_client").Arg(0) == "on" {
		known["$ssl_client_verify"] = "SUCCESS" // TLS has refused all other clients
	}
	if len(l.Server.Names) > 0 {
		known["$server_name"] = l.Server.Names[0]
	}
	for _, d := range append(named(l.Server.Block, "set"), named(l.In.Block, "set")...) {
		if timesSet(d.Arg(0), l.Server.Block) == 1 && !strings.Contains(d.Arg(1), "$") {
			known[d.Arg(0)] = d.Arg(1)
		}
	}
	return variable.ReplaceAllStringFunc(text, func(v string) string {
		if value, ok := known[strings.NewReplacer("{", "", "}", "").Replace(v)]; ok {
			return value
		}
		return v
	})
}

// timesSet counts how often a variable is set.
func timesSet(variable string, block []*nginxconf.Directive) (count int) {
	for _, d := range block {
		if d.Name == "set" && d.Arg(0) == variable {
			count++
		}
		count += timesSet(variable, d.Block)
	}
	return count
}
