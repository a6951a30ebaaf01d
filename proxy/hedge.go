package proxy

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

// Hedge sets when the proxy sends a slow request to a second upstream as well. It takes
// the first good answer (Dean and Barroso, "The Tail at Scale", CACM 2013). The zero
// value never hedges.
type Hedge struct {
	Quantile float64       // from 0 to 1: a request is late if its response header takes longer than this quantile of the pool's times; 0 = After decides
	After    time.Duration // if Quantile is 0: fixed time after which a request is late; 0 = never
	MinDelay time.Duration // shortest time before a hedge; 0 = 1 ms
	Budget   float64       // largest share of requests with a hedge that does not help; 0 = no hedges at all
	// OnEvidence requires evidence against the upstream, besides one late request.
	OnEvidence bool
}

func (h *Hedge) enabled() bool { return (h.Quantile > 0 || h.After > 0) && h.Budget > 0 }

// hedging is the state of a pool's hedges.
type hedging struct {
	opts    Hedge
	budget  *budget
	times   *quantile
	weights weights
}

// newHedging returns nil when the options disable hedging.
func newHedging(o Hedge) *hedging {
	if !o.enabled() {
		return nil
	}
	o.MinDelay = cmp.Or(o.MinDelay, time.Millisecond)
	return &hedging{opts: o, budget: newBudget(o.Budget, 0), times: &quantile{share: o.Quantile}, weights: newWeights(o.Quantile)}
}

// with returns the hedging with other options. It keeps what it has learned.
func (h *hedging) with(o Hedge) *hedging {
	next := newHedging(o)
	if h == nil || next == nil {
		return next
	}
	next.budget = h.budget.with(o.Budget, 0)
	if o.Quantile == h.opts.Quantile {
		next.times = h.times
	}
	return next
}

// answered adds the time until an attempt's response header to the samples.
func (h *hedging) answered(a *attempt) {
	if h == nil {
		return
	}
	if h.opts.Quantile > 0 {
		h.times.add(a.took)
	}
	a.lateness().answered(a.took, a.started.Add(a.took))
	switch after := h.late(); {
	case a.late:
	case after > 0 && a.took >= after: // nobody has looked at it yet
		a.lateness().late(h.weights)
	default:
		a.lateness().timely(h.weights)
	}
}

// deposit pays for one request.
func (h *hedging) deposit() {
	if h != nil {
		h.budget.deposit()
	}
}

// delay returns the time after which a request takes longer than usual, 0 while it is
// unknown.
func (h *hedging) delay() time.Duration {
	d := h.opts.After
	if h.opts.Quantile > 0 {
		d = h.times.get()
	}
	if d == 0 {
		return 0
	}
	return max(d, h.opts.MinDelay)
}

// lateBy is the least excess over the usual time that counts as evidence. A busy machine
// now and then makes all requests a little late.
const lateBy = 10 * time.Millisecond

// late returns the time after which a request is late, 0 while it is unknown. With
// OnEvidence it is at least twice the usual time.
func (h *hedging) late() time.Duration {
	d := h.delay()
	if d == 0 || !h.opts.OnEvidence {
		return d
	}
	return d + max(d, lateBy)
}

const (
	// unmeasured is the time until the first look at a request while the usual time is
	// unknown.
	unmeasured = 100 * time.Millisecond
	// firstLook bounds the time until the first look at a request, and nextLook the time
	// between looks. A look costs next to nothing.
	firstLook = 250 * time.Millisecond
	nextLook  = time.Second
	// maxHedges bounds the hedges of one request in flight. The second one is for a first
	// hedge that gives no sign of life either.
	maxHedges = 2
)

// firstLook returns the time from an attempt's start to the first look at it.
func (h *hedging) firstLook() time.Duration {
	d := cmp.Or(h.late(), unmeasured)
	if h.opts.OnEvidence {
		d = min(d, firstLook)
	}
	return d
}

// mayHedge allows a hedge for an attempt that is about to begin. After earlier failures,
// the attempt and its hedge both count against retry.attempts.
func (d *delivery) mayHedge(a *attempt) {
	pool := d.pool
	h := pool.hedging
	if h == nil || !h.opts.OnEvidence && len(pool.Members()) < 2 || !d.mayGoTwice() || d.tries > 0 && d.tries+1 >= pool.opts.Retry.Attempts {
		return
	}
	d.hedgeable, d.turn = a, nil
	a.call.Slow, a.call.SlowAt = d, a.started.Add(h.firstLook())
}

// mayGoTwice reports whether the request may be in flight twice. PUT and DELETE are
// idempotent, but the slower of the two could arrive after the client's next request.
func (d *delivery) mayGoTwice() bool {
	return d.rest == nil && (d.retrySafe || safe(d.method)) && d.body.whole() && !d.live
}

