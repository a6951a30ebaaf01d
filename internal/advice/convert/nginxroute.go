package convert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// defaultMaxBody is nginx's client_max_body_size.
const defaultMaxBody = 1 << 20

// server converts a server block: its locations in nginx's order, then what
// remains.
func (n *nginx) server(s *nginxconf.Server) {
	n.unknown(s.Block, serverKnown)
	base := route{hosts: n.hosts(s), scheme: n.scheme(s)}
	if r, ok := n.returned(s.Block, base); ok {
		n.file.routes = append(n.file.routes, r)
		return
	}
	for _, d := range s.Block {
		if d.Name == "rewrite" || d.Name == "if" {
			n.rewrite(d, base)
		}
	}
	whole := false
	for _, d := range locations(s.Block) {
		r := base
		path, ok := n.path(d)
		if !ok {
			continue
		}
		r.path = path
		whole = whole || path == "/*"
		n.location(s, d, r)
	}
	if !whole {
		base.respond, base.status = true, 404
		n.file.routes = append(n.file.routes, base)
	}
}

// hosts are the names of a server, none for one that takes every name.
func (n *nginx) hosts(s *nginxconf.Server) []string {
	if n.catchAll(s) {
		return nil
	}
	var hosts []string
	for _, name := range s.Names {
		switch {
		case strings.HasPrefix(name, "~"), strings.HasSuffix(name, ".*"), name == "_", name == "":
			n.note(s.At(), "server_name "+name, "has no equivalent: write the names it stands for")
		case strings.HasPrefix(name, "."):
			hosts = append(hosts, name[1:], "*"+name)
		default:
			hosts = append(hosts, name)
		}
	}
	if len(hosts) == 0 {
		hosts = []string{"unnamed.invalid"}
	}
	return hosts
}

// scheme tells apart what nginx tells by address: a server for plain HTTP from
// one for TLS.
func (n *nginx) scheme(s *nginxconf.Server) string {
	both := slices.ContainsFunc(n.Servers, func(o *nginxconf.Server) bool { return o.TLS() != s.TLS() })
	mixed := slices.ContainsFunc(s.Listen, func(l nginxconf.Directive) bool { return slices.Contains(l.Args, "ssl") }) &&
		slices.ContainsFunc(s.Listen, func(l nginxconf.Directive) bool { return !slices.Contains(l.Args, "ssl") })
	switch {
	case !both || mixed:
		return ""
	case s.TLS():
		return "https"
	}
	return "http"
}

// locations returns the location blocks in the order in which nginx decides:
// exact ones, then prefixes, the longest first.
func locations(block []*nginxconf.Directive) []*nginxconf.Directive {
	var all []*nginxconf.Directive
	for _, d := range block {
		if d.Name == "location" {
			all = append(all, d)
		}
	}
	slices.SortStableFunc(all, func(a, b *nginxconf.Directive) int {
		return cmp.Or(rank(a.Arg(0) != "=")-rank(b.Arg(0) != "="), len(b.Args[len(b.Args)-1])-len(a.Args[len(a.Args)-1]))
	})
	return all
}

func (n *nginx) path(d *nginxconf.Directive) (string, bool) {
	switch {
	case strings.HasPrefix(d.Arg(0), "~"):
		n.note(d.At(), "location "+strings.Join(d.Args, " "), "has no equivalent: routes match exact paths and prefixes; what it did is left out")
		return "", false
	case strings.HasPrefix(d.Arg(0), "@"):
		n.note(d.At(), "location "+d.Arg(0), "has no equivalent (see fallback) and is left out")
		return "", false
	case d.Arg(0) == "=":
		return d.Arg(1), true
	case d.Arg(0) == "^~":
		return d.Arg(1) + "*", true
	}
	return d.Arg(0) + "*", true
}

// location converts a location block.
func (n *nginx) location(s *nginxconf.Server, d *nginxconf.Directive, r route) {
	n.unknown(d.Block, locationKnown)
	for _, in := range d.Block {
		if in.Name == "location" {
			n.note(in.At(), "location within a location", "is left out: write it beside the other")
		}
	}
	if answered, ok := n.returned(d.Block, r); ok {
		n.file.routes = append(n.file.routes, answered)
		return
	}
	var l *nginxconf.Location
	for _, c := range n.Locations {
		if c.Server == s && c.In == d {
			l = c
		}
	}
	if l == nil {
		if n.isErrorPage(d) {
			return
		}
		n.note(d.At(), "location "+strings.Join(d.Args, " "), "serves files or speaks FastCGI: goodgate does neither; keep nginx for it. It answers 404")
		r.respond, r.status = true, 404
		n.file.routes = append(n.file.routes, r)
		return
	}
	n.proxied(l, d, r)
}

