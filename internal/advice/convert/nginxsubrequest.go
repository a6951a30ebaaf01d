package convert

import (
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// inner returns the location of an nginx subrequest to a path, if it is for exactly
// this path and forwards requests by HTTP.
func (n *nginx) inner(s *nginxconf.Server, path string) (*place, *nginxconf.Location) {
	all := places(scope{n.http, s.Block}, nil)
	var found *place
	for _, q := range all {
		switch {
		case q.isRegexp():
			continue
		case q.path == path && (found == nil || q.modifier == "="):
			found = q
		}
	}
	if found == nil || found.modifier == "" && slices.ContainsFunc(all, (*place).isRegexp) {
		return nil, nil
	}
	if len(found.inner) > 0 || len(named(found.Block, "if", "return", "rewrite", "set", "try_files")) > 0 {
		return nil, nil
	}
	return found, n.located(s, found.Directive)
}

// ofSubrequest are variables that nginx reads of its own request instead of the client's.
var ofSubrequest = regexp.MustCompile(`\$\{?(?:uri|document_uri|args|is_args|query_string|arg_\w+|upstream_\w+)\b`)

// asked converts auth_request.
func (n *nginx) asked(s *nginxconf.Server, p *place, r *route) {
	d := p.one("auth_request")
	if d.Name == "" || d.Arg(0) == "off" {
		return
	}
	n.use(d)
	f, lost := n.question(s, p, d)
	if lost != "" {
		n.refuse(d.At(), d.Name, protecting[d.Name]+": "+lost+" (see access.forward)")
		return
	}
	r.forward = f
	n.claims(p, f)
	n.note(d.At(), d.Name, "clients get the service's own answer if it is a redirect or has a status from 400 to 499, and 503 if its status is 500 or more. nginx answers 500 to all of these except 401 and 403")
}

// question is what an auth_request asks.
func (n *nginx) question(s *nginxconf.Server, p *place, d *nginxconf.Directive) (f *forwardAuth, lost string) {
	uri := d.Arg(0)
	if p.one("satisfy").Arg(0) == "any" && either(p.scope) == nil {
		return nil, "convert cannot combine it with satisfy any here"
	}
	q, l := n.inner(s, uri)
	if l == nil || l.Host == "" || l.Prefix() != "proxy" {
		return nil, uri + " is not a location with only a proxy_pass to one host"
	}
	f = &forwardAuth{path: uri}
	if l.URI != "" {
		f.path = l.URI
	}
	switch method := q.one("proxy_method").Arg(0); {
	case strings.Contains(l.Pass.Arg(0), "$") || !isQuestion(f.path):
		return nil, "goodgate cannot send the path of the authentication request"
	case method != "" && method != "GET", q.one("proxy_set_body").Name != "":
		return nil, "goodgate asks the service only by GET"
	case q.one("proxy_pass_request_headers").Arg(0) == "off":
		return nil, "the service would get the client's headers"
	}
	if lost = n.questionFields(l, q, f); lost != "" {
		return nil, lost
	}
	if f.pool = n.pool(l); f.pool == "" {
		return nil, "goodgate cannot use its server"
	}
	if body := named(q.Block, "proxy_pass_request_body"); len(named(q.Block, "internal")) > 0 {
		n.use(body...) // goodgate sends no body
	}
	return f, ""
}

// questionFields are what proxy_set_header says of the question.
func (n *nginx) questionFields(l *nginxconf.Location, q *place, f *forwardAuth) (lost string) {
	var r route
	before := len(n.Notes)
	for _, h := range q.any("proxy_set_header") {
		name, value := h.Arg(0), h.Arg(1)
		filled, ok := filling{server: serverName(l), const_: func(text string) string { return n.constant(l, text) }}.fill(value)
		switch {
		case strings.EqualFold(name, "Host") && value != "$proxy_host":
			return "goodgate sends the service's own name as Host, not " + value + " (the client's is in X-Forwarded-Host)"
		case strings.EqualFold(name, "Host"), strings.EqualFold(name, "Content-Length"), strings.EqualFold(name, "Content-Type") && value == "":
			// the authentication request has its own, and no body
		case !bySelf(name) && value != "" && (!ok || ofSubrequest.MatchString(value) || !isValue(filled) || !isField(name)):
			return "goodgate cannot set the header " + name + " of the authentication request"
		default:
			n.requestHeader(h, filling{server: serverName(l), const_: func(text string) string { return n.constant(l, text) }}, &r)
		}
	}
	if len(n.Notes) > before {
		return "goodgate cannot send the headers of the authentication request"
	}
	f.set, f.drop = r.setRequest, r.dropRequest
	return ""
}

// claims converts auth_request_set, where a field of the service's answer goes on under
// its name. Any other use is noted where it is.
func (n *nginx) claims(p *place, f *forwardAuth) {
	f.claims = map[string]string{}
	for _, d := range p.any("auth_request_set") {
		name, ok := strings.CutPrefix(d.Arg(1), "$upstream_http_")
		if ok && len(d.Args) == 2 {
			f.claims[d.Arg(0)] = name
			n.use(d)
		}
	}
	for _, h := range p.any("proxy_set_header") {
		if f.claimed(h.Arg(0), h.Arg(1)) && isClaim(h.Arg(0)) {
			f.copied = withWord(f.copied, h.Arg(0))
		}
	}
	for _, h := range p.any("add_header") {
		if f.claimed(h.Arg(0), h.Arg(1)) && isField(h.Arg(0)) {
			f.returned = withWord(f.returned, h.Arg(0))
		}
	}
}

// claimed reports whether a value is that of the field of this name in the service's answer.
func (f *forwardAuth) claimed(name, value string) bool {
	if f == nil || value == "" {
		return false
	}
	from, ok := f.claims[strings.NewReplacer("{", "", "}", "").Replace(value)]
	return ok && strings.EqualFold(strings.ReplaceAll(name, "-", "_"), from)
}