// belongs reports whether the request belongs to its upstream, so that another one would
// serve it less well.
func (d *delivery) belongs() bool { return d.choice.Sticky != 0 || d.choice.Hash != 0 || d.streaming }

// safe reports whether a method is safe (RFC 9110, section 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// Slow sends a hedge if the request should have one. The transport calls it on the
// request's goroutine while it waits for the first attempt.
//
// Slow looks again at a request that may not have a hedge yet, less and less often. When
// an upstream falls silent, more such requests may wait than the budget has tokens. The
// tokens come back when hedges are answered, and the longer a request waits, the surer it
// is that a hedge helps.
func (d *delivery) Slow() context.Context {
	first, latest := d.hedgeable, d.hedgeable
	if d.race != nil {
		latest = d.race.latest()
	}
	now := time.Now()
	waited := now.Sub(latest.started)
	first.call.SlowAt = now.Add(min(waited/8+rand.N(waited/4+1), nextLook))
	if d.race != nil && !d.mayHedgeAgain() {
		return nil
	}
	why := d.suspect(latest, now)
	if why == unsuspected {
		return nil
	}
	if !d.hedge(latest, why, now) {
		return nil
	}
	first.call.SlowAt = now.Add(d.pool.hedging.firstLook())
	return first.call.Context
}

// mayHedgeAgain reports whether one more hedge may join the race.
func (d *delivery) mayHedgeAgain() bool {
	return d.pool.hedging.opts.OnEvidence && len(d.race.runners) <= maxHedges && !d.race.decided()
}

// hedge sends the request to another upstream, and reports whether it did. While no
// attempt has a connection, the first one to get one sends the request, so that it is
// executed once.
func (d *delivery) hedge(latest *attempt, why suspicion, now time.Time) bool {
	if why == unsent {
		if d.turn == nil {
			d.turn = new(http1.Turn)
		}
		if !latest.call.TakeTurns(d.turn) {
			return false // it has a connection now
		}
	}
	hedge := d.newHedge(why, now)
	if hedge == nil {
		return false
	}
	if why == unsent {
		hedge.call.TakeTurns(d.turn)
	}
	if d.race == nil {
		d.race = newRace(d.hedgeable, d.pool.opts.Retry.Statuses)
	}
	return d.race.join(hedge)
}

// newHedge prepares a hedge if the budget allows it and no request waits for an upstream.
// Otherwise it returns nil.
func (d *delivery) newHedge(why suspicion, now time.Time) *attempt {
	pool, first := d.pool, d.hedgeable
	if d.ctx.Err() != nil || pool.Waiting() > 0 || pool.overloaded() {
		return nil
	}
	payer := d.payer()
	if payer == nil {
		return nil
	}
	m, lease, ok := d.pickHedge(why, now)
	if !ok {
		payer.refund()
		return nil
	}
	hedge := d.newAttempt(m, lease)
	hedge.hedge, hedge.why, hedge.payer = true, why, payer
	d.hedged++
	hedge.call.Got1xx = nil // only the first attempt's are passed on
	hedge.call.Prompt = true
	hedge.call.Fresh = why == unheard // when one idle connection has died unnoticed, others have too
	first.cancelable()
	hedge.cancelable()
	return hedge
}

// payer takes a token for a hedge and returns the budget that had it, or nil. A hedge on
// evidence may use the retry budget.
func (d *delivery) payer() *budget {
	h := d.pool.hedging
	switch {
	case h.budget.withdraw():
		return h.budget
	case h.opts.OnEvidence && d.pool.budget.withdraw():
		return d.pool.budget
	}
	return nil
}

// pickHedge takes a place on an upstream of the same tier that is not under the same
// suspicion. If a connection has died, the same upstream will do.
func (d *delivery) pickHedge(why suspicion, now time.Time) (m *balancer.Member, lease balancer.Lease, ok bool) {
	first := d.hedgeable
	c := d.choice
	c.Tried = append(slices.Clone(c.Tried), first.m.Upstream)
	if d.race != nil {
		c.Tried = d.race.upstreams(c.Tried)
	}
	for {
		m = d.pool.Pick(&c)
		if m == nil && why == unheard {
			m = first.m
			break
		}
		if m == nil || m.Tier != first.m.Tier {
			return nil, lease, false
		}
		if !d.pool.hedging.opts.OnEvidence || d.betterThan(first, m, why, now) {
			break
		}
		c.Tried = append(c.Tried, m.Upstream)
	}
	lease, ok = m.TryAcquire()
	return m, lease, ok
}

// betterThan reports whether the suspicion against an attempt's upstream does not also
// hold for member m.
func (d *delivery) betterThan(a *attempt, m *balancer.Member, why suspicion, now time.Time) bool {
	if why == tooLate && !a.m.Introduced() && !a.lateness().stronger(latenessOf(m.Upstream)) {
		return false
	}
	return m.Pulse(now, freshest) != balancer.Hung
}
