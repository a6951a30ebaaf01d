package proxy

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

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

// outcomeOf is what a failed attempt says about its upstream.
func outcomeOf(r reason.Reason, call *http1.Call) balancer.Outcome {
	switch {
	case r.Fault() != reason.FaultUpstream:
		return balancer.Ignored
	case r == reason.StreamRefused: // as it may now and then, see refusals
		return balancer.Ignored
	case r == reason.ClosedBeforeResponse && call.Reused && call.Received() == 0:
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
func (d *delivery) decide(e *Error) reason.Decision {
	d.strain(e.Reason)
	if not := e.Reason.Unretried(); not != reason.Retried {
		return not
	}
	if d.ctx.Err() != nil {
		return d.ended()
	}
	if bar := d.barred(e); bar != reason.Retried {
		return bar
	}
	again, limit := reason.Retried, d.pool.opts.Retry.Attempts
	if d.rest != nil {
		again, limit = reason.Resumed, maxResumes
	}
	switch {
	case d.tries >= limit, d.staleConns > limit, d.refused >= max(limit, minRefused):
		return reason.NoAttemptsLeft
	case e.Reason.Free() && d.heldTooLong():
		return reason.OutOfTime
	case e.Reason.Free():
		d.retrying = false
		return again
	case d.pool.overloaded():
		return reason.Strained
	case !d.pool.budget.withdraw():
		return reason.BudgetSpent
	}
	d.retrying = true
	return again
}

// barred tells why no upstream may get the request once more, [Retried] when
// nothing bars it.
func (d *delivery) barred(e *Error) reason.Decision {
	switch {
	case d.crashed >= maxCrashed:
		return reason.Deadly
	case d.rest != nil: // it is a GET without a body
		return reason.Retried
	case e.Sent && !d.choice.Replayable:
		return reason.NotSafe
	case !d.body.replayable(), e.Reason == reason.UpstreamStatus && !d.body.fits():
		return reason.BodyGone
	}
	return reason.Retried
}

// strain tells the budget of an attempt that failed.
func (d *delivery) strain(r reason.Reason) {
	switch {
	case r == reason.ResponseTimeout:
		d.pool.budget.timedOut()
	case r.Fault() == reason.FaultUpstream:
		d.pool.budget.relieve(1)
	}
}

func (d *delivery) ended() reason.Decision {
	if contextReason(d.ctx) == reason.ClientGone {
		return reason.ClientsFault
	}
	return reason.OutOfTime
}

// better reports whether an attempt with an answer is worth one elsewhere: its status is
// one of retry.statuses, or it is an error of the server, by an upstream that is being
// introduced. What is new there is a likelier cause than the request.
func (d *delivery) better(a *attempt) bool {
	status := statusOf(a.res)
	if status < 400 || d.rest != nil {
		return false
	}
	return status >= 500 && a.m.Introduced() && d.pool.HasSettled() || slices.Contains(d.pool.opts.Retry.Statuses, status)
}

// bettered notes that the failure of a newcomer, which has no reason by its status, was
// hidden by the answer of another.
func (d *delivery) bettered(by *attempt) {
	if a := d.fallback; a != nil && statusOf(by.res) < 500 {
		if entry := d.record.entry(a); entry != nil && entry.Reason == reason.None {
			entry.Reason = reason.UpstreamStatus
		}
	}
}

// pause returns how long to wait before the upstreams are asked anew, after n
// rounds over all of them: what a 429 or 503 asked for in Retry-After, else an
// exponential backoff of which half is random.
func (d *delivery) pause(n int) time.Duration {
	if f := d.fallback; f != nil && (f.res.StatusCode == http.StatusTooManyRequests || f.res.StatusCode == http.StatusServiceUnavailable) {
		if asked, ok := parseRetryAfter(f.res.Get(header.RetryAfter), time.Now()); ok {
			return asked
		}
	}
	retry := &d.pool.opts.Retry
	t := retryablehttp.DefaultBackoff(retry.Backoff, retry.MaxBackoff, n, nil)
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
