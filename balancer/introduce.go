package balancer

import (
	"math/rand/v2"
	"net"
	"slices"
)

// Introduction sends a share of a pool's requests to new upstreams, and the rest to the
// settled ones (a canary). It works with every policy. The share is a preference: if no
// upstream of the chosen group can take a request, the other group serves it.
//
// While the share grows, a key ([Choice].Hash) that has moved to the new upstreams stays
// there. Under the policy sticky, a client with a session stays with its upstream until
// Share is 0.
type Introduction struct {
	Upstreams []string // addresses, or host names with a port, of current or future members
	Share     float64  // share of the requests that the new upstreams get: 0 none, 1 all
	// Replayable limits the new upstreams to requests whose failure another attempt can
	// hide. Share then means a share of these.
	Replayable bool
}

// side is the group of upstreams that an introduction draws for a request.
type side uint8

const (
	anySide side = iota
	settledSide
	newSide
	settledAlone // like settledSide, against any preference of the policy
)

// Introduce starts an introduction or replaces the current one; nil ends it. Do not
// modify in afterwards. Introduce is safe for concurrent use.
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

// Introduction returns the current introduction, nil without one. Do not modify it.
func (p *Pool) Introduction() *Introduction { return p.introduction.Load() }

// Introduced reports whether an [Introduction] of the pool names the upstream. It is safe
// for concurrent use.
func (u *Upstream) Introduced() bool { return u.introduced.Load() }

func (in *Introduction) has(u *Upstream) bool {
	return in != nil && (slices.Contains(in.Upstreams, u.Addr()) || slices.Contains(in.Upstreams, u.Origin()))
}

// Origin returns how the configuration or a source names the upstream: its host name and
// port, or its address.
func (u *Upstream) Origin() string {
	if _, port, err := net.SplitHostPort(u.Addr()); err == nil && u.name != "" {
		return net.JoinHostPort(u.name, port)
	}
	return u.Addr()
}

// side draws the side for a request. A further attempt of a request goes to the settled
// upstreams.
func (in *Introduction) side(c *Choice) side {
	if in.Share <= 0 {
		return settledAlone
	}
	if len(c.Tried) > 0 || in.Replayable && !c.Replayable {
		return settledSide
	}
	r := rand.Uint64()
	if c.Hash != 0 {
		r = mix(^c.Hash) // not the draw of the policy hash, which would concentrate on some entries
	}
	if float64(r>>11)/(1<<53) < in.Share {
		return newSide
	}
	return settledSide
}

// HasSettled reports whether the pool has an available member that the current
// [Introduction] does not name. It may visit every member. It is safe for concurrent use.
func (p *Pool) HasSettled() bool {
	members := p.Members()
	for i := range members {
		if !members[i].Introduced() && members[i].Available() {
			return true
		}
	}
	return false
}

// takes reports whether an upstream belongs to this side.
func (s side) takes(u *Upstream) bool {
	return s == anySide || u.introduced.Load() == (s == newSide)
}

// settled counts the members that serve and are not being introduced, but returns at
// least 1. New upstreams thus make a tier neither larger nor, while they start, less
// available. The pool's mu must be held.
func (t *tier) settled() int {
	n := 0
	for i := range t.members {
		if m := &t.members[i]; !m.introduced.Load() && m.Lifecycle() == Serving {
			n++
		}
	}
	return max(n, 1)
}
