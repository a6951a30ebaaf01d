package convert

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// mapped returns the guards of a proxy_pass whose host a map chooses, the default last.
// ok is false if a route cannot express the map's key.
func (n *nginx) mapped(l *nginxconf.Location, p *place) (guards []guard, ok bool) {
	scheme, rest, _ := strings.Cut(l.Pass.Arg(0), "://")
	chosen, uri, _ := strings.Cut(rest, "$request_uri")
	i := slices.IndexFunc(n.http, func(d *nginxconf.Directive) bool { return d.Name == "map" && len(d.Args) == 2 && d.Arg(1) == chosen })
	if l.Variable != chosen || uri != "" || i < 0 {
		return nil, false
	}
	cases, ok := mapCases(n.http[i], func(value string) bool { return !strings.Contains(value, "$") || n.splitClients(value) != nil })
	if !ok {
		return nil, false
	}
	for _, c := range cases {
		guards = append(guards, guard{conditions: c.conditions, then: n.toHost(l, p, scheme, c.value), lost: Note{l.Pass.At(), "proxy_pass", "requests that it sends to " + c.value + " would go elsewhere"}})
	}
	n.use(n.http[i])
	return guards, true
}

// toHost returns what happens to requests for which a map gives a host.
func (n *nginx) toHost(l *nginxconf.Location, p *place, scheme, host string) func(route, []guard) {
	if host == "" {
		return func(r route, _ []guard) { n.add(r.answering(answer{respond: true, status: 502})) }
	}
	one := *l
	if n.splitClients(host) != nil {
		one.Variable, one.Pass.Args = host, []string{scheme + "://" + host}
	} else {
		one.Scheme, one.Host, one.URI, one.Variable = scheme, host, "", ""
	}
	return func(r route, _ []guard) { n.proxied(&one, p, r, nil) }
}

// mapKey returns the condition of a map's key.
func mapKey(variable, key string) (guard, bool) {
	g, ok := guard{}, false
	if re, anyCase := strings.CutPrefix(key, "~*"); anyCase {
		g, ok = condition([]string{variable, "~*", re})
	} else if re, isExpression := strings.CutPrefix(key, "~"); isExpression {
		g, ok = condition([]string{variable, "~", re})
	} else {
		g, ok = condition([]string{variable, "=", strings.TrimPrefix(key, `\`)})
	}
	return g, ok && !g.not // a guard with not cannot be used here
}
