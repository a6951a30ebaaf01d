package convert

import (
	"maps"
	"slices"
	"strings"
)

// guard is a rule before a location. Requests that meet its conditions (or, with not,
// do not meet them) get its answer. Without an answer they skip the following guards,
// as with "allow".
type guard struct {
	conditions
	not    bool
	answer *answer
	then   func(rt route, rest []guard) // handles the request, instead of an answer; rest are the guards after this one
	behind bool                         // the route's access control applies to the answer too
	passes int
	lost   Note // the refusal if goodgate cannot have the guard before a location
}

// mostSteps bounds the work for a small configuration.
const mostSteps = 100_000

// guarded adds a route behind its guards. goodgate tries routes in order, and the first
// that matches gets the request.
func (r *Result) guarded(rt route, guards []guard) {
	if r.steps++; r.steps > mostSteps {
		r.refuse("", "routes", "there are more conditions than convert can combine, so their restrictions would be lost")
		return
	}
	if len(guards) == 0 {
		r.add(rt)
		return
	}
	g, rest := guards[0], guards[1:]
	in := rt
	var can verdict
	in.conditions, can = rt.and(g.conditions)
	if can == unsayable {
		r.refuse(g.lost.Where, g.lost.What, g.lost.Text)
		return
	}
	others := can == impossible || in.match() != rt.match() // requests that do not meet the conditions
	if can == possible {
		switch {
		case g.then != nil:
			g.then(in, rest)
		case g.answer == nil:
			r.guarded(in, rest[min(g.passes, len(rest)):])
		case g.not:
			r.guarded(in, rest)
		default:
			one := in.answering(*g.answer)
			if g.behind {
				one.access = in.access
			}
			r.add(one)
		}
	}
	switch {
	case !others:
	case g.not:
		r.add(rt.answering(*g.answer))
	default:
		r.guarded(rt, rest)
	}
}

// ahead adds the guards that answer before all others, once for all following routes,
// and returns the rest.
func (r *Result) ahead(rt route, guards []guard) []guard {
	for i, g := range guards {
		if g.answer == nil || g.not || g.then != nil {
			return guards[i:]
		}
		in, can := rt.and(g.conditions)
		switch can {
		case unsayable:
			r.refuse(g.lost.Where, g.lost.What, g.lost.Text)
		case possible:
			one := rt.answering(*g.answer)
			one.conditions = in
			r.add(one)
		}
	}
	return nil
}

// answering returns the route with an answer instead of its pool.
func (r route) answering(a answer) route {
	return route{conditions: r.conditions, answer: a, setResponse: a.fields, unlogged: r.unlogged}
}

// verdict tells whether two conditions can both hold.
type verdict int

const (
	possible verdict = iota
	impossible
	unsayable // both can hold, but a route cannot have both
)

// and returns the conditions that hold when both do.
func (c conditions) and(o conditions) (conditions, verdict) {
	can := possible
	unless := func(ok bool, v verdict) {
		if !ok {
			can = max(can, v)
		}
	}
	words := func(a, b []string) []string {
		if len(a) == 0 || len(b) == 0 {
			return slices.Concat(a, b)
		}
		common := slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
		unless(len(common) > 0, impossible)
		return common
	}
	one := func(a, b string, v verdict) string {
		unless(a == "" || b == "" || a == b, v)
		return max(a, b)
	}
	hosts, met := bothHosts(c.hosts, o.hosts)
	unless(met == possible, met)
	clients := slices.Concat(c.clients, o.clients)
	if slices.Equal(c.clients, o.clients) {
		clients = c.clients
	}
	unless(len(clients) == max(len(c.clients), len(o.clients)), unsayable)
	out := conditions{
		hosts: hosts, listeners: words(c.listeners, o.listeners), methods: words(c.methods, o.methods), clients: clients,
		hostRe: one(c.hostRe, o.hostRe, unsayable),
		scheme: one(c.scheme, o.scheme, impossible), regexp: one(c.regexp, o.regexp, unsayable), path: c.path,
		anyCase: c.anyCase || o.anyCase,
	}
	switch prefix, wild := strings.CutSuffix(c.path, "*"); {
	case o.path == "" || o.path == c.path:
	case c.path == "" || wild && strings.HasPrefix(strings.TrimSuffix(o.path, "*"), prefix):
		out.path = o.path
	default:
		of, wide := strings.CutSuffix(o.path, "*")
		unless(wide && strings.HasPrefix(prefix, of), impossible)
	}
	if out.anyCase && out.regexp != "" && out.written().regexp != "" && out.path != "" {
		met := possible
		out, met = out.inAnyCase()
		unless(met == possible, met)
	}
	out.headers = maps.Clone(c.headers)
	for name, value := range o.headers {
		have, set := fieldOf(out.headers, name)
		narrow, met := narrower(have, value)
		unless(!set || met, unsayable) // a request can have the header on two lines
		out.headers = with(out.headers, name, narrow)
	}
	out.asked = maps.Clone(c.asked)
	for what, value := range o.asked {
		what = out.spelled(what)
		have, set := out.asked[what]
		narrow, met := narrower(have, value)
		if set && !met {
			unless(false, map[bool]verdict{true: unsayable, false: impossible}[strings.HasSuffix(what.key, "_regexp")])
		}
		out.ask(what.key, what.name, narrow)
	}
	return out, can
}

// narrower returns the value that meets both of two conditions on one value. * stands
// for any value.
func narrower(have, value string) (string, bool) {
	if value == "*" && have != "" {
		return have, true
	}
	return value, have == "*" || have == value
}

// spelled returns what the conditions ask already, if that is the same header in upper or
// lower case.
func (c conditions) spelled(what asked) asked {
	for have := range c.asked {
		if what.key == askHeaderRegexp && have.key == what.key && strings.EqualFold(have.name, what.name) {
			return have
		}
	}
	return what
}

// ask adds a condition on a value.
func (c *conditions) ask(key, name, value string) {
	c.asked = maps.Clone(c.asked)
	if c.asked == nil {
		c.asked = map[asked]string{}
	}
	c.asked[asked{key, name}] = value
}

// bothHosts returns the hosts that one name of each list covers.
func bothHosts(a, b []string) ([]string, verdict) {
	wide := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, "*") })
	}
	switch {
	case len(a) == 0 || len(b) == 0:
		return slices.Concat(a, b), possible
	case slices.Equal(a, b):
		return a, possible
	case wide(a) && wide(b):
		return a, unsayable
	case wide(a):
		a, b = b, a
	}
	in := slices.DeleteFunc(slices.Clone(a), func(name string) bool {
		return !slices.ContainsFunc(b, func(pattern string) bool { return stands(pattern, name) })
	})
	if len(in) == 0 {
		return in, impossible
	}
	return in, possible
}

// stands reports whether a name, perhaps with a wildcard, covers another one.
func stands(pattern, name string) bool {
	rest, wild := strings.CutPrefix(pattern, "*")
	return strings.EqualFold(pattern, name) || wild && strings.HasSuffix(strings.ToLower(name), strings.ToLower(rest))
}

// opposite returns the conditions of all other requests, if a route can express them.
func (c conditions) opposite() (conditions, bool) {
	other := map[string]string{"http": "https", "https": "http"}[c.scheme]
	c.scheme = ""
	return conditions{scheme: other}, other != "" && c.match() == "{}"
}

// fieldOf returns the value of a header, whose name may be in upper or lower case.
func fieldOf(m map[string]string, name string) (value string, ok bool) {
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

func with(m map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	for k, v := range m {
		if !strings.EqualFold(k, name) {
			out[k] = v
		}
	}
	return out
}
