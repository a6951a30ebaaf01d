package balancer

import (
	"math/rand/v2"
	"net"
	"slices"
)

// Introduction says how upstreams that run something new come into use beside the others
// of their pool: they get a share of the requests, whatever the policy. It is a preference:
// when nobody of the side that a request is meant for can take it, the other side does.
//
// A request that has a place by the policy hash stays on its side as the share grows, and
// one that the policy sticky knows stays where it was, until Share is 0.
type Introduction struct {
	Upstreams []string // addresses, or names with a port, of the pool's members or those that are to join
	Share     float64  // of the requests that are meant for them: 0 none, 1 all
	// Replayable keeps them for requests whose failure can be hidden: Share is of these.
	Replayable bool
}

// side is which upstreams a request is meant for while there is an introduction.
type side uint8

const (
	anySide side = iota
	settledSide
	newSide
	settledAlone // as settledSide, whatever else the policy wants
)

// Introduce begins an introduction, or changes the one there is; nil ends it. Its value is
// the pool's from then on. It is safe for concurrent use.
func (p *Pool) Introduce(in *Introduction) {
	p.mu.Lock()
	p.introduction.Store(in)
	for _, u := range p.upstreams {
		u.introduced.Store(in.has(u))
	}
	p.share()
	p.mu.Unlock()
	p.waiters.wakeAll()
}

// Introduction returns the present introduction, nil without one. It must not be changed.
func (p *Pool) Introduction() *Introduction { return p.introduction.Load() }

// Introduced reports whether the upstream is one that an [Introduction] of its pool names.
// It is safe for concurrent use.
func (u *Upstream) Introduced() bool { return u.introduced.Load() }

func (in *Introduction) has(u *Upstream) bool {
	return in != nil && (slices.Contains(in.Upstreams, u.Addr()) || slices.Contains(in.Upstreams, u.Origin()))
}

// Origin returns what the upstream was found by: its name and port, or its address.
func (u *Upstream) Origin() string {
	if _, port, err := net.SplitHostPort(u.Addr()); err == nil && u.name != "" {
		return net.JoinHostPort(u.name, port)
	}
	return u.Addr()
}

// side draws for whom a request is. One that has been sent somewhere already goes to who
// has proven itself.
func (in *Introduction) side(c *Choice) side {
	if in.Share <= 0 {
		return settledAlone
	}
	if len(c.Tried) > 0 || in.Replayable && !c.Replayable {
		return settledSide
	}
	r := rand.Uint64()
	if c.Hash != 0 {
		r = mix(^c.Hash) // not as the policy hash draws, which would favour some places
	}
	if float64(r>>11)/(1<<53) < in.Share {
		return newSide
	}
	return settledSide
}

// HasSettled reports whether an available member is not being introduced. It may look at
// every member. It is safe for concurrent use.
func (p *Pool) HasSettled() bool {
	members := p.Members()
	for i := range members {
		if !members[i].Introduced() && members[i].Available() {
			return true
		}
	}
	return false
}

// takes reports whether a request of this side is meant for an upstream.
func (s side) takes(u *Upstream) bool {
	return s == anySide || u.introduced.Load() == (s == newSide)
}

// settled counts the members that serve and are not being introduced, 1 at least: the newcomers do
// not make a tier any larger, nor any less available while they start. Called with the
// pool's mu held.
func (t *tier) settled() int {
	n := 0
	for i := range t.members {
		if m := &t.members[i]; !m.introduced.Load() && m.Lifecycle() == Serving {
			n++
		}
	}
	return max(n, 1)
}
