package proxy

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
)

// Hedge says when a request that waits long for its answer is sent to a second
// upstream as well; the first good answer is taken. (Dean and Barroso, "The Tail
// at Scale", CACM 2013.) The zero value never does that.
type Hedge struct {
	Quantile float64       // after the time to a response header that this share of the pool's answers stays below; 0 = After
	After    time.Duration // or after a fixed time; 0 = never
	MinDelay time.Duration // the least time to wait; 0 = 1 ms
	Budget   float64       // second requests that do not help, as a share of requests; 0 = none at all
}

func (h *Hedge) enabled() bool { return (h.Quantile > 0 || h.After > 0) && h.Budget > 0 }

// hedging is a pool's state for its hedged requests.
type hedging struct {
	opts   Hedge
	budget *budget
	times  *quantile
}

// newHedging returns nil when nothing is to be hedged.
func newHedging(o Hedge) *hedging {
	if !o.enabled() {
		return nil
	}
	o.MinDelay = cmp.Or(o.MinDelay, time.Millisecond)
	return &hedging{opts: o, budget: newBudget(o.Budget, 0), times: &quantile{share: o.Quantile}}
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

// answered takes the time of an answer to its header.
func (h *hedging) answered(took time.Duration) {
	if h != nil && h.opts.Quantile > 0 {
		h.times.add(took)
	}
}

// deposit pays in for one request.
func (h *hedging) deposit() {
	if h != nil {
		h.budget.deposit()
	}
}

// delay returns after how long to hedge, 0 while that is not known.
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

// unmeasured is when to look again whether the pool's times are known.
const unmeasured = 100 * time.Millisecond

// mayHedge lets an attempt that is about to begin get company when it is slow. When
// others have failed before, both count among the attempts.
func (d *delivery) mayHedge(a *attempt) {
	pool := d.pool
	h := pool.hedging
	if h == nil || len(pool.Members()) < 2 || !d.mayGoTwice() || d.tries > 0 && d.tries+1 >= pool.opts.Retry.Attempts {
		return
	}
	d.hedgeable = a
	a.call.Slow, a.call.SlowAt = d, a.started.Add(cmp.Or(h.delay(), unmeasured))
}

// mayGoTwice reports whether the request may be on its way twice. A PUT or DELETE
// may be executed twice, but not at any time: the slower of the two could come
// after the client's next request. One that belongs to an upstream is not
// answered as well by another.
func (d *delivery) mayGoTwice() bool {
	return d.rest == nil && (d.retrySafe || safe(d.method)) && d.body.whole() &&
		d.choice.Sticky == 0 && d.choice.Hash == 0 &&
		!d.live && !d.streaming
}

// safe reports whether a method only asks (RFC 9110, section 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// race is a request on its way to two upstreams.
type race struct {
	first, hedge *attempt
	statuses     []int // that are no good answers
	winner       atomic.Pointer[attempt]
	done         chan struct{} // closed when the hedge has come back
}

// errLostRace is the cause of the end of a attempt whose answer came too late.
var errLostRace = errors.New("another upstream answered first")

// Slow sends the request to a second upstream, if it may. It is called while the
// first is waited for, on the request's goroutine.
//
// What may not go yet asks again, less and less often. When an upstream falls
// silent there may be more such requests at once than the budget has tokens,
// which come back as the first of them are answered; and one that waits ever
// longer is ever surer to be worth one.
func (d *delivery) Slow() context.Context {
	first := d.hedgeable
	waited := time.Since(first.started)
	if delay := d.pool.hedging.delay(); delay > waited {
		first.call.SlowAt = first.started.Add(delay)
		return nil
	}
	m, lease, ok := d.pickHedge(first)
	if !ok {
		first.call.SlowAt = time.Now().Add(waited/4 + rand.N(waited/2+1))
		return nil
	}
	hedge := d.newAttempt(m, lease)
	hedge.hedge = true
	d.hedged++
	hedge.call.Got1xx = nil // those of the first are passed on
	hedge.call.Prompt = true
	first.cancelable()
	hedge.cancelable()
	d.race = &race{first: first, hedge: hedge, statuses: d.pool.opts.Retry.Statuses, done: make(chan struct{})}
	go d.race.run()
	return first.call.Context
}

// pickHedge returns an upstream for a hedge: of the same tier, and when it is
// known what is slow, the budget allows it and nobody waits for a place.
func (d *delivery) pickHedge(first *attempt) (m *balancer.Member, lease balancer.Lease, ok bool) {
	pool := d.pool
	if d.ctx.Err() != nil || pool.hedging.delay() == 0 || pool.Waiting() > 0 || pool.overloaded() || !pool.hedging.budget.withdraw() {
		return nil, balancer.Lease{}, false
	}
	c := d.choice
	c.Tried = append(slices.Clone(c.Tried), first.m.Upstream)
	if m = pool.Pick(&c); m != nil && m.Tier == first.m.Tier {
		lease, ok = m.TryAcquire()
	}
	if !ok {
		pool.hedging.budget.refund()
	}
	return m, lease, ok
}

// run is the hedge's goroutine. It touches nothing of the exchange.
func (r *race) run() {
	defer close(r.done)
	r.hedge.send()
	r.finish(r.hedge, r.first)
}

// finish notes that a attempt has come back. The first good answer ends the other.
func (r *race) finish(a, other *attempt) {
	good := a.failed == nil && !slices.Contains(r.statuses, a.res.StatusCode)
	switch {
	case good && r.winner.CompareAndSwap(nil, a):
		other.limit.cancel(errLostRace)
	case good:
		a.beaten = true
	default:
		a.beaten = context.Cause(a.call.Context) == errLostRace
	}
}

// settle waits for the end of a race, accounts for the attempt that does not count,
// and returns the other.
func (d *delivery) settle(r *race) *attempt {
	d.race = nil
	r.finish(r.first, r.hedge)
	<-r.done
	a, other := r.first, r.hedge
	if winner := r.winner.Load(); winner == r.hedge || winner == nil && r.first.res == nil && r.hedge.res != nil {
		a, other = r.hedge, r.first
		if winner != nil {
			d.pool.hedging.budget.refund()
		}
	}
	d.record.note(other)
	switch {
	case other.beaten:
		if other == r.first { // it would have taken longer
			d.pool.hedging.answered(other.took)
		}
		other.discard()
		d.decided(reason.LostRace)
	case other.failed != nil:
		other.failed.Reason = cmp.Or(d.body.failure(d.ctx), other.failed.Reason)
		d.lost(other)
		d.decided(reason.Hedged)
	default:
		d.heard(other)
		other.discard()
		d.decided(reason.Hedged)
	}
	return a
}
