package convert

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// mapped are the guards of a proxy_pass whose host a map chooses, the default last; ok
// is false when a route cannot ask for what it goes by.
func (n *nginx) mapped(l *nginxconf.Location, p *place) (guards []guard, ok bool) {
	scheme, rest, _ := strings.Cut(l.Pass.Arg(0), "://")
	chosen, uri, _ := strings.Cut(rest, "$request_uri")
	i := slices.IndexFunc(n.http, func(d *nginxconf.Directive) bool { return d.Name == "map" && d.Arg(1) == chosen })
	if l.Variable != chosen || uri != "" || i < 0 {
		return nil, false
	}
	to := func(host string) func(route, []guard) {
		one := *l
		one.Scheme, one.Host, one.URI, one.Variable = scheme, host, "", ""
		return func(r route, _ []guard) { n.proxied(&one, p, r, nil) }
	}
	var expressions []guard // which come after the others in a map, whatever their place
	end := guard{then: func(r route, _ []guard) {
		n.add(r.answering(answer{respond: true, status: 502}))
	}}
	for _, entry := range n.http[i].Block {
		host := entry.Arg(0)
		switch {
		case len(entry.Args) != 1 || host == "" || strings.Contains(host, "$"):
			return nil, false // hostnames, include and the like
		case entry.Name == "default":
			end.then = to(host)
			continue
		}
		g, ok := mapKey(n.http[i].Arg(0), entry.Name)
		if !ok {
			return nil, false
		}
		g.then, g.lost = to(host), Note{l.Pass.At(), "proxy_pass", "requests that it sends to " + host + " would go elsewhere"}
		if strings.HasPrefix(entry.Name, "~") {
			expressions = append(expressions, g)
		} else {
			guards = append(guards, g)
		}
	}
	n.use(n.http[i])
	return append(append(guards, expressions...), end), true
}

// mapKey is what a map's key asks for.
func mapKey(variable, key string) (guard, bool) {
	g, ok := guard{}, false
	if re, anyCase := strings.CutPrefix(key, "~*"); anyCase {
		g, ok = condition([]string{variable, "~*", re})
	} else if re, isExpression := strings.CutPrefix(key, "~"); isExpression {
		g, ok = condition([]string{variable, "~", re})
	} else {
		g, ok = condition([]string{variable, "=", strings.TrimPrefix(key, `\`)})
	}
	return g, ok && !g.not // a guard that is for those that do not meet it has no place here
}