func (n *nginx) isErrorPage(d *nginxconf.Directive) bool {
	return n.file.page != "" && strings.HasSuffix(n.file.page, d.Args[len(d.Args)-1])
}

func (n *nginx) proxied(l *nginxconf.Location, d *nginxconf.Directive, r route) {
	if l.Host == "" {
		n.note(l.Pass.At(), "proxy_pass "+l.Pass.Arg(0), "depends on a variable and is left out: write a pool for it")
		return
	}
	r.pool = n.pool(l)
	n.prefixes(l, d, &r)
	n.requestHeaders(l, &r)
	for _, h := range l.All("add_header") {
		if strings.Contains(h.Arg(1), "$") {
			n.note(h.At(), "add_header "+h.Arg(0), "has a variable and is left out")
			continue
		}
		if r.setResponse == nil {
			r.setResponse = map[string]string{}
		}
		r.setResponse[h.Arg(0)] = h.Arg(1)
		if h.Arg(2) != "always" {
			n.note(h.At(), "add_header "+h.Arg(0), "is set on every response; nginx leaves it out of most errors")
		}
	}
	r.maxBody = l.Size("client_max_body_size", defaultMaxBody)
	if r.strip != "" && strings.HasSuffix(r.path, "*") && !strings.HasSuffix(r.path, "/*") {
		exact := r // a prefix is taken off at a slash only
		exact.path = strings.TrimSuffix(r.path, "*")
		n.file.routes = append(n.file.routes, exact)
		r.path = exact.path + "/*"
	}
	n.file.routes = append(n.file.routes, r)
}

// prefixes converts what changes the path: the URI of proxy_pass, and a rewrite
// that only exchanges a prefix.
func (n *nginx) prefixes(l *nginxconf.Location, d *nginxconf.Directive, r *route) {
	if l.URI != "" && !strings.Contains(l.URI, "$") {
		r.strip, r.add = strings.TrimSuffix(l.Path, "/"), strings.TrimSuffix(l.URI, "/")
		if strings.HasSuffix(l.Path, "/") != strings.HasSuffix(l.URI, "/") {
			n.note(l.Pass.At(), "proxy_pass "+l.Pass.Arg(0), "location and URI do not both end with a slash: goodgate joins them with one")
		}
	}
	for _, in := range d.Block {
		if in.Name != "rewrite" {
			continue
		}
		from, to, ok := prefixRewrite(in)
		if !ok || in.Arg(2) != "break" && in.Arg(2) != "" {
			n.note(in.At(), "rewrite "+in.Arg(0), "has no equivalent: only a prefix can be taken off or put on (strip_prefix, add_prefix)")
			continue
		}
		r.strip, r.add = from, to
	}
}

// prefixRewrite recognises "^/from/(.*)$ /to/$1".
func prefixRewrite(d *nginxconf.Directive) (from, to string, ok bool) {
	from, ok1 := strings.CutPrefix(d.Arg(0), "^")
	from = strings.TrimSuffix(from, "$")
	from, ok2 := strings.CutSuffix(from, "(.*)")
	to, ok3 := strings.CutSuffix(d.Arg(1), "$1")
	if !ok1 || !ok2 || !ok3 || strings.ContainsAny(from+to, `()[]|*+?\${}`) || strings.HasSuffix(from, "/") != strings.HasSuffix(to, "/") {
		return "", "", false
	}
	return strings.TrimSuffix(from, "/"), strings.TrimSuffix(to, "/"), strings.HasPrefix(from, "/")
}

