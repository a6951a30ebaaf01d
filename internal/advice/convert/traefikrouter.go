package convert

import (
	"slices"
	"strings"
)

// router is a rule with its entry points, middlewares and service.
type router struct {
	*tree
	name     string
	rule     string
	priority int
	names    []string // hosts in the rule
}

// secure reports whether the router is for requests with TLS.
func (r *router) secure() bool { return r.get("tls") != nil }

// routers returns the routers of the file in Traefik's order: by priority, which
// defaults to the length of the rule.
func (t *traefik) routers() (all []*router) {
	for _, name := range t.root.names("http", "routers") {
		in := t.root.get("http", "routers", name)
		r := &router{tree: in, name: name, rule: in.str("rule"), priority: in.num("priority")}
		if r.priority == 0 {
			r.priority = len(r.rule)
		}
		if parsed, err := parseRule(r.rule); err == nil {
			r.names = parsed.hosts()
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b *router) int { return b.priority - a.priority })
	return all
}

// hosts returns the names in a rule.
func (r *rule) hosts() (names []string) {
	if r.name == "Host" || r.name == "HostHeader" {
		names = r.args
	}
	for _, p := range r.parts {
		if r.op != '!' {
			names = append(names, p.hosts()...)
		}
	}
	return names
}

// routed passes requests to the first router whose rule they meet.
func (t *traefik) routed(list []*router, d draft) {
	if !t.step() {
		return
	}
	if len(list) == 0 { // requests that no rule matches must not reach a pool
		t.answered(d, answer{respond: true, status: 404})
		return
	}
	r, rest := list[0], list[1:]
	next := func(d draft) { t.routed(rest, d) }
	addresses := t.reached(r)
	if len(addresses) == 0 {
		t.note(r.at, r.name, "left out: it has no entry point")
		r.use()
		next(d)
		return
	}
	parsed, err := parseRule(r.rule)
	var terms []term
	ok := err == nil
	if ok {
		if strings.EqualFold(r.str("ruleSyntax"), "v2") {
			parsed.ofVersion2()
		}
		terms, ok = parsed.terms()
	}
	if ok {
		terms, ok = both([]term{{has: t.at(addresses, nil)}}, terms)
	}
	if len(t.file.trusted) > 0 && strings.Contains(r.rule, "ClientIP(") {
		ok = false // Traefik compares the address of the connection, goodgate the client's
	}
	if !ok || !sayable(terms) {
		t.refuse(r.at, "rule", "("+r.rule+") has a condition that a route cannot have, so its requests would go to another router")
		r.use()
		next(d)
		return
	}
	lost := Note{r.at, "rule", "(" + r.rule + ") becomes the same as a rule before it, so its requests would go to another router"}
	t.split(d, terms, lost, func(d draft) { t.router(r, d) }, next)
}

// router converts the middlewares and the service of a router.
func (t *traefik) router(r *router, d draft) {
	var names []string
	for _, p := range t.points {
		if slices.Contains(t.reached(r), p.listener.address) {
			for _, m := range p.strs("http", "middlewares") {
				if !slices.Contains(names, m) {
					names = append(names, m)
				}
			}
		}
	}
	names = append(names, r.strs("middlewares")...)
	service := r.str("service")
	r.get("tls").use()
	r.get("priority").use()
	t.middlewares(names, r, d, func(d draft) { t.service(r, service, d) })
}

// bare returns a name without its provider.
func bare(name string) (string, bool) {
	name, provider, has := strings.Cut(name, "@")
	return name, !has || provider == "file"
}
