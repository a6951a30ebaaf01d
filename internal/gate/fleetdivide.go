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

// followMembers updates everything that depends on the other instances. It is called
// before the fleet runs.
func (f *inFleet) followMembers(g *Gate) {
	f.FollowMembers(func(s *fleet.State) {
		f.divide(g)
		f.changes.settle(s)
	})
}

// divide updates all pools to this instance's portion of the fleet's limits.
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

// divide updates a pool after instances or their zones have changed.
func (p *pool) divide() {
	p.spread(p.live())
	p.members.mu.Lock()
	defer p.members.mu.Unlock()
	members := p.live().Members()
	if slices.ContainsFunc(members, func(m balancer.Member) bool { return m.FleetMax() > 0 }) {
		p.put()
	}
}

// spread passes the zones of the other instances to a pool.
func (p *pool) spread(live *proxy.Pool) {
	if !p.fleet.alone() {
		live.SetPeers(p.fleet.State().Zones())
	}
}

// part returns how many concurrent requests this instance sends to an upstream; 0 = no
// limit.
func (f *inFleet) part(s balancer.Spec) int {
	if f.alone() || s.FleetMax == 0 {
		return s.MaxInFlight
	}
	return f.own.Load().Share(s.FleetMax, f.Hash([]byte("max_in_flight "+s.Addr)))
}

// shares returns this instance's share of each limit that the fleet divides.
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

// caps returns the limits of a pool's upstreams. Upstreams with equal limits share one
// entry.
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
