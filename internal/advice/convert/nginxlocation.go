package convert

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// place is a location block with the locations in it.
type place struct {
	*nginxconf.Directive
	scope
	modifier string // "", =, ^~, ~ or ~*
	path     string // or the expression
	outer    *place // the enclosing location
	inner    []*place
}

func (p *place) isRegexp() bool { return strings.HasPrefix(p.modifier, "~") }

// places reads the location blocks of a block.
func places(sc scope, outer *place) (all []*place) {
	for _, d := range named(sc[len(sc)-1], "location") {
		p := &place{Directive: d, scope: sc.within(d.Block), outer: outer}
		switch len(d.Args) {
		case 0:
			continue
		case 1:
			p.path = d.Args[0]
			for _, m := range []string{"~*", "^~", "~", "="} { // "location ~regex" without a space
				if rest, ok := strings.CutPrefix(p.path, m); ok && rest != "" {
					p.modifier, p.path = m, rest
					break
				}
			}
		default:
			p.modifier, p.path = d.Args[0], d.Args[1]
		}
		if len(p.scope) < 32 {
			p.inner = places(p.scope, p)
		}
		all = append(all, p)
	}
	return all
}

// expressions returns the expressions that nginx tries when a place is the longest
// prefix: those within it, then those of the blocks around it, until a ^~ ends the
// search.
func (p *place) expressions(top []*place) (all []*place) {
	level := p.inner
	for now := p; ; now = now.outer {
		for _, q := range level {
			if q.isRegexp() {
				all = append(all, q)
			}
		}
		if now == nil || now.modifier == "^~" {
			return all
		}
		if now.outer == nil {
			return append(all, slices.DeleteFunc(slices.Clone(top), func(q *place) bool { return !q.isRegexp() })...)
		}
		level = now.outer.inner
	}
}

// server converts a server under some names: the directives for all requests, then its
// locations.
func (n *nginx) server(v vhost) {
	sc := scope{n.http, v.Block}
	base := route{conditions: v.conditions, unlogged: isUnlogged(sc)}
	guards, rest := n.rewriting(sc, spot{hosts: v.hosts, groups: v.conditions.groups()}, func(*nginxconf.Directive) func(route, []guard) { return nil })
	if rest != nil {
		n.guarded(base.answering(*rest), guards)
		return
	}
	guards = n.ahead(base, guards)
	top := places(sc, nil)
	exact, prefixes := flatten(top)
	for _, p := range exact {
		n.place(v, p, nil, base, guards)
	}
	for _, p := range prefixes {
		n.completed(v, p, slices.Concat(exact, prefixes), base, guards)
	}
	n.ordered(v, top, prefixes, base, guards)
	if !slices.ContainsFunc(prefixes, func(p *place) bool { return p.path == "/" }) {
		n.guarded(n.notFound(base, sc, spot{hosts: v.hosts}), guards)
	}
}

// completed adds the redirect from /path to /path/ that nginx answers with if a location
// /path/ forwards requests, and no location is for /path.
func (n *nginx) completed(v vhost, p *place, all []*place, r route, guards []guard) {
	short := strings.TrimSuffix(p.path, "/")
	forwards := slices.ContainsFunc(p.Block, func(d *nginxconf.Directive) bool { return strings.HasSuffix(d.Name, "_pass") })
	if short == p.path || !isPath(short) || !forwards || slices.ContainsFunc(all, func(q *place) bool { return q.path == short }) {
		return
	}
	r.pathAt(short, false)
	a := answer{redirect: short + "/{query}", status: 301}
	a.fields, _ = n.addHeaders(p.scope, a.status, spot{hosts: v.hosts}.filling())
	if leads(a.redirect) {
		r.unlogged = isUnlogged(p.scope)
		n.guarded(r.answering(a), guards)
	}
}

// notFound returns the route with the answer 404 of nginx.
func (n *nginx) notFound(r route, sc scope, at spot) route {
	r.answer = answer{respond: true, status: 404}
	r.setResponse, _ = n.addHeaders(sc, 404, at.filling())
	return r
}

// flatten returns the exact places and the prefixes, the longest first.
func flatten(list []*place) (exact, prefixes []*place) {
	for _, p := range list {
		switch {
		case p.modifier == "=":
			exact = append(exact, p)
		case p.modifier == "" && strings.HasPrefix(p.path, "@"), p.isRegexp():
		default:
			prefixes = append(prefixes, p)
			e, in := flatten(p.inner)
			exact, prefixes = append(exact, e...), append(prefixes, in...)
		}
	}
	slices.SortStableFunc(prefixes, func(a, b *place) int { return len(b.path) - len(a.path) })
	return exact, prefixes
}

