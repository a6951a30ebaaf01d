package proxy

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/goodgate/goodgate/balancer"
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
func keyed(r *http.Request) bool { return r.Header.Get("Idempotency-Key") != "" }

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

// maxDeaths is how many upstreams a request may end a connection on without an
// answer. A request that crashes what it reaches would else take down one
// upstream after another.
const maxDeaths = 2

// minRefused is how often a request is sent to upstreams that say that they did
// not process it, however few attempts it has. What they say may be wrong.
const minRefused = 2

// decide is the whole rule of when a request is sent again, with a limit of
// attempts. It holds for one whose answer broke off too.
func (x *exchange) decide(e *Error, attempts int) Decision {
	x.strain(e.Reason)
	if not := e.Reason.unretried(); not != Retried {
		return not
	}
	if x.Err() != nil {
		return x.ended()
	}
	if bar := x.barred(e); bar != Retried {
		return bar
	}
	switch {
	case x.tries >= attempts, x.races > attempts, x.refused >= max(attempts, minRefused):
		return NoAttemptsLeft
	case e.Reason.free() && x.heldTooLong():
		return OutOfTime
	case e.Reason.free():
		x.retrying = false
		return Retried
	case x.route.Pool.overloaded():
		return Strained
	case !x.route.Pool.budget.withdraw():
		return BudgetSpent
	}
	x.retrying = true
	return Retried
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

// barred tells why no upstream may get the request once more, [Retried] when
// nothing bars it.
func (x *exchange) barred(e *Error) Decision {
	switch {
	case e.Sent && !x.choice.Replayable:
		return NotSafe
	case !x.body.replayable(), e.Reason == UpstreamStatus && !x.body.fits():
		return BodyGone
	case x.deaths >= maxDeaths:
		return Deadly
	}
	return Retried
}

// strain tells the budget of an attempt that failed.
func (x *exchange) strain(r Reason) {
	switch {
	case r == ResponseTimeout:
		x.route.Pool.budget.timedOut()
	case r.Fault() == FaultUpstream:
		x.route.Pool.budget.relieve(1)
	}
}

func (x *exchange) ended() Decision {
	if contextReason(x) == ClientGone {
		return ClientsFault
	}
	return OutOfTime
}

// better reports whether an answer with this status is worth a try elsewhere.
func (x *exchange) better(status int) bool {
	return status >= 400 && slices.Contains(x.route.Pool.opts.Retry.Statuses, status)
}

// pause returns how long to wait before the upstreams are asked anew, after n
// rounds over all of them: an exponential backoff of which half is random, or
// what the upstream asked for in Retry-After.
func (x *exchange) pause(n int) time.Duration {
	retry := &x.route.Pool.opts.Retry
	d := retryablehttp.DefaultBackoff(retry.Backoff, retry.MaxBackoff, n, x.held)
	if x.held != nil && x.held.Header.Get("Retry-After") != "" {
		return d
	}
	return d/2 + rand.N(d/2+1)
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
