package proxy

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/reason"
)

// race is a request sent to several upstreams at once. The first good answer cancels the
// others.
type race struct {
	statuses []int // these do not count as good answers
	hedges   sync.WaitGroup

	mu      sync.Mutex // protects the fields below
	runners []*attempt // the first attempt and then the hedges; only the request's goroutine changes it
	winner  *attempt   // nil = none yet
}

// errLostRace is the cause that cancels an attempt that lost.
var errLostRace = errors.New("another upstream answered first")

func newRace(first *attempt, statuses []int) *race {
	return &race{statuses: statuses, runners: []*attempt{first}}
}

// join sends a hedge unless there is a winner. It reports whether it did.
func (r *race) join(hedge *attempt) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != nil {
		return false
	}
	r.runners = append(r.runners, hedge)
	r.hedges.Go(func() { // uses nothing of the delivery
		hedge.send()
		r.finish(hedge)
	})
	return true
}

// finish notes that an attempt has returned.
func (r *race) finish(a *attempt) {
	good := a.failed == nil && !slices.Contains(r.statuses, a.res.StatusCode)
	r.mu.Lock()
	a.back = true
	won := good && r.winner == nil
	others := r.runners
	switch {
	case won:
		r.winner = a
	case good:
		a.beaten = true
	default:
		a.beaten = context.Cause(a.call.Context) == errLostRace || a.failed != nil && errors.Is(a.failed.Err, http1.ErrYielded)
	}
	r.mu.Unlock()
	if won {
		endOthers(others, a)
	}
}

func endOthers(runners []*attempt, winner *attempt) {
	for _, a := range runners {
		if a != winner {
			a.limit.cancel(errLostRace)
		}
	}
}

// abandon ends a race that settle will not end.
func (r *race) abandon() {
	endOthers(r.runners, r.runners[0])
	r.hedges.Wait()
}

// latest returns the newest attempt in flight.
func (r *race) latest() *attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range slices.Backward(r.runners) {
		if !a.back {
			return a
		}
	}
	return r.runners[0]
}

func (r *race) decided() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner != nil
}

// upstreams appends the upstreams of the race to a list.
func (r *race) upstreams(list []*balancer.Upstream) []*balancer.Upstream {
	for _, a := range r.runners {
		list = append(list, a.m.Upstream)
	}
	return list
}

// best returns the attempt that counts after all have returned: the winner, else the
// first with an answer, else the first that was not beaten. hedged reports whether it is
// a hedge that won.
func (r *race) best() (a *attempt, hedged bool) {
	if r.winner != nil {
		return r.winner, r.winner != r.runners[0]
	}
	for _, a := range r.runners {
		if a.res != nil {
			return a, false
		}
	}
	for _, a := range r.runners {
		if !a.beaten {
			return a, false
		}
	}
	return r.runners[0], false
}

// settle waits until all attempts of the race have returned. It accounts for the others,
// and returns the one that counts.
func (d *delivery) settle(r *race) *attempt {
	d.race = nil
	r.finish(r.runners[0])
	r.hedges.Wait()
	a, hedged := r.best()
	if hedged {
		a.payer.refund()
	} else {
		d.clear(r.runners[0])
	}
	for _, other := range r.runners {
		if other != a {
			d.accountBeside(other)
		}
	}
	return a
}

// accountBeside accounts for an attempt of a race that does not count.
func (d *delivery) accountBeside(a *attempt) {
	d.record.note(a)
	switch {
	case a.beaten:
		if !a.hedge { // a sample of its latency: it took at least this long
			d.pool.hedging.answered(a)
		}
		a.discard()
		d.decided(reason.LostRace)
	case a.failed != nil:
		a.failed.Reason = cmp.Or(d.body.failure(d.ctx), a.failed.Reason)
		d.lost(a)
		d.decided(reason.Hedged)
	default:
		d.heard(a)
		a.discard()
		d.decided(reason.Hedged)
	}
}
