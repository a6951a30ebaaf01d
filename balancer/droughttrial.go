package balancer

// This file ends the open time of breakers early if a pool runs dry. A breaker keeps
// requests away because other upstreams can take them. If none is left, the pool tries an
// upstream that passes its probes at once: a trial costs a request less than a wait for
// the end of the open time. The trial is like any other: the other requests wait for its
// result.
//
// A dry time starts when the last member that is available and not ejected goes, or when
// it fails so that only the floor under ejection keeps it. The dry time ends when another
// such member appears. In each dry time a member gets one early trial, and a second one
// only when its probes begin to pass. After that it waits for its open time as after any
// other failed trial.

// runDry starts a dry time of the pool. mu must be held.
func (p *Pool) runDry() {
	p.dry = true
	p.droughts++
	members := p.set.Load().members
	for i := range members {
		p.tryEarly(members[i].Upstream)
	}
}

// tryEarly gives u an early trial if the pool is dry and only u's breaker keeps it out.
// mu must be held.
func (p *Pool) tryEarly(u *Upstream) {
	if !p.dry || u.tried == p.droughts || !u.wanted() || u.Health() != Up {
		return
	}
	u.tried = p.droughts
	u.breaker.hasten()
}

// Early reports whether the upstream's breaker became half-open before its open time
// ended, because the pool had no other upstream.
func (u *Upstream) Early() bool { return u.breaker.wasEarly() }
