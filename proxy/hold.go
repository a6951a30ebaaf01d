package proxy

import (
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
)

// hold keeps a request until an upstream is available, instead of failing it. The waiting
// list is bounded in requests and bytes, and the wait in time.
func (d *delivery) hold() (*balancer.Member, balancer.Lease, *Error) {
	pool := d.pool
	if pool.opts.Hold.For <= 0 || d.fallback != nil {
		return nil, balancer.Lease{}, &Error{Reason: pool.absence(d.shortage(reason.NoUpstream))}
	}
	w, err := pool.Wait(d.body.kept(), pool.opts.Hold.limits())
	if err != nil {
		return nil, balancer.Lease{}, &Error{Reason: reason.Overloaded, Err: err}
	}
	defer w.Leave()
	began := time.Now()
	defer func() { d.record.Held += time.Since(began) }()
	timer := time.NewTimer(time.Until(d.holdUntil()))
	defer timer.Stop()
	for {
		if m, lease, ok := d.pick(); ok {
			return m, lease, nil
		}
		select {
		case <-w.C:
		case <-timer.C:
			if m, lease, ok := d.pick(); ok { // an upstream may be back although this request was not next
				return m, lease, nil
			}
			return nil, balancer.Lease{}, &Error{Reason: pool.absence(d.shortage(reason.HoldExpired))}
		case <-d.ctx.Done():
			return nil, balancer.Lease{}, d.endedWaiting()
		}
	}
}

// limits returns the bounds of the waiting list. It becomes last in, first out once the
// oldest request has waited for half of its time.
func (h *Hold) limits() balancer.WaitLimits {
	return balancer.WaitLimits{Requests: h.MaxRequests, Body: h.MaxBody, Long: h.For / 2}
}

// holdUntil returns the time until which the request may wait in total, counted from its
// first wait.
func (d *delivery) holdUntil() time.Time {
	if d.holdEnd.IsZero() {
		wait := d.pool.opts.Hold.For
		if wait > staleHold && d.standIn != nil && d.standIn() {
			wait = staleHold
		}
		d.holdEnd = time.Now().Add(wait)
	}
	return d.holdEnd
}

// heldTooLong reports whether the request has spent its whole hold time on unreachable
// upstreams. The time begins with the first of them.
func (d *delivery) heldTooLong() bool {
	return d.pool.opts.Hold.For > 0 && !time.Now().Before(d.holdUntil())
}

// newRound pauses before the upstreams are tried again.
func (d *delivery) newRound() *Error {
	pool := d.pool
	wait := d.pause(d.rounds)
	d.rounds++
	d.choice.Tried = d.choice.Tried[:0]
	limit := pool.opts.Retry.MaxBackoff
	if pool.opts.Hold.For > 0 {
		limit = time.Until(d.holdUntil())
	}
	if wait > limit {
		return &Error{Reason: pool.absence(reason.HoldExpired)}
	}
	d.record.Held += wait
	if !sleep(d.ctx, wait) {
		return d.endedWaiting()
	}
	return nil
}

// endedWaiting returns the failure of a request that ended while it waited.
func (d *delivery) endedWaiting() *Error {
	why := contextReason(d.ctx)
	if why == reason.ResponseTimeout {
		why = reason.HoldExpired
	}
	return &Error{Reason: why}
}

// shortage returns Overloaded if an upstream is available but has no free place, else the
// given reason.
func (d *delivery) shortage(otherwise reason.Reason) reason.Reason {
	members := d.pool.Members()
	for i := range members {
		if members[i].Available() {
			return reason.Overloaded
		}
	}
	return otherwise
}
