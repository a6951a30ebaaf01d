package balancer

// This file ends the time of open breakers early when a pool runs dry. A breaker
// keeps requests away because others can take them. When nobody else is left, an
// upstream that passes its probes is tried at once: a trial costs a request less
// than waiting for the open time to end. It is a trial like any other, of which
// the rest of the requests wait for the result.
//
// The pool is dry from when the last of its available members that is not
// ejected has gone, or fails so that only the floor under ejection keeps it,
// until another one is there. In each such time a member gets one early trial,
// and another one only when its probes begin to pass. Then it waits as long as
// it would have to after any other failed trial.

// runDry begins a dry time of the pool. Called with mu held.
func (p *Pool) runDry() {
	p.dry = true
	p.droughts++
	members := p.set.Load().members
	for i := range members {
		p.tryEarly(members[i].Upstream)
	}
}

// tryEarly lets u have its trial, if the pool is dry and nothing but u's breaker
// keeps it out. Called with mu held.
func (p *Pool) tryEarly(u *Upstream) {
	if !p.dry || u.tried == p.droughts || !u.wanted() || u.Health() != Up {
		return
	}
	u.tried = p.droughts
	u.breaker.hasten()
}

// Early reports whether the upstream's breaker is half-open before its time,
// since the pool had nobody else.
func (u *Upstream) Early() bool { return u.breaker.wasEarly() }
