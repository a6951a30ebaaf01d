package convert

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// namedPlace returns the location @name of a server, if it forwards requests by HTTP.
func (n *nginx) namedPlace(s *nginxconf.Server, name string) (*place, *nginxconf.Location) {
	for _, q := range places(scope{n.http, s.Block}, nil) {
		if strings.HasPrefix(name, "@") && q.path == name {
			if l := n.located(s, q.Directive); l != nil {
				return q, l
			}
		}
	}
	return nil, nil
}

// fallback converts "error_page 502 504 = @other" of a location: another pool answers
// requests that fail with a gateway error.
func (n *nginx) fallback(s *nginxconf.Server, p *place, r *route) {
	for _, d := range p.any("error_page") {
		if !isGatewayPage(d) {
			continue
		}
		_, l := n.namedPlace(s, lastArg(d))
		if l == nil || l.Host == "" {
			n.noFallback(d)
			continue
		}
		pool := n.pool(l)
		if pool == "" || pool == r.pool {
			n.noFallback(d)
			continue
		}
		on := "[unavailable, connect, response]"
		if p.one("proxy_intercept_errors").Arg(0) == "on" {
			on = "[unavailable, connect, response, status]"
			n.use(p.one("proxy_intercept_errors"))
		}
		r.fallback, r.fallbackOn = pool, on
		n.note(d.At(), d.Name, "requests that fail with 502, 503 or 504 go to pool %s, with the path and the headers of this location", pool)
		return
	}
}

func (n *nginx) noFallback(d *nginxconf.Directive) {
	if strings.HasPrefix(lastArg(d), "@") {
		n.note(d.At(), d.Name, "left out: goodgate cannot use %s as a fallback pool", lastArg(d))
	}
}

// isGatewayPage reports whether an error_page is about gateway errors.
func isGatewayPage(d *nginxconf.Directive) bool {
	return len(d.Args) > 1 && (slices.Contains(d.Args, "502") || slices.Contains(d.Args, "504"))
}

func lastArg(d *nginxconf.Directive) string {
	if len(d.Args) == 0 {
		return ""
	}
	return d.Args[len(d.Args)-1]
}
