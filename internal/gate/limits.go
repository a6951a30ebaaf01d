package gate

import (
	"reflect"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// listenerLimits returns a listener's limits. Unchanged settings keep the present limits,
// with their counts.
func (g *Gate) listenerLimits(l config.Listener) *proxy.Limits {
	for _, s := range g.current.Load().servers {
		if s.config.Address == l.Address && reflect.DeepEqual(s.config.Limits, l.Limits) {
			return s.limits
		}
	}
	limits := assemble.Limits(l.Limits)
	g.fleet.share("listener "+l.Address, l.Limits, limits)
	return limits
}

// keepLimits gives a route the present limits, with their counts, if a present route for
// the same requests has the same settings. It returns the limits of all routes.
func (before *present) keepLimits(c *config.Config, routes []proxy.Route) []*proxy.Limits {
	all := make([]*proxy.Limits, len(routes))
	used := map[int]bool{}
	for i := range routes {
		for j, r := range before.config.Routes {
			if !used[j] && reflect.DeepEqual(r.Match, c.Routes[i].Match) && reflect.DeepEqual(r.Limits, c.Routes[i].Limits) {
				used[j] = true
				routes[i].Limits = before.limits[j]
				break
			}
		}
		all[i] = routes[i].Limits
	}
	return all
}
