package proxy

import (
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// hold keeps the request until an upstream can take it, instead of failing it:
// in a bounded queue, for a bounded time.
func (x *exchange) hold() (*balancer.Member, balancer.Lease, *Error) {
	pool := x.route.Pool
	if pool.opts.Hold.For <= 0 || x.held != nil {
		return nil, balancer.Lease{}, &Error{Reason: pool.absence(x.shortage(NoUpstream))}
	}
	w, err := pool.Wait(x.body.kept(), pool.opts.Hold.limits())
	if err != nil {
		return nil, balancer.Lease{}, &Error{Reason: Overloaded, Err: err}
	}
	defer w.Leave()
	began := time.Now()
	defer func() { x.record.Held += time.Since(began) }()
	timer := time.NewTimer(time.Until(x.holdUntil()))
	defer timer.Stop()
	for {
		if m, lease, ok := x.pick(); ok {
			return m, lease, nil
		}
		select {
		case <-w.C:
		case <-timer.C:
			return nil, balancer.Lease{}, &Error{Reason: pool.absence(x.shortage(HoldExpired))}
		case <-x.Done():
			return nil, balancer.Lease{}, x.endedWaiting()
		}
	}
}

// limits bound the queue: the last come is served first once the first has
// waited for half of what it may.
func (h *Hold) limits() balancer.WaitLimits {
	return balancer.WaitLimits{Requests: h.MaxRequests, Body: h.MaxBody, Long: h.For / 2}
}

// holdUntil returns the end of the time the request may wait in all, which
// begins with its first wait.
func (x *exchange) holdUntil() time.Time {
	if x.holdEnd.IsZero() {
		d := x.route.Pool.opts.Hold.For
		if d > staleHold && x.older() != nil {
			d = staleHold
		}
		x.holdEnd = time.Now().Add(d)
	}
	return x.holdEnd
}

// heldTooLong reports whether looking for an upstream that can be reached has
// taken as long as the request may wait. The time begins with the first that
// could not.
func (x *exchange) heldTooLong() bool {
	return x.route.Pool.opts.Hold.For > 0 && !time.Now().Before(x.holdUntil())
}

// newRound pauses before upstreams that have been tried are tried again.
func (x *exchange) newRound() *Error {
	pool := x.route.Pool
	d := x.pause(x.rounds)
	x.rounds++
	x.choice.Tried = x.choice.Tried[:0]
	limit := pool.opts.Retry.MaxBackoff
	if pool.opts.Hold.For > 0 {
		limit = time.Until(x.holdUntil())
	}
	if d > limit {
		return &Error{Reason: pool.absence(HoldExpired)}
	}
	x.record.Held += d
	if !sleep(x, d) {
		return x.endedWaiting()
	}
	return nil
}

// endedWaiting is the failure of a request that ended while it waited.
func (x *exchange) endedWaiting() *Error {
	reason := contextReason(x)
	if reason == ResponseTimeout {
		reason = HoldExpired
	}
	return &Error{Reason: reason}
}

// shortage tells apart, when no upstream can be had, whether they are all busy.
func (x *exchange) shortage(otherwise Reason) Reason {
	members := x.route.Pool.Members()
	for i := range members {
		if members[i].Available() {
			return Overloaded
		}
	}
	return otherwise
}
