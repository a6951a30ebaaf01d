package balancer

import "time"

// This file counts the available members of a pool. The counts change with verdicts,
// which is rare, so that a pick need not count.

// verdictChanged updates the counts after a change of an input of u.Available. No lock
// may be held.
func (p *Pool) verdictChanged(u *Upstream) {
	p.change(u, func() bool { return true })
}

// change calls do, which may change an input of u.Available, and updates the counts if do
// returns true. It returns the result of do, or false if u has left the pool.
func (p *Pool) change(u *Upstream, do func() bool) bool {
	p.mu.Lock()
	if p.upstreams[u.key.Addr] != u || !do() {
		p.mu.Unlock()
		return false
	}
	p.count(u)
	p.share()
	p.tryEarly(u)
	p.notice(u)
	left := p.left()
	waiting := len(p.notices.list) > 0
	p.mu.Unlock()

	p.placesChanged()
	// If no member passes, others than u may have become trusted.
	if u.Available() || left == 0 {
		p.waiters.wakeAll()
	}
	if waiting {
		p.deliver()
	}
	return true
}

// mayEject decides whether a breaker may open. It keeps the floor: at most MaxEjected of
// the members may be ejected at once, and never the last available one. An ejected member
// with a half-open breaker does not count as available here, because it takes only
// trials. If most members fail alike, none is ejected. The breaker's lock is held:
// nothing here may call back into it.
func (p *Pool) mayEject(u *Upstream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.upstreams[u.key.Addr] != u {
		return false
	}
	if u.ejected {
		return true
	}
	share := p.opts.Load().MaxEjected
	places := int(share * float64(p.total))
	if share > 0 {
		places = max(places, 1)
	}
	others := p.steady
	if u.counted {
		others--
	}
	if others < 1 && u.counted && !p.dry {
		p.runDry()
	}
	if p.ejected >= places || others < 1 || p.isAlike(u) {
		return false
	}
	p.mark(u, u.counted, true)
	u.ejectedAt = time.Now()
	return true
}

// restore gives back u's ejection place. Only a breaker that has closed, or that stays
// closed, may call it: a breaker that is about to open has its place while its state is
// still Closed.
func (p *Pool) restore(u *Upstream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.upstreams[u.key.Addr] == u && u.Breaker() == Closed {
		p.mark(u, u.counted, false)
	}
}

// mark changes u's marks and updates the sums. mu must be held.
func (p *Pool) mark(u *Upstream, counted, ejected bool) {
	was := p.steady
	p.tally(u, -1)
	u.counted, u.ejected = counted, ejected
	p.tally(u, +1)
	p.steadied(was)
}

// steadied handles a change of the number of steady members. mu must be held.
func (p *Pool) steadied(was int) {
	switch {
	case p.steady > was:
		p.dry = false
	case p.steady == 0 && was > 0:
		p.runDry()
	}
}

// tally adds u's marks to the sums (sign +1) or subtracts them (-1). mu must be held.
func (p *Pool) tally(u *Upstream, sign int) {
	if u.counted {
		p.available[u.tier] += sign
		if u.zone != nil {
			u.zone.available += sign * u.heft
		}
		if !u.ejected {
			p.steady += sign
		}
	}
	if u.ejected {
		p.ejected += sign
	}
}

// recount counts the current set from the beginning. mu must be held.
func (p *Pool) recount() {
	s := p.set.Load()
	p.total, p.totals = 0, make([]int, len(s.tiers))
	p.available = make([]int, len(s.tiers))
	was := p.steady
	p.steady, p.ejected = 0, 0
	for i, t := range s.tiers {
		for place, m := range t.members {
			m.tier, m.zone, m.heft = i, t.zones.part(place), m.Weight
			if m.Lifecycle() == Serving {
				p.total++
				p.totals[i]++
			}
			m.counted = m.passes()
			p.tally(m.Upstream, +1)
		}
	}
	p.trustAll(p.left() == 0)
	p.share()
	p.steadied(was)
	p.noticeAll()
}

// count updates the sums after a change of u. mu must be held.
func (p *Pool) count(u *Upstream) {
	was := p.left()
	p.mark(u, u.passes(), u.ejected)
	switch left := p.left(); {
	case left > 0 && was == 0:
		p.trustAll(false)
	case left == 0 && was > 0:
		p.trustAll(true)
	case left == 0:
		u.trusted.Store(u.answersUnproved())
	}
}

// left returns the number of available members whose probes pass.
func (p *Pool) left() int {
	n := 0
	for _, a := range p.available {
		n += a
	}
	return n
}

// trustAll decides, if no member passes its probes, which members get traffic on the
// evidence of their answers. Live traffic outranks probes: a broken health endpoint takes
// no working application out. mu must be held.
func (p *Pool) trustAll(on bool) {
	for i := range p.set.Load().members {
		u := p.set.Load().members[i].Upstream
		u.trusted.Store(on && u.answersUnproved())
	}
}

// answersUnproved reports whether an upstream that fails its probes, or drains, has
// answered since it was last unreachable.
func (u *Upstream) answersUnproved() bool {
	h := u.Health()
	return (h == Down || h == Draining) && u.evidence.answers()
}

// share recomputes the split of the load over the tiers, and over the zones of each tier.
// mu must be held.
func (p *Pool) share() {
	tiers := p.set.Load().tiers
	for i := range tiers {
		tiers[i].zones.share(p.opts.Load().Zone, p.peers)
	}
	if len(tiers) < 2 {
		p.shares.Store(&shares{})
		return
	}
	total := p.totals
	if p.introduction.Load() != nil {
		total = make([]int, len(tiers))
		for i, t := range tiers {
			total[i] = t.settled()
		}
	}
	p.shares.Store(newShares(p.available, total, p.opts.Load().Overprovision))
}

// othersAvailable reports whether a member other than u is available.
func (p *Pool) othersAvailable(u *Upstream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.left()
	if u.counted {
		left--
	}
	return left > 0
}
