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

// Hedge says when a request that waits long for its answer is sent to another
// upstream as well; the first good answer is taken. (Dean and Barroso, "The Tail
// at Scale", CACM 2013.) The zero value never does that.
type Hedge struct {
	Quantile float64       // a request is late after the time to a response header that this share of the pool's answers stays below; 0 = After
	After    time.Duration // or after a fixed time; 0 = never
	MinDelay time.Duration // the least time to wait; 0 = 1 ms
	Budget   float64       // second requests that do not help, as a share of requests; 0 = none at all
	// OnEvidence asks for evidence against the upstream: that one request is late
	// is not enough. See suspicion.
	OnEvidence bool
}

func (h *Hedge) enabled() bool { return (h.Quantile > 0 || h.After > 0) && h.Budget > 0 }

// hedging is a pool's state for its hedged requests.
type hedging struct {
	opts    Hedge
	budget  *budget
	times   *quantile
	weights weights
}

// newHedging returns nil when nothing is to be hedged.
func newHedging(o Hedge) *hedging {
	if !o.enabled() {
		return nil
	}
	o.MinDelay = cmp.Or(o.MinDelay, time.Millisecond)
	return &hedging{opts: o, budget: newBudget(o.Budget, 0), times: &quantile{share: o.Quantile}, weights: newWeights(o.Quantile)}
}

// with returns the hedging under other options, with what has been learned.
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

// answered takes the time to the header of an attempt's answer.
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
	case after > 0 && a.took >= after: // it was not looked at
		a.lateness().late(h.weights)
	default:
		a.lateness().timely(h.weights)
	}
}

// deposit pays in for one request.
func (h *hedging) deposit() {
	if h != nil {
		h.budget.deposit()
	}
}

// delay returns after how long a request takes longer than is usual, 0 while that is not
// known.
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

// lateBy is by how much a request has to exceed what is usual, for evidence, at least:
// a machine that is busy makes all requests a little late now and then.
const lateBy = 10 * time.Millisecond

// late returns after how long a request is late, 0 while that is not known. For evidence
// it has to take twice as long as is usual.
func (h *hedging) late() time.Duration {
	d := h.delay()
	if d == 0 || !h.opts.OnEvidence {
		return d
	}
	return d + max(d, lateBy)
}

const (
	// unmeasured is when a request is first looked at while it is not known when it
	// is late.
	unmeasured = 100 * time.Millisecond
	// firstLook is when a request is first looked at at the latest, and nextLook how
	// long after a look the next follows at the latest. A look costs next to nothing.
	firstLook = 250 * time.Millisecond
	nextLook  = time.Second
	// maxHedges is how many other upstreams one request may be sent to at once: the
	// second where the first gives no sign of life either.
	maxHedges = 2
)

// firstLook returns how long after its start an attempt is first looked at.
func (h *hedging) firstLook() time.Duration {
	d := cmp.Or(h.late(), unmeasured)
	if h.opts.OnEvidence {
		d = min(d, firstLook)
	}
	return d
}

// mayHedge lets an attempt that is about to begin get company when it is slow. When
// others have failed before, both count among the attempts.
func (d *delivery) mayHedge(a *attempt) {
	pool := d.pool
	h := pool.hedging
	if h == nil || !h.opts.OnEvidence && len(pool.Members()) < 2 || !d.mayGoTwice() || d.tries > 0 && d.tries+1 >= pool.opts.Retry.Attempts {
		return
	}
	d.hedgeable, d.turn = a, nil
	a.call.Slow, a.call.SlowAt = d, a.started.Add(h.firstLook())
}

// mayGoTwice reports whether the request may be on its way twice. A PUT or DELETE
// may be executed twice, but not at any time: the slower of the two could come
// after the client's next request.
func (d *delivery) mayGoTwice() bool {
	return d.rest == nil && (d.retrySafe || safe(d.method)) && d.body.whole() && !d.live
}

// belongs reports whether the request belongs to its upstream, so that another answers
// it less well.
func (d *delivery) belongs() bool { return d.choice.Sticky != 0 || d.choice.Hash != 0 || d.streaming }

// safe reports whether a method only asks (RFC 9110, section 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// Slow sends the request to another upstream, if it should go there. It is called
// while the first is waited for, on the request's goroutine.
//
// What may not go yet is looked at again, less and less often. When an upstream falls
// silent there may be more such requests at once than the budget has tokens,
// which come back as the first of them are answered; and one that waits ever
// longer is ever surer to be worth one.
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

// mayHedgeAgain reports whether one more upstream may be asked beside the others.
func (d *delivery) mayHedgeAgain() bool {
	return d.pool.hedging.opts.OnEvidence && len(d.race.runners) <= maxHedges && !d.race.decided()
}

// hedge sends the request to another upstream, and reports whether it did. While there
// is no connection, whoever has one first sends the request, so that it is executed
// once.
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

// newHedge prepares an attempt beside the first, when the budget allows it and nobody
// waits for a place; else it returns nil.
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
	hedge.call.Got1xx = nil // those of the first are passed on
	hedge.call.Prompt = true
	hedge.call.Fresh = why == unheard // where one connection has died unnoticed, others have
	first.cancelable()
	hedge.cancelable()
	return hedge
}

// payer takes the token for a hedge, and returns the budget that had it, nil without
// one. One that is sent on evidence is worth a retry.
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

// pickHedge takes a place on an upstream of the same tier that is above suspicion. For
// a connection that has died the same one will do.
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

// betterThan reports whether a member gives no reason for the suspicion that there is
// against an attempt's.
func (d *delivery) betterThan(a *attempt, m *balancer.Member, why suspicion, now time.Time) bool {
	if why == tooLate && !a.m.Introduced() && !a.lateness().stronger(latenessOf(m.Upstream)) {
		return false
	}
	return m.Pulse(now, freshest) != balancer.Hung
}
