package proxy

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/header"
	"github.com/goodgate/goodgate/internal/http1"
)

// Decision is what the attempt loop did after an attempt, and why.
type Decision uint8

const (
	Answered       Decision = iota // the client gets this attempt's answer
	Retried                        // sent again
	NotSafe                        // it may have been executed, and its method does not allow that twice
	BodyGone                       // its body was larger than what is kept
	NoAttemptsLeft                 // the limit of attempts is reached
	BudgetSpent                    // the pool has retried too much
	Strained                       // the pool is overloaded, and a retry would add to it
	NobodyLeft                     // no other upstream is available
	OutOfTime                      // the request's deadline, or its time to wait, has passed
	ClientsFault                   // the client left or sent a bad body
	Deadly                         // it has ended connections on two upstreams, and is kept from a third
	Resumed                        // its answer broke off, and the rest of it was asked for elsewhere
	LostRace                       // another upstream was asked too, and answered before
	Hedged                         // it failed, but another upstream had been asked already
	OwnFault                       // goodgate itself could not carry it out
	numDecisions
)

var decisions = [numDecisions]string{
	Answered:       "answered",
	Retried:        "retried",
	NotSafe:        "not_safe",
	BodyGone:       "body_gone",
	NoAttemptsLeft: "no_attempts_left",
	BudgetSpent:    "budget_spent",
	Strained:       "strained",
	NobodyLeft:     "nobody_left",
	OutOfTime:      "out_of_time",
	ClientsFault:   "clients_fault",
	Deadly:         "deadly",
	Resumed:        "resumed",
	LostRace:       "lost_race",
	Hedged:         "hedged",
	OwnFault:       "own_fault",
}

func (d Decision) String() string { return decisions[d] }

// idempotent reports whether a method may be executed twice (RFC 9110 section
// 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// keyed reports whether a request has a key by which the application can tell
// that it has executed it before.
func keyed(r *Request) bool { return r.Get(header.IdempotencyKey) != "" }

// free reports whether an attempt that failed so has cost its upstream
// nothing, so that it needs no token of the budget.
func (r Reason) free() bool {
	switch r {
	case ConnectRefused, ConnectUnreachable, ConnectTimeout, StreamRefused:
		return true
	}
	return false
}

// outcome is what a failed attempt says about its upstream.
func (r Reason) outcome(t *http1.Exchange) balancer.Outcome {
	switch {
	case r.Fault() != FaultUpstream:
		return balancer.Ignored
	case r == StreamRefused: // as it may now and then, see refusals
		return balancer.Ignored
	case r == ClosedBeforeResponse && t.Reused && t.Received() == 0:
		return balancer.Ignored // an idle connection was closing as it was used
	}
	return balancer.Unreachable
}

// maxCrashed is how many upstreams a request may end a connection on without an
// answer. A request that crashes what it reaches would else take down one
// upstream after another.
const maxCrashed = 2

// minRefused is how often a request is sent to upstreams that say that they did
// not process it, however few attempts it has. What they say may be wrong.
const minRefused = 2

// decide is the whole rule of when a request is sent again, or the rest of an
// answer that broke off is asked for. The failure is that of the latest attempt.
func (d *delivery) decide(e *Error) Decision {
	d.strain(e.Reason)
	if not := e.Reason.unretried(); not != Retried {
		return not
	}
	if d.ctx.Err() != nil {
		return d.ended()
	}
	if bar := d.barred(e); bar != Retried {
		return bar
	}
	again, limit := Retried, d.pool.opts.Retry.Attempts
	if d.rest != nil {
		again, limit = Resumed, maxResumes
	}
	switch {
	case d.tries >= limit, d.staleConns > limit, d.refused >= max(limit, minRefused):
		return NoAttemptsLeft
	case e.Reason.free() && d.heldTooLong():
		return OutOfTime
	case e.Reason.free():
		d.retrying = false
		return again
	case d.pool.overloaded():
		return Strained
	case !d.pool.budget.withdraw():
		return BudgetSpent
	}
	d.retrying = true
	return again
}

// unretried tells why a failure that no upstream is to blame for is not tried
// again; [Retried] for one that an upstream is to blame for.
func (r Reason) unretried() Decision {
	switch {
	case r.Fault() == FaultUpstream:
		return Retried
	case r.Fault() == FaultClient:
		return ClientsFault
	case r == ShuttingDown:
		return OutOfTime
	case r == Overloaded: // there was nothing left to connect with
		return Strained
	}
	return OwnFault
}

// again reports whether another attempt follows.
func (d Decision) again() bool { return d == Retried || d == Resumed }

// barred tells why no upstream may get the request once more, [Retried] when
// nothing bars it.
func (d *delivery) barred(e *Error) Decision {
	switch {
	case d.crashed >= maxCrashed:
		return Deadly
	case d.rest != nil: // it is a GET without a body
		return Retried
	case e.Sent && !d.choice.Replayable:
		return NotSafe
	case !d.body.replayable(), e.Reason == UpstreamStatus && !d.body.fits():
		return BodyGone
	}
	return Retried
}

// strain tells the budget of an attempt that failed.
func (d *delivery) strain(r Reason) {
	switch {
	case r == ResponseTimeout:
		d.pool.budget.timedOut()
	case r.Fault() == FaultUpstream:
		d.pool.budget.relieve(1)
	}
}

func (d *delivery) ended() Decision {
	if contextReason(d.ctx) == ClientGone {
		return ClientsFault
	}
	return OutOfTime
}

// better reports whether an answer with this status is worth an attempt elsewhere.
func (d *delivery) better(status int) bool {
	return status >= 400 && d.rest == nil && slices.Contains(d.pool.opts.Retry.Statuses, status)
}

// pause returns how long to wait before the upstreams are asked anew, after n
// rounds over all of them: an exponential backoff of which half is random, or
// what the upstream asked for in Retry-After.
func (d *delivery) pause(n int) time.Duration {
	retry := &d.pool.opts.Retry
	var res *http.Response
	after := ""
	if d.fallback != nil {
		after = d.fallback.res.Get(header.RetryAfter)
		res = &http.Response{StatusCode: d.fallback.res.StatusCode, Header: http.Header{"Retry-After": {after}}}
	}
	t := retryablehttp.DefaultBackoff(retry.Backoff, retry.MaxBackoff, n, res)
	if after != "" {
		return t
	}
	return t/2 + rand.N(t/2+1)
}

// sleep waits, and reports false when the request ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