// ordered converts prefixes and expressions in nginx's order: the longest prefix wins,
// unless it permits expressions and one matches.
func (n *nginx) ordered(v vhost, top, prefixes []*place, base route, guards []guard) {
	all := slices.DeleteFunc(slices.Clone(top), func(q *place) bool { return !q.isRegexp() })
	special := func(p *place) bool { return !slices.Equal(p.expressions(top), all) }
	var later []*place
	for i, p := range prefixes {
		if !special(p) && !slices.ContainsFunc(prefixes[i+1:], func(q *place) bool { return special(q) && strings.HasPrefix(p.path, q.path) }) {
			later = append(later, p)
			continue
		}
		for _, q := range p.expressions(top) {
			n.place(v, q, p, base, guards)
		}
		n.place(v, p, nil, base, guards)
	}
	for _, q := range all {
		n.place(v, q, nil, base, guards)
	}
	for _, p := range later {
		n.place(v, p, nil, base, guards)
	}
}

// place converts a location block. If under is set, an expression is only for paths of
// which under is the longest prefix.
func (n *nginx) place(v vhost, p, under *place, r route, before []guard) {
	if under != nil && apart(p.path, under.path) || !n.conditions(p, under, &r) {
		return
	}
	r.unlogged = isUnlogged(p.scope)
	at := spot{v.hosts, r.groups(), r.regexp != ""}
	guards, rest := n.rewriting(p.scope, at, func(in *nginxconf.Directive) func(route, []guard) { return n.passed(v, p, in) })
	guards = slices.Concat(before, guards)
	if internal := named(p.Block, "internal"); len(internal) > 0 {
		n.use(internal...)
		n.note(internal[0].At(), "internal", "clients get 404 there, as from nginx. goodgate does not follow the application's X-Accel-Redirect to this location")
		n.guarded(n.notFound(r, p.scope, at), before)
		return
	}
	if rest != nil {
		n.guarded(r.answering(*rest), guards)
		return
	}
	guards = append(guards, n.access(p.scope, at)...)
	l := n.located(v.Server, p.Directive)
	target := p
	if l == nil {
		target, l = n.triedLast(v, p)
		if l != nil {
			guards = append(guards, n.access(target.scope, at)...)
		}
	}
	if l == nil {
		closed := len(guards) > 0 && guards[len(guards)-1].answer != nil && guards[len(guards)-1].match() == "{}"
		if !closed || slices.ContainsFunc(guards, func(g guard) bool { return g.answer == nil }) { // some requests get past the guards
			n.elsewhere(p)
		}
		r = n.notFound(r, p.scope, at)
		n.guarded(r, guards)
		return
	}
	n.proxied(l, target, r, guards)
}

// apart reports whether no path with a prefix can match an expression, judging by the
// beginning of the expression.
func apart(expression, prefix string) bool {
	literal, anchored := strings.CutPrefix(expression, "^")
	if i := strings.IndexAny(literal, `\.+*?()|[]{}^$`); i >= 0 {
		if strings.ContainsAny(literal[i:i+1], "*?{") {
			i-- // the character before it may be absent
		}
		literal = literal[:max(i, 0)]
	}
	return anchored && !strings.Contains(expression, "|") && !strings.HasPrefix(literal, prefix) && !strings.HasPrefix(prefix, literal)
}

// conditions sets the conditions of a place on a route.
func (n *nginx) conditions(p, under *place, r *route) bool {
	if under != nil {
		r.pathAt(under.path, under.modifier != "=")
	}
	switch {
	case p.isRegexp():
		re, ok := expression(followed(p.path), p.modifier == "~*")
		if !ok {
			n.note(p.At(), said(p.Directive), "left out: goodgate cannot read this expression (RE2)")
			return false
		}
		if r.regexp != "" {
			n.refuse(p.At(), "location", "("+said(p.Directive)+") would not apply below "+under.path+", because a route has only one expression")
			return false
		}
		r.regexp = re
	default:
		r.pathAt(p.path, p.modifier != "=")
	}
	return true
}

// notFollowed matches an expression that ends with a text that must not follow, as in
// /\.(?!well-known).
var notFollowed = regexp.MustCompile(`^([^()|]*)\(\?!((?:[\w/-]|\\[./-])+)\)(?:\.\*\$?)?$`)

