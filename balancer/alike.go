package balancer

import "time"

// This file tells a common cause from faults of single upstreams. When most
// upstreams of a pool fail alike, they are not the cause: what they share is, or
// the requests are. Ejecting them one by one would take away what still works,
// and keep them out when the cause has gone.

const (
	alikeFor = 50 * time.Millisecond // how long an answer to alike is used again
	alikeRow = 2                     // failures in a row that count as failing
	fineRow  = 5                     // successes in a row that count as doing well
)

// alike counts the members that fail, and reports whether the cause is common:
// at least two thirds of those that might be asked fail, more than one, and
// none is known to do well. One that does well shows that it can be done, and
// then it is worth while to eject the others. asked, if not nil, is failing.
// Called with mu held.
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

// isAlike is alike for a breaker that is about to open, which may ask for every
// request that fails. Its answer holds for a moment, and until a sixteenth of
// the members has been ejected on it. Called with mu held.
func (p *Pool) isAlike(u *Upstream) bool {
	now := time.Now()
	if a := &p.lastAlike; now.Sub(a.at) >= alikeFor || 16*(p.ejected-a.ejected) >= p.total {
		_, _, a.common = p.alike(u, now)
		a.at, a.ejected = now, p.ejected
	}
	return p.lastAlike.common
}

// likeness is an answer to whether members fail alike.
type likeness struct {
	common  bool
	at      time.Time
	ejected int // how many were
}

// judgeAll finds out whether most members fail alike. While they do, those that
// were ejected for it come back.
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
