package gate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/proxy"
)

// followMembers keeps what depends on the other instances up to date. It is called before
// the fleet runs.
func (f *inFleet) followMembers(g *Gate) {
	f.FollowMembers(func(s *fleet.State) {
		f.divide(g)
		f.changes.settle(s)
	})
}

// divide gives all pools what the number of instances makes of their options.
func (f *inFleet) divide(g *Gate) {
	if f.alone() {
		return
	}
	own := f.State().Portion()
	f.own.Store(&own)
	for _, p := range g.current.Load().pools {
		p.divide()
	}
}

// divide takes over how many instances there are, and in which zones.
func (p *pool) divide() {
	p.spread(p.live())
	p.members.mu.Lock()
	defer p.members.mu.Unlock()
	members := p.live().Members()
	if slices.ContainsFunc(members, func(m balancer.Member) bool { return m.FleetMax() > 0 }) {
		p.put()
	}
}

// spread tells a pool in which zones the other instances are.
func (p *pool) spread(live *proxy.Pool) {
	if !p.fleet.alone() {
		live.SetPeers(p.fleet.State().Zones())
	}
}

// part is how many requests at once this instance sends to an upstream; 0 = no limit.
func (f *inFleet) part(s balancer.Spec) int {
	if f.alone() || s.FleetMax == 0 {
		return s.MaxInFlight
	}
	return f.own.Load().Share(s.FleetMax, f.Hash([]byte("max_in_flight "+s.Addr)))
}

// shares are what of each cap this instance has.
func (f *inFleet) shares(now *present) (list []admin.FleetShare) {
	add := func(what string, c config.Limits, l *proxy.Limits) {
		if c.MaxScope == "fleet" && l != nil && l.Share != nil {
			list = append(list, admin.FleetShare{Of: what + ".limits.max_requests", Total: l.Requests, Share: l.Share(l.Requests)})
		}
	}
	for _, s := range now.servers {
		add("listeners."+s.config.Address, s.config.Limits, s.limits)
	}
	for i, r := range now.config.Routes {
		if i < len(now.limits) {
			add("routes."+r.Name, r.Limits, now.limits[i])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.pools)) {
		parts := now.pools[name].parts.Load()
		add("pools."+name, parts.config.Limits, parts.limits)
		list = append(list, caps(name, parts.live.Members())...)
	}
	return list
}

// caps are those of a pool's upstreams: upstreams with the same are one.
func caps(pool string, members []balancer.Member) (list []admin.FleetShare) {
	for i := range members {
		m := &members[i]
		if m.FleetMax() == 0 {
			continue
		}
		c := admin.FleetShare{Of: fmt.Sprintf("pools.%s.upstreams.max_in_flight", pool), Total: m.FleetMax(), Share: m.MaxInFlight}
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b admin.FleetShare) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return list
}
