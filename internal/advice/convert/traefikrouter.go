package convert

import (
	"slices"
	"strings"
)

// router is a rule with what is done to its requests.
type router struct {
	*tree
	name     string
	rule     string
	priority int
	names    []string // hosts of the rule
}

// secure reports whether the router is for requests with TLS.
func (r *router) secure() bool { return r.get("tls") != nil }

// routers are those of the file, in the order in which Traefik tries them: by priority,
// which is the length of the rule if none is given.
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

// hosts are the names that a rule asks for.
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

// routed gives requests to the first router whose rule they meet.
func (t *traefik) routed(list []*router, d draft) {
	if !t.step() {
		return
	}
	if len(list) == 0 { // what a rule leaves out must not come to its own route
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
		ok = false // Traefik asks for the address of the connection, goodgate for the client's
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

// router converts what is done to the requests of a router.
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

// bare is a name without its provider.
func bare(name string) (string, bool) {
	name, provider, has := strings.Cut(name, "@")
	return name, !has || provider == "file"
}