// rewrite converts a rewrite of a server block that redirects a prefix.
func (n *nginx) rewrite(d *nginxconf.Directive, base route) {
	from, ok := strings.CutPrefix(d.Arg(0), "^")
	status := map[string]int{"permanent": 301, "redirect": 302}[d.Arg(2)]
	exact, end := strings.CutSuffix(from, "$")
	if d.Name == "rewrite" && ok && end && status > 0 && !strings.ContainsAny(exact+d.Arg(1), `()[]|*+?\${}.`) {
		base.path, base.redirect, base.status = exact, d.Arg(1)+"{query}", status
		n.file.routes = append(n.file.routes, base)
		return
	}
	n.note(d.At(), d.Name+" "+strings.Join(d.Args, " "), "has no equivalent and is left out")
}

// requestHeaders converts proxy_set_header. What goodgate sends by itself needs
// nothing.
func (n *nginx) requestHeaders(l *nginxconf.Location, r *route) {
	r.host = strings.TrimSuffix(l.Host, ":") // nginx sends $proxy_host
	if strings.HasPrefix(l.Host, "unix:") {
		r.host = "localhost"
	}
	for _, h := range l.All("proxy_set_header") {
		name, value := h.Arg(0), h.Arg(1)
		switch {
		case strings.EqualFold(name, "Host"):
			r.host = n.hostHeader(h, value, r.host)
		case slices.ContainsFunc([]string{"Connection", "Upgrade", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}, func(s string) bool { return strings.EqualFold(s, name) }):
			// goodgate sends these by itself
		case value == "":
			r.dropRequest = append(r.dropRequest, name)
		case strings.Contains(value, "$"):
			n.note(h.At(), "proxy_set_header "+name, "has a variable and is left out: X-Forwarded-For, -Proto and -Host tell of the client")
		default:
			if r.setRequest == nil {
				r.setRequest = map[string]string{}
			}
			r.setRequest[name] = value
		}
	}
}

func (n *nginx) hostHeader(h *nginxconf.Directive, value, standard string) string {
	switch value {
	case "$host", "$http_host", "$host:$server_port":
		return "keep"
	case "$proxy_host":
		return standard
	}
	if strings.Contains(value, "$") {
		n.note(h.At(), "proxy_set_header Host", "has a variable goodgate does not know: the client's is kept")
		return "keep"
	}
	return value
}

// returned converts "return" when it stands alone in a block.
func (n *nginx) returned(block []*nginxconf.Directive, r route) (route, bool) {
	for _, d := range block {
		if d.Name == "if" && len(block) > 0 {
			if in, ok := n.returnedIf(d, block); ok {
				r.redirect, r.status = in.redirect, in.status
				return r, true
			}
		}
		if d.Name != "return" {
			continue
		}
		return n.answer(d, r)
	}
	return r, false
}

// returnedIf is certbot's "if ($host = name) { return 301 https://... }", which
// stands in a server of that name.
func (n *nginx) returnedIf(d *nginxconf.Directive, _ []*nginxconf.Directive) (route, bool) {
	if !strings.HasPrefix(strings.Join(d.Args, " "), "($host = ") && !strings.HasPrefix(strings.Join(d.Args, " "), "$host = ") {
		return route{}, false
	}
	for _, in := range d.Block {
		if in.Name == "return" {
			return n.answer(in, route{})
		}
	}
	return route{}, false
}

func (n *nginx) answer(d *nginxconf.Directive, r route) (route, bool) {
	status, err := strconv.Atoi(d.Arg(0))
	text := d.Arg(1)
	if err != nil { // return URL;
		status, text = 302, d.Arg(0)
	}
	to := strings.NewReplacer("$request_uri", "{path}{query}", "$host", "{host}", "$http_host", "{host}", "$uri", "{path}", "$is_args$args", "{query}",
		"$server_name", strings.Join(r.hosts, "")).Replace(text)
	switch {
	case status >= 300 && status < 400 && text != "":
		if strings.Contains(to, "$") {
			n.note(d.At(), "return "+text, "has a variable goodgate does not know and is left out")
			return r, false
		}
		if !strings.HasPrefix(to, "/") && strings.HasPrefix(to, "$scheme") {
			return r, false
		}
		r.redirect, r.status = to, status
	case status == 444 || status < 200 || strings.Contains(text, "$"):
		n.note(d.At(), "return "+d.Arg(0), "has no equivalent: it answers 404")
		r.respond, r.status = true, 404
	default:
		r.respond, r.status, r.body = true, status, unescape(text)
	}
	return r, true
}

// unescape reads what nginx escapes in text.
func unescape(s string) string {
	return strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\"`, `"`, `\\`, `\`).Replace(s)
}
