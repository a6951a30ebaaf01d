package convert

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// routes applies a list of routes to a draft. Requests that none of them answers go to
// next.
func (c *caddy) routes(list []*tree, d draft, next func(draft)) {
	if c.depth++; c.depth > 2000 {
		c.refuse("", "routes", "there are more conditions than convert can combine, so their restrictions would be lost")
	} else {
		c.from(list, nil, d, next)
	}
	c.depth--
}

// from applies routes, except those of groups of which a route has already matched.
func (c *caddy) from(list []*tree, done []string, d draft, next func(draft)) {
	if !c.step() {
		return
	}
	if len(list) == 0 {
		next(d)
		return
	}
	r, rest := list[0], list[1:]
	r.read = true
	group, terminal := r.str("group"), r.on("terminal")
	if group != "" && slices.Contains(done, group) {
		c.from(rest, done, d, next)
		return
	}
	handlers := r.all("handle")
	terms, ok := c.matches(r.all("match"), &d)
	if !ok {
		c.lost(r, handlers)
		c.from(rest, done, d, next)
		return
	}
	lost := Note{r.place(), c.what(handlers), "a route of goodgate cannot have its condition here, so its effect on these requests would be lost"}
	c.split(d, terms, lost, func(d draft) {
		done := done
		if group != "" {
			done = append(slices.Clone(done), group)
		}
		c.handlers(handlers, d, func(d draft) {
			if terminal {
				c.end(d)
			} else {
				c.from(rest, done, d, next)
			}
		})
	}, func(d draft) { c.from(rest, done, d, next) })
}

// what returns a name for a list of handlers: the directive's, or the first handler's.
func (c *caddy) what(handlers []*tree) string {
	if len(handlers) == 0 {
		return "routes"
	}
	return cmp.Or(handlers[0].str("@directive"), handlers[0].str("handler"))
}

// lost reports that a route is left out because goodgate cannot have its condition.
// This is a note if the route only changes how answers look, else a refusal.
func (c *caddy) lost(r *tree, handlers []*tree) {
	const why = "a route cannot have its condition"
	harmless := !slices.ContainsFunc(handlers, func(h *tree) bool { return !c.adorns(h) })
	if what := c.what(handlers); harmless {
		c.note(r.place(), what, "left out: %s", why)
	} else {
		c.refuse(r.place(), what, "its requests would get other answers, because "+why)
	}
	r.use()
}

// adorns reports whether a handler only changes how an answer looks.
func (c *caddy) adorns(h *tree) bool {
	switch h.str("handler") {
	case "encode", "push", "templates", "tracing", "log_append", "vars", "map", "rewrite":
		return true
	case "headers":
		ops := h.get("response")
		fields := slices.Concat(ops.names("set"), ops.names("add"))
		return len(ops.strs("delete")) == 0 && h.of["request"] == nil && !slices.ContainsFunc(fields, protectsBrowser)
	case "subroute":
		return len(h.all("routes")) == 0
	}
	return false
}

// matches returns the terms of matcher sets, one of which must hold.
func (c *caddy) matches(sets []*tree, d *draft) (all []term, ok bool) {
	if len(sets) == 0 {
		return []term{{}}, true
	}
	for _, set := range sets {
		terms, ok := c.matcherSet(set, d)
		if !ok || len(all)+len(terms) > mostTerms {
			return nil, false
		}
		all = append(all, terms...)
	}
	return all, sayable(all)
}

// matcherSet returns the terms of matchers that must all hold.
func (c *caddy) matcherSet(set *tree, d *draft) ([]term, bool) {
	set.use()
	terms := []term{{}}
	for _, kind := range set.keys {
		some, ok := c.matcher(kind, set.get(kind), d)
		if !ok {
			return nil, false
		}
		if terms, ok = both(terms, some); !ok {
			return nil, false
		}
	}
	return terms, true
}

