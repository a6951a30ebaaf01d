package convert

import (
	"regexp"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// joined sets the path that goes upstream on a route: that of a rewrite, or the URI of
// proxy_pass, which replaces the location's.
func (n *nginx) joined(l *nginxconf.Location, p *place, r *route) {
	rewritten := false
	for _, d := range named(p.Block, "rewrite") {
		flag := d.Arg(2)
		if flag == "permanent" || flag == "redirect" {
			continue // it is a guard, or noted
		}
		if rewritten || !n.rewriteOf(d, r) || flag != "break" && flag != "" {
			n.note(d.At(), said(d), "left out: goodgate has no equivalent (see rewrite_path)")
		} else {
			rewritten = true
		}
		n.use(d)
	}
	uri, isVariable := l.URI, strings.Contains(l.URI, "$")
	switch {
	case rewritten || uri == "" || p.isRegexp() && !isVariable || strings.HasPrefix(p.path, "@"):
		return
	case isVariable && n.composed(l, uri, r):
		return
	case isVariable || strings.ContainsAny(uri, "?#"):
		n.note(l.Pass.At(), "proxy_pass "+l.Pass.Arg(0), "goodgate cannot build this URI and sends the client's path instead (see rewrite_path)")
		return
	case uri == p.path:
		return // it replaces a path by itself
	}
	from, to := p.path, uri
	switch {
	case strings.HasSuffix(from, "/") && strings.HasSuffix(to, "/") && isPrefix(from) && isPrefix(to):
		r.strip, r.add = strings.TrimSuffix(from, "/"), strings.TrimSuffix(to, "/")
	case p.modifier == "=" && isPrefix(from) && isPrefix(to):
		r.rewrite = [2]string{"^" + regexp.QuoteMeta(from) + "$", to}
	default:
		to = strings.ReplaceAll(to, "$", "$$")
		if !isPath(to) {
			n.note(l.Pass.At(), "proxy_pass "+l.Pass.Arg(0), "goodgate cannot build this URI and sends the client's path instead (see rewrite_path)")
			return
		}
		r.rewrite = [2]string{"^" + regexp.QuoteMeta(from) + "(.*)$", to + "${1}"}
	}
}

// composed sets the path of a proxy_pass with variables on a route: the client's,
// perhaps with a prefix, or groups of the location's expression.
func (n *nginx) composed(l *nginxconf.Location, uri string, r *route) bool {
	uri = n.constant(l, uri)
	path, takesQuery := uri, false
	for _, end := range []string{"$is_args$args", "$is_args$query_string", "?$args", "?$query_string"} {
		if rest, ok := strings.CutSuffix(uri, end); ok {
			path, takesQuery = rest, true
			break
		}
	}
	if before, ok := strings.CutSuffix(path, "$request_uri"); ok {
		path, takesQuery = before+"$uri", true
	}
	before, own := strings.CutSuffix(path, "$uri")
	switch to, ok := numberedGroups(path, groupsOf(r.regexp)); {
	case own && before == "":
	case own && isPrefix(before):
		r.add = strings.TrimSuffix(before, "/")
	case !own && ok && r.regexp != "" && isPath(to):
		r.rewrite = [2]string{r.regexp, to}
	case !own && ok && r.regexp == "" && isPath(to):
		r.rewrite = [2]string{"^", to}
	default:
		return false
	}
	if !takesQuery {
		n.note(l.Pass.At(), "proxy_pass "+l.Pass.Arg(0), "goodgate also sends the client's query; nginx does not")
	}
	return true
}

// isPrefix reports whether strip_prefix and add_prefix accept a path.
func isPrefix(s string) bool { return isPath(s) && !strings.Contains(s, "$") }

// rewriteOf converts "rewrite ^/a/(.*)$ /b/$1 break".
func (n *nginx) rewriteOf(d *nginxconf.Directive, r *route) bool {
	from, to := d.Arg(0), d.Arg(1)
	if strip, add, ok := prefixRewrite(from, to); ok && isPrefix(strip+"/") && isPrefix(add+"/") {
		r.strip, r.add = strip, add
		return true
	}
	re, ok := expression(from, false)
	if !ok || !isPath(to) || strings.ContainsAny(to, "{}") {
		return false
	}
	for i := 0; i < len(to); i++ {
		if to[i] == '$' && (i+1 == len(to) || to[i+1] < '0' || to[i+1] > '9') {
			return false // a variable
		}
	}
	r.rewrite = [2]string{re, regexp.MustCompile(`\$([0-9])`).ReplaceAllString(to, "$${$1}")}
	return true
}

// prefixRewrite recognizes "^/from/(.*)$ /to/$1".
func prefixRewrite(pattern, target string) (from, to string, ok bool) {
	from, ok1 := strings.CutPrefix(pattern, "^")
	from = strings.TrimSuffix(from, "$")
	from, ok2 := strings.CutSuffix(from, "(.*)")
	to, ok3 := strings.CutSuffix(target, "$1")
	if !ok1 || !ok2 || !ok3 || strings.ContainsAny(from+to, `()[]|*+?\${}.`) || !strings.HasSuffix(from, "/") || !strings.HasSuffix(to, "/") {
		return "", "", false
	}
	return strings.TrimSuffix(from, "/"), strings.TrimSuffix(to, "/"), strings.HasPrefix(from, "/") && strings.HasPrefix(to, "/")
}
