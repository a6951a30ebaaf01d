package convert

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// term is one alternative of a condition: all of has must hold, and none of hasNot.
type term struct {
	has    conditions
	hasNot []conditions
}

// mostTerms bounds the number of terms that nested alternatives can become.
const mostTerms = 200

// alternatives returns the guards of a rule with several terms. For what must not hold,
// a guard lets the request pass first.
func alternatives(terms []term, g guard) (all []guard) {
	for _, t := range terms {
		begin := len(all)
		for _, not := range t.hasNot {
			if both, can := t.has.and(not); can == possible {
				all = append(all, guard{conditions: both, lost: g.lost})
			}
		}
		for i := begin; i < len(all); i++ {
			all[i].passes = len(all) - i // also skips the rule itself
		}
		one := g
		one.conditions = t.has
		all = append(all, one)
	}
	return all
}

// terms reads a line's condition. ok is false if a route cannot express it.
func (h *fromHAProxy) terms(s *haproxy.Section, l haproxy.Line) ([]term, bool) {
	if l.Word(0) == "monitor-uri" {
		var c conditions
		ok := c.exactly(l.Word(1))
		return []term{{has: c}}, ok
	}
	at := slices.IndexFunc(l.Words, func(w string) bool { return w == "if" || w == "unless" })
	if at < 0 {
		return []term{{}}, true
	}
	var all []term
	h.anotherPath = h.moved || pathChanged(s, l)
	h.otherFields = slices.Concat(h.edited, fieldsChanged(s, l))
	h.otherSource = peerFirst(s, l)
	s = aclsOf(s, l)
	for _, words := range splitOr(slices.Clone(l.Words[at+1:])) {
		terms, ok := h.conjunction(s, words, l.Word(0) != "use_backend")
		if !ok || len(all)+len(terms) > mostTerms {
			return nil, false
		}
		all = append(all, terms...)
	}
	ok := len(all) > 0
	if l.Words[at] == "unless" {
		all, ok = negated(all)
	}
	return all, ok && sayable(all)
}

// aclsOf returns the section that defines the acls of a line: for a rule of a defaults
// section, that section.
func aclsOf(s *haproxy.Section, l haproxy.Line) *haproxy.Section { return cmp.Or(l.From, s) }

// peerFirst reports whether a line is about the other end of the connection, because
// HAProxy gets the client's address from a header or the PROXY protocol only later.
func peerFirst(s *haproxy.Section, l haproxy.Line) bool {
	later := func(o haproxy.Line) bool {
		return l.Word(0) == "tcp-request" || l.Word(0) == "http-request" && o.No > l.No
	}
	proxied := func(b haproxy.Line) bool { return b.Has("accept-proxy") }
	return slices.ContainsFunc(s.All("http-request", "set-src"), later) ||
		l.Word(0) == "tcp-request" && l.Word(1) == "connection" && slices.ContainsFunc(s.All("bind"), proxied)
}

// sayable reports whether routes can separate what must hold from what must not.
func sayable(terms []term) bool {
	return !slices.ContainsFunc(terms, func(t term) bool {
		return slices.ContainsFunc(t.hasNot, func(not conditions) bool { _, can := t.has.and(not); return can == unsayable })
	})
}

// negated returns terms that hold if none of the given ones does. It cannot negate
// terms with a part that must not hold.
func negated(all []term) ([]term, bool) {
	var out term
	if len(all) == 1 && len(all[0].hasNot) == 0 {
		if other, ok := all[0].has.opposite(); ok {
			return []term{{has: other}}, true
		}
	}
	for _, t := range all {
		if len(t.hasNot) == 1 && t.has.match() == "{}" && len(all) == 1 {
			return []term{{has: t.hasNot[0]}}, true
		}
		if len(t.hasNot) > 0 {
			return nil, false
		}
		out.hasNot = append(out.hasNot, t.has)
	}
	return []term{out}, len(all) > 0
}

func splitOr(words []string) (all [][]string) {
	for len(words) > 0 {
		i := slices.IndexFunc(words, func(w string) bool { return w == "or" || w == "||" })
		if i < 0 {
			return append(all, words)
		}
		all, words = append(all, words[:i]), words[i+1:]
	}
	return all
}

// conjunction reads tests that must all hold. A test with alternatives multiplies the
// terms. A strict test must not let any request pass by mistake.
func (h *fromHAProxy) conjunction(s *haproxy.Section, words []string, strict bool) ([]term, bool) {
	terms := []term{{}}
	for len(words) > 0 {
		not := false
		for strings.HasPrefix(words[0], "!") {
			not = !not
			if words[0] = strings.TrimPrefix(words[0], "!"); words[0] == "" {
				if words = words[1:]; len(words) == 0 {
					return nil, false
				}
			}
		}
		var tests [][]string
		if words[0] == "{" {
			end := slices.Index(words, "}")
			if end < 0 {
				return nil, false
			}
			tests, words = [][]string{words[1:end]}, words[end+1:]
		} else {
			tests, words = h.acl(s, words[0]), words[1:]
		}
		var either []conditions
		for _, test := range tests {
			some, ok := h.test(test, strict)
			if !ok {
				return nil, false
			}
			either = append(either, some...)
		}
		var ok bool
		if terms, ok = times(terms, either, not); !ok || len(either) == 0 || len(terms) > mostTerms {
			return nil, false
		}
	}
	return terms, true
}

