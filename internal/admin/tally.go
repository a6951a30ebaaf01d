package admin

import (
	"cmp"
	"slices"
	"sync"

	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// Tally counts the results of requests and of their attempts: since the start, second by
// second for the last minute, and by upstream for the last minute. It counts each request
// in one step, so that the figures of a pool always agree. Unlike the metrics it needs no
// collector. It is safe for concurrent use; the zero value is ready.
type Tally struct {
	mu     sync.Mutex // protects the fields below
	pools  map[string]*poolTally
	routes strays
	pruned int64
}

// poolTally counts the results of a pool's requests.
type poolTally struct {
	requests, faster uint64
	escaped          map[reason.Reason]uint64
	refused          map[reason.Reason]uint64 // and other failures not caused by upstreams
	absorbed         map[means]uint64
	past             [pastSeconds + 1]second // the present second, and the last minute
	seen             window[sightings]       // situations of the pool, and not of one upstream
	upstreams        map[string]*upstreamTally
}

type means struct {
	by  reason.Means
	why reason.Reason
}

// strays counts requests that no route matched, which belong to no pool.
type strays struct{ past window[stray] }

type stray struct {
	requests uint32
	seen     sightings
}

// Observe counts a request. It is an observer of a proxy.
func (t *Tally) Observe(r *proxy.Record) {
	t.observe(r, r.Start.Add(r.Duration).Unix())
}

func (t *Tally) observe(r *proxy.Record, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pools == nil {
		t.pools = map[string]*poolTally{}
	}
	s := t.routes.past.at(now)
	s.requests++
	if r.Pool == "" {
		s.count(r)
		return
	}
	p := t.pool(r.Pool)
	p.count(r, now)
	from := culprit(r)
	for i := range r.Attempts {
		a := &r.Attempts[i]
		p := p
		if a.Pool != "" {
			p = t.pool(a.Pool)
		}
		p.upstream(a.Upstream).count(r, i, i == from, now)
	}
	if now-t.pruned > pastSeconds {
		t.pruned = now
		t.prune(now)
	}
}

// count counts a request that belongs to no pool.
func (s *stray) count(r *proxy.Record) {
	at := r.Start.Add(r.Duration)
	switch r.Reason {
	case reason.NoRoute:
		s.seen.note(situation.NoRoute, at, false, nil)
	case reason.Overloaded:
		s.seen.note(situation.OwnLimit, at, true, r.Err)
	case reason.RateLimited, reason.LoopDetected, reason.AuthUnavailable, reason.Internal:
		s.seen.note(situation.OfReason(r.Reason, r.Err), at, r.Reason != reason.RateLimited, r.Err)
	}
}

// pool returns a pool's tally. mu must be held.
func (t *Tally) pool(name string) *poolTally {
	p := t.pools[name]
	if p == nil {
		p = &poolTally{escaped: map[reason.Reason]uint64{}, refused: map[reason.Reason]uint64{}, absorbed: map[means]uint64{}, upstreams: map[string]*upstreamTally{}}
		t.pools[name] = p
	}
	return p
}

func (p *poolTally) upstream(addr string) *upstreamTally {
	u := p.upstreams[addr]
	if u == nil {
		u = &upstreamTally{}
		p.upstreams[addr] = u
	}
	return u
}

// prune drops upstreams without attempts for a long time. mu must be held.
func (t *Tally) prune(now int64) {
	for _, p := range t.pools {
		for addr, u := range p.upstreams {
			if now-u.last > goneAfter {
				delete(p.upstreams, addr)
			}
		}
	}
}

// count counts a finished request.
func (p *poolTally) count(r *proxy.Record, now int64) {
	s := &p.past[slot(now, len(p.past))]
	if s.at != now {
		*s = second{at: now}
	}
	p.requests++
	s.requests++
	switch {
	case r.Escaped():
		p.escaped[r.Reason]++
		s.escaped++
	case r.Reason != reason.None:
		p.refused[r.Reason]++
		s.refused++
	}
	switch {
	case r.MadeFaster():
		p.faster++
		s.faster++
	case r.Absorbed != reason.ByNothing:
		p.absorbed[means{r.Absorbed, r.Hidden}]++
		s.absorbed++
	}
	if r.Reason == reason.Overloaded {
		s.overloaded++
	}
	if r.Held > 0 {
		s.held++
	}
	if r.Queued > 0 {
		s.queued++
		s.queue += r.Queued
	}
	s.longest = max(s.longest, r.Duration)
	s.took.add(r.Duration)
	p.notice(r, now)
}

// notice records the situations of the pool that a request shows.
func (p *poolTally) notice(r *proxy.Record, now int64) {
	if plain(r) {
		return
	}
	at := r.Start.Add(r.Duration)
	seen := p.seen.at(now)
	if id, ok := ofPool(r); ok {
		seen.note(id, at, r.Escaped(), r.Err)
	}
	if id, ok := hiddenBy[r.Absorbed]; ok {
		x := seen.note(id, at, false, nil)
		x.longest = max(x.longest, r.Held)
	}
	if r.Reason == reason.ClientGone && r.Held == 0 && !begun(r) { // held requests have their own situation
		x := seen.note(situation.ClientsLeave, at, false, nil)
		x.longest = max(x.longest, r.Duration)
	}
	for i := range r.Attempts {
		if d := r.Attempts[i].Decision; d == reason.BudgetSpent || d == reason.Strained {
			seen.note(situation.RetriesStopped, at, r.Escaped(), nil)
			return
		}
	}
}

// begun reports whether an upstream has begun to answer a request.
func begun(r *proxy.Record) bool {
	return slices.ContainsFunc(r.Attempts, func(a proxy.Attempt) bool { return a.Status != 0 })
}

// plain reports whether the first attempt answered a request.
func plain(r *proxy.Record) bool {
	return r.Reason == reason.None && r.Absorbed == reason.ByNothing && len(r.Attempts) < 2
}

// hiddenBy maps each means of hiding a failure to its situation.
var hiddenBy = map[reason.Means]situation.ID{
	reason.ByHold: situation.HeldOver, reason.ByFallback: situation.FallbackInUse, reason.ByStale: situation.StaleInUse,
}

// ofPool returns the situation that a request's failure shows, if no single upstream
// caused it.
func ofPool(r *proxy.Record) (situation.ID, bool) {
	if r.Reason == reason.None || r.Reason.Fault() == reason.FaultClient && r.Reason != reason.RateLimited || culprit(r) >= 0 {
		return "", false
	}
	err := r.Err
	if n := len(r.Attempts); n > 0 && r.Reason == reason.Overloaded {
		err = cmp.Or(r.Attempts[n-1].Err, err)
	}
	return situation.OfReason(r.Reason, err), true
}

// culprit returns the index of the attempt that caused the error that the client saw, -1
// if none did.
func culprit(r *proxy.Record) int {
	if !r.Escaped() || r.Reason.Fault() != reason.FaultUpstream {
		return -1
	}
	last := -1
	for i := range r.Attempts {
		switch a := &r.Attempts[i]; {
		case r.Reason == reason.HoldExpired, r.Reason == reason.NoUpstream: // no upstream was left after the failed attempts
			if a.Reason.Fault() == reason.FaultUpstream {
				last = i
			}
		case a.Reason == r.Reason, a.Reason == reason.None && a.Upstream == r.Upstream && a.Decision != reason.LostRace:
			last = i
		}
	}
	return last
}

// minute returns a pool's last minute, and its counts since the start, all of one moment.
func (t *Tally) minute(name string, now int64) (view poolView) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pools[name]
	if p == nil {
		p = &poolTally{}
	}
	view = p.view(now)
	view.upstreams = make(map[string]Minute, len(p.upstreams))
	for addr, u := range p.upstreams {
		view.upstreams[addr] = u.view(now)
	}
	return view
}

// strays sums up the last minute of all requests, and of those that belong to no pool.
func (t *Tally) strays(now int64) (sum stray) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.routes.past.last(now) {
		sum.requests += s.requests
		sum.seen.merge(s.seen)
	}
	return sum
}

// upstream returns the last minute of one of a pool's upstreams.
func (t *Tally) upstream(k balancer.Key, now int64) Minute {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.pools[k.Pool]; p != nil && p.upstreams[k.Addr] != nil {
		return p.upstreams[k.Addr].view(now)
	}
	return (&upstreamTally{}).view(now)
}
