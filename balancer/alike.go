package balancer

import "time"

// This file separates a common cause from faults of single upstreams. If most upstreams
// of a pool fail alike, the cause is something that they share, or the requests. To eject
// the upstreams one by one would take away the capacity that still works, and would keep
// it out after the cause is gone.

const (
	alikeFor = 50 * time.Millisecond // lifetime of a cached answer of alike
	alikeRow = 2                     // failures in a row that count as failing
	fineRow  = 5                     // successes in a row that count as doing well
)

// alike counts the failing members, and reports whether the cause is common: more than
// one member, and at least two thirds of the candidates, fail, and none is known to do
// well. A member that does well proves that the requests can succeed; then ejecting the
// others helps. asked counts as failing unless it is nil. mu must be held.
func (p *Pool) alike(asked *Upstream, now time.Time) (failing, of int, common bool) {
	members := p.set.Load().members
	for i := range members {
		u := members[i].Upstream
		if u != asked && (!u.wanted() || Health(u.health.Load()) != Up && !u.trusted.Load()) {
			continue
		}
		of++
		switch r := u.latency.results(now.UnixNano()); {
		case u == asked || u.ejected || r.failing():
			failing++
		case r.fine():
			return failing, of, false
		}
	}
	return failing, of, failing > 1 && 3*failing >= 2*of
}

func (r results) failing() bool {
	return r.failed > 0 && (r.streak <= -alikeRow || r.n() >= fineRow && 2*r.failed >= r.n())
}

func (r results) fine() bool {
	return r.streak >= fineRow && r.answered >= fineRow && 4*r.failed < r.n()
}

// isAlike is alike with a cache, because a breaker that is about to open may call it for
// every failed request. An answer holds for alikeFor, or until a sixteenth of the members
// has been ejected since. mu must be held.
func (p *Pool) isAlike(u *Upstream) bool {
	now := time.Now()
	if a := &p.lastAlike; now.Sub(a.at) >= alikeFor || 16*(p.ejected-a.ejected) >= p.total {
		_, _, a.common = p.alike(u, now)
		a.at, a.ejected = now, p.ejected
	}
	return p.lastAlike.common
}

// likeness is a cached answer of alike.
type likeness struct {
	common  bool
	at      time.Time
	ejected int // ejected members at that time
}

// judgeAll checks whether most members fail alike. While they do, it closes the breakers
// that opened within historySpan.
func (p *Pool) judgeAll(now time.Time) []Finding {
	p.mu.Lock()
	failing, of, common := p.alike(nil, now)
	changed := common != p.common
	p.common = common
	var pardoned []*Upstream
	for i := range p.set.Load().members {
		u := p.set.Load().members[i].Upstream
		if common && u.ejected && now.Sub(u.ejectedAt) < historySpan {
			pardoned = append(pardoned, u)
		}
	}
	p.mu.Unlock()
	for _, u := range pardoned {
		u.breaker.pardon()
	}
	if !changed {
		return nil
	}
	return []Finding{{Kind: Alike, Over: !common, Own: float64(failing), Others: float64(of)}}
}