// followed returns an expression in RE2's syntax, which has no (?!text): it spells out
// what may follow instead.
func followed(re string) string {
	m := notFollowed.FindStringSubmatch(re)
	if m == nil {
		return re
	}
	rest := ""
	for _, c := range slices.Backward([]rune(strings.ReplaceAll(m[2], `\`, ""))) {
		one := regexp.QuoteMeta(string(c))
		if rest != "" {
			rest = "|" + one + rest
		}
		rest = "(?:$|[^" + strings.Replace(one, "-", `\-`, 1) + "]" + rest + ")"
	}
	return m[1] + rest
}

// pathAt adds the condition on a path, or on all paths that begin with it.
func (c *conditions) pathAt(path string, prefix bool) {
	switch {
	case prefix && isPath(path):
		c.path = path + "*"
	case prefix:
		c.exactly(path + " ") // never a plain path
		c.regexp = strings.TrimSuffix(c.regexp, " $")
	default:
		c.exactly(path)
	}
}

// located returns the proxy_pass or grpc_pass of a block itself, as nginxconf has read
// it.
func (n *nginx) located(s *nginxconf.Server, d *nginxconf.Directive) *nginxconf.Location {
	passes := named(d.Block, "proxy_pass", "grpc_pass")
	for _, l := range n.Passes {
		if l.Server == s && l.In == d && slices.ContainsFunc(passes, func(p *nginxconf.Directive) bool { return isPass(l, p) }) {
			return l
		}
	}
	return nil
}

// isPass reports whether a location belongs to a proxy_pass. One line may have several.
func isPass(l *nginxconf.Location, pass *nginxconf.Directive) bool {
	return l.Pass.File == pass.File && l.Pass.Line == pass.Line && slices.Equal(l.Pass.Args, pass.Args)
}

// passed returns the target of an "if" in a location whose block is nothing but a
// proxy_pass.
func (n *nginx) passed(v vhost, p *place, in *nginxconf.Directive) func(route, []guard) {
	if len(in.Block) != 1 || in.Block[0].Name != "proxy_pass" {
		return nil
	}
	for _, l := range n.Locations {
		if l.Server == v.Server && l.In == p.Directive && isPass(l, in.Block[0]) && l.Host != "" {
			inner := *p
			inner.scope = p.scope.within(in.Block)
			return func(r route, rest []guard) { n.proxied(l, &inner, r, rest) }
		}
	}
	return nil
}

// triedLast returns the named location at the end of try_files.
func (n *nginx) triedLast(v vhost, p *place) (*place, *nginxconf.Location) {
	try := p.one("try_files")
	if len(try.Args) < 1 {
		return nil, nil
	}
	last := try.Args[len(try.Args)-1]
	q, l := n.namedPlace(v.Server, last)
	if l != nil {
		n.note(try.At(), "try_files", "goodgate serves no files: all requests go to %s", last)
		n.use(try)
	}
	return q, l
}

// elsewhere notes that a location does not forward requests by HTTP.
func (n *nginx) elsewhere(p *place) {
	if n.isErrorPage(p) {
		return
	}
	why := "it serves no files; keep nginx for them"
	for _, d := range p.Block {
		if d.Name == "stub_status" || d.Name == "api" {
			why = "see admin for its own status and metrics"
			n.use(d)
		}
		if d.Name == "rewrite" && !n.done[d] {
			why = "convert cannot convert its rewrite"
		}
		if d.Name == "perl" || d.Name == "js_content" || strings.HasPrefix(d.Name, "content_by_lua") {
			why = "it runs no scripts"
		}
		if kind, ok := strings.CutSuffix(d.Name, "_pass"); ok {
			why = "it does not speak " + cmp.Or(map[string]string{"fastcgi": "FastCGI", "grpc": "gRPC (see protocol: h2c)"}[kind], kind)
			n.use(d)
		}
	}
	n.note(p.At(), said(p.Directive), "goodgate answers 404 there: %s", why)
}

// defaultMaxBody is nginx's client_max_body_size.
const defaultMaxBody = 1 << 20

// proxied converts a location that forwards requests.
func (n *nginx) proxied(l *nginxconf.Location, p *place, r route, guards []guard) {
	if l.Host == "" {
		if chosen, ok := n.mapped(l, p); ok {
			n.guarded(r, append(guards, chosen...))
			return
		}
		if first, ok := n.divided(l, &r); ok {
			n.reached(first, p, r, guards)
			return
		}
		n.note(l.Pass.At(), said(&l.Pass), "goodgate answers 404 in this location: the URL depends on a variable. Choose the route's pool yourself")
		r.answer = answer{respond: true, status: 404}
		n.guarded(r, guards)
		return
	}
	if r.pool = n.pool(l); r.pool == "" {
		n.note(l.Pass.At(), said(&l.Pass), "goodgate answers 503 there: it cannot use any of the servers")
		r.answer = answer{respond: true, status: 503}
		n.guarded(r, guards)
		return
	}
	n.reached(l, p, r, guards)
}

// reached converts what a location changes in requests to its pool and in their
// answers.
func (n *nginx) reached(l *nginxconf.Location, p *place, r route, guards []guard) {
	if slices.Contains(l.One(l.Prefix()+"_next_upstream").Args, "non_idempotent") {
		r.retrySafe = true
	}
	n.fallback(l.Server, p, &r)
	n.asked(l.Server, p, &r)
	n.requestHeaders(l, p, &r)
	add, errors := n.addHeaders(p.scope, 0, n.filling(l, &r))
	r.addedTo(add)
	r.setError = errors
	n.answers(l, p.scope, &r)
	guards = append(guards, n.limits(p.scope, &r)...)
	n.signIn(p.scope, &r)
	n.satisfied(p.scope, &r)
	n.compressed(p.scope, &r)
	r.maxBody = l.Size("client_max_body_size", defaultMaxBody)
	n.joined(l, p, &r)
	n.mirrored(l.Server, p, &r)
	n.intercepted(l.Server, p, &r)
	n.cached(p, &r)
	n.guarded(r, guards)
}
