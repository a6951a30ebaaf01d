package gate

import "github.com/goodgate/goodgate/internal/fleet"

// followMembers keeps what depends on the other instances up to date. It is called before
// the fleet runs.
func (f *inFleet) followMembers(g *Gate) {
	f.FollowMembers(func(*fleet.State) { f.divide(g) })
}

// divide gives all pools what the number of instances makes of their options.
func (f *inFleet) divide(g *Gate) {
	if f == nil {
		return
	}
	for _, p := range g.current.Load().pools {
		p.divide()
	}
}

// divide takes over how many instances there are, and in which zones.
func (p *pool) divide() {
	if p.fleet == nil {
		return
	}
	p.live().SetPeers(p.fleet.State().Zones())
}