func (c *caddy) matcher(kind string, m *tree, d *draft) (all []term, ok bool) {
	switch kind {
	case "host":
		return hostTerms(m.strs())
	case "path":
		return c.pathTerms(m.strs(), d)
	case "path_regexp":
		return c.regexpTerms(m, d)
	case "method":
		var list []string
		for _, v := range m.strs() {
			if list = append(list, v); !isMethod(v) {
				return nil, false
			}
		}
		return []term{{has: conditions{methods: list}}}, len(list) > 0
	case "header":
		return headerTerms(m)
	case "header_regexp":
		return headerPatterns(m, d)
	case "query":
		return queryTerms(m)
	case "protocol":
		switch m.text {
		case "http", "https":
			return []term{{has: conditions{scheme: m.text}}}, true
		}
		return nil, false
	case "remote_ip", "client_ip":
		list := ranges(m.strs("ranges"))
		if kind == "remote_ip" && c.server.get("trusted_proxies") != nil && !m.on("forwarded") {
			return nil, false // goodgate compares the client's address
		}
		return []term{{has: conditions{clients: list}}}, len(list) > 0
	case "not":
		var none []term
		for _, set := range m.all() {
			terms, ok := c.matcherSet(set, d)
			if !ok {
				return nil, false
			}
			none = append(none, terms...)
		}
		return neither(none)
	}
	return nil, false
}

func hostTerms(names []string) ([]term, bool) {
	var exact, wild []string
	for _, n := range names {
		rest, isWild := strings.CutPrefix(n, "*.")
		if !isName(rest) {
			return nil, false
		}
		if isWild {
			wild = append(wild, n)
		} else {
			exact = append(exact, n)
		}
	}
	var all []term
	if len(exact) > 0 {
		all = append(all, term{has: conditions{hosts: exact}})
	}
	for _, w := range wild {
		all = append(all, term{has: conditions{hosts: []string{w}}})
	}
	return all, len(all) > 0
}

// pathTerms returns the terms of path patterns, whose case Caddy ignores. A * at an end
// stands for any text, elsewhere for any text without a slash.
func (c *caddy) pathTerms(patterns []string, d *draft) (all []term, ok bool) {
	for _, p := range patterns {
		in := conditions{anyCase: c.anyCase}
		if c.anyCase {
			p = strings.ToLower(p)
		}
		prefix := strings.TrimSuffix(p, "*")
		plain := !strings.ContainsAny(prefix, `*?[\{%`)
		switch {
		case p == "*" || p == "/*":
			all = append(all, term{})
			continue
		case plain && isPath(prefix):
			in.path = p
		case strings.ContainsAny(p, `{\[%`):
			return nil, false
		default:
			in.anyCase = false
			if in.regexp, ok = expression(glob(p), true); !ok {
				return nil, false
			}
		}
		out, never, ok := d.inside(in)
		if !ok {
			return nil, false
		}
		if !never {
			all = append(all, term{has: out})
		}
	}
	return all, true
}

// glob returns a pattern as a regular expression.
func glob(pattern string) string {
	var b strings.Builder
	rest, begins := strings.CutPrefix(pattern, "*")
	rest, ends := strings.CutSuffix(rest, "*")
	inner := "[^/]*"
	if !begins {
		b.WriteByte('^')
	}
	for part := range strings.SplitSeq(rest, "*") {
		if b.Len() > 1 || b.Len() > 0 && b.String() != "^" {
			b.WriteString(inner)
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(part), `\?`, "[^/]"))
	}
	if !ends {
		b.WriteByte('$')
	}
	return b.String()
}

func (c *caddy) regexpTerms(m *tree, d *draft) ([]term, bool) {
	re, ok := expression(m.str("pattern"), false)
	if !ok {
		return nil, false
	}
	out, never, ok := d.inside(conditions{regexp: re})
	if never || !ok {
		return nil, ok
	}
	captures := map[string]string{"": re}
	if name := m.str("name"); name != "" {
		captures[name] = re
	}
	for k, v := range d.captures {
		if captures[k] == "" {
			captures[k] = v
		}
	}
	d.captures = captures
	return []term{{has: out}}, true
}