// times combines terms with the alternatives of a test.
func times(terms []term, either []conditions, not bool) (out []term, ok bool) {
	if len(either) == 1 && not {
		if other, ok := either[0].opposite(); ok {
			either, not = []conditions{other}, false
		}
	}
	for _, t := range terms {
		if not {
			t.hasNot = append(slices.Clone(t.hasNot), either...)
			out = append(out, t)
			continue
		}
		for _, c := range either {
			both, can := t.has.and(c)
			if can == unsayable {
				return nil, false
			}
			if can == possible {
				out = append(out, term{both, t.hasNot})
			}
		}
	}
	return out, len(out) > 0
}

// acl returns the tests of a named acl, one of which must hold.
func (h *fromHAProxy) acl(s *haproxy.Section, name string) (tests [][]string) {
	if name == "METH_GET" {
		return [][]string{{"method", "GET", "HEAD"}}
	}
	if method, ok := strings.CutPrefix(name, "METH_"); ok {
		return [][]string{{"method", method}}
	}
	if name == "LOCALHOST" {
		return [][]string{{"src", "127.0.0.0/8", "::1"}}
	}
	for _, l := range s.All("acl", name) {
		tests = append(tests, slices.Clone(l.Words[2:]))
	}
	return tests
}

// test reads one test. Its values are alternatives.
func (h *fromHAProxy) test(words []string, strict bool) (either []conditions, ok bool) {
	if len(words) == 0 {
		return nil, false
	}
	what, how, anyCase := words[0], "", false
	var values []string
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case w == "-i":
			anyCase = true
		case w == "-m" && i+1 < len(words):
			i++
			how = words[i]
		case w == "--":
			values = append(values, words[i+1:]...)
			i = len(words)
		case strings.HasPrefix(w, "-") && len(w) == 2:
			return nil, false // -f and others
		default:
			values = append(values, w)
		}
	}
	what = strings.TrimPrefix(what, "req.")
	switch {
	case what == "ssl_fc" && len(values) == 0:
		return []conditions{{scheme: "https"}}, true
	case what == "TRUE" || what == "always_true":
		return []conditions{{}}, true
	case strings.HasPrefix(what, "path") || strings.HasPrefix(what, "url_") && !strings.HasPrefix(what, "url_param") || what == "url":
		return h.pathTest(what, how, values, anyCase)
	case what == "src" && h.otherSource:
		return nil, false // routes match the address of the client, not of the proxy before it
	case what == "method" || what == "src":
		return oneOf(what, values)
	}
	if m := fetched.FindStringSubmatch(what); m != nil && strings.HasSuffix(m[1], "hdr") && slices.ContainsFunc(h.otherFields, func(name string) bool { return strings.EqualFold(name, m[3]) }) {
		return nil, false // routes match the client's headers
	}
	return fields(what, how, values, anyCase, strict)
}

// oneOf returns the conditions of a test whose values a route accepts as a list.
func oneOf(what string, values []string) ([]conditions, bool) {
	var c conditions
	for _, v := range values {
		if what == "method" {
			if c.methods = append(c.methods, v); !isMethod(v) {
				return nil, false
			}
			continue
		}
		net, ok := network(v)
		if !ok {
			return nil, false
		}
		c.clients = append(c.clients, net)
	}
	return []conditions{c}, len(values) > 0
}

// pathFetch matches a sample of the path or of the URL, with its match method and
// converters.
var pathFetch = regexp.MustCompile(`^(path|url)(?:_(beg|dir|end|reg|sub))?((?:,(?:lower|url_dec))*)$`)

// pathTest reads a test of the path. A test of the URL is one of the path if it is about
// the beginning, without the query.
func (h *fromHAProxy) pathTest(what, how string, values []string, anyCase bool) ([]conditions, bool) {
	m := pathFetch.FindStringSubmatch(what)
	if m == nil || h.anotherPath { // routes match the client's path
		return nil, false
	}
	kind := m[2]
	if how != "" {
		kind = how
	}
	has := func(found func(string) bool) bool { return slices.ContainsFunc(values, found) }
	if m[1] == "url" && (kind != "beg" || has(func(v string) bool { return strings.Contains(v, "?") })) {
		return nil, false
	}
	if strings.Contains(m[3], "lower") {
		if anyCase = true; has(func(v string) bool { return v != strings.ToLower(v) }) && kind != "reg" {
			return nil, false // it never holds
		}
	}
	return paths(kind, values, anyCase)
}

// paths reads the tests path, path_beg, path_end, path_sub, path_dir and path_reg.
func paths(kind string, values []string, anyCase bool) (either []conditions, ok bool) {
	for _, v := range values {
		var c conditions
		var re string
		quoted := regexp.QuoteMeta(v)
		switch kind {
		case "", "str":
			re = "^" + quoted + "$"
			if !anyCase && isPath(v) {
				c, re = conditions{path: v}, ""
			}
		case "beg":
			re = "^" + quoted
			if !anyCase && isPath(v) {
				c, re = conditions{path: v + "*"}, ""
			}
		case "end":
			re = quoted + "$"
		case "sub":
			re = quoted
		case "dir":
			re = "(^|/)" + strings.Trim(quoted, "/") + "(/|$)"
		case "reg":
			re = v
		default:
			return nil, false
		}
		if re != "" {
			if c.regexp, ok = expression(re, anyCase); !ok {
				return nil, false
			}
		}
		either = append(either, c)
	}
	return either, len(either) > 0
}
