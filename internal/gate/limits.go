package gate

import (
	"cmp"
	"reflect"
	"strings"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// newLimits returns nil when everything is let in.
// listenerLimits returns a listener's limits: those that it has already, with what
// they have counted, unless they change.
func (g *Gate) listenerLimits(l config.Listener) *proxy.Limits {
	for _, s := range g.current.Load().servers {
		if s.config.Address == l.Address && reflect.DeepEqual(s.config.Limits, l.Limits) {
			return s.limits
		}
	}
	return newLimits(l.Limits)
}

// keepLimits gives routes the limits of the present configuration where a route
// for the same requests has the same, and returns the limits of all.
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

func newLimits(c config.Limits) *proxy.Limits {
	if len(c.Rates) == 0 && c.MaxRequests == 0 && c.MaxBody == 0 {
		return nil
	}
	l := &proxy.Limits{Requests: c.MaxRequests, MaxBody: int64(c.MaxBody)}
	for _, r := range c.Rates {
		l.Rates = append(l.Rates, proxy.NewRate(proxy.Rate{
			Name:      r.Name,
			On:        rateKey(r),
			PerSecond: float64(r.Requests) / r.Per.Seconds(),
			Burst:     cmp.Or(r.Burst, r.Requests),
			MaxKeys:   r.MaxKeys,
			DryRun:    r.DryRun,
		}))
	}
	return l
}

func rateKey(r config.Rate) proxy.RateKey {
	if name, ok := strings.CutPrefix(r.On, "header:"); ok {
		return proxy.RateByHeader(name)
	}
	if name, ok := strings.CutPrefix(r.On, "cookie:"); ok {
		return proxy.RateByCookie(name)
	}
	if r.On == "all" {
		return nil
	}
	return proxy.RateByClient(r.IPv6Prefix)
}
