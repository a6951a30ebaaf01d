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

// idempotent reports whether an upstream may execute the method twice (RFC 9110, section
// 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// keyed reports whether a request has an Idempotency-Key, by which the application can
// recognise a repeated request.
func keyed(r *Request) bool { return r.Get(header.IdempotencyKey) != "" }

// outcomeOf returns what a failed attempt shows about its upstream.
func outcomeOf(r reason.Reason, call *http1.Call) balancer.Outcome {
	switch {
	case r.Fault() != reason.FaultUpstream:
		return balancer.Ignored
	case r == reason.StreamRefused: // an upstream may refuse a stream now and then: refusals counts them
		return balancer.Ignored
	case r == reason.ClosedBeforeResponse && call.Reused && call.Received() == 0:
		return balancer.Ignored // an idle connection closed while the request was sent
	}
	return balancer.Unreachable
}

// maxCrashed bounds the upstreams that may end their connection without an answer to one
// request. Without it, a request that crashes the application would take down one
// upstream after another.
const maxCrashed = 2

// minRefused is the least number of times that a request goes to upstreams that claim not
// to have processed it, even with fewer attempts allowed: the first upstream gets it
// twice, because often only its connection was at its end, and then another one gets it.
// It is also the limit on such attempts, because the claim may be wrong.
const minRefused = 3

// decide is the only place that decides whether to send a request again, or to fetch the
// rest of a broken answer. The failure is that of the latest attempt.
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

// barred returns the reason why no upstream may get the request again, or [Retried] when
// there is none.
func (d *delivery) barred(e *Error) reason.Decision {
	switch {
	case d.crashed >= maxCrashed:
		return reason.Deadly
	case d.rest != nil: // a resumed download is a GET without a body
		return reason.Retried
	case e.Sent && !d.choice.Replayable:
		return reason.NotSafe
	case !d.body.replayable(), e.Reason == reason.UpstreamStatus && !d.body.fits():
		return reason.BodyGone
	}
	return reason.Retried
}

// strain reports a failed attempt to the retry budget.
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

// better reports whether to try another upstream although an attempt has an answer: its
// status is one of retry.statuses, or it is a server error from a newly introduced
// upstream. There the new version is a likelier cause than the request.
func (d *delivery) better(a *attempt) bool {
	status := statusOf(a.res)
	if status < 400 || d.rest != nil {
		return false
	}
	return status >= 500 && a.m.Introduced() && d.pool.HasSettled() || slices.Contains(d.pool.opts.Retry.Statuses, status)
}

// bettered records that another upstream's answer has hidden the failure of a newcomer.
// The newcomer's status alone gives no reason.
func (d *delivery) bettered(by *attempt) {
	if a := d.fallback; a != nil && statusOf(by.res) < 500 {
		if entry := d.record.entry(a); entry != nil && entry.Reason == reason.None {
			entry.Reason = reason.UpstreamStatus
		}
	}
}

// pause returns the wait before the next round over all upstreams, after n rounds. It is
// the Retry-After of a 429 or 503, else an exponential backoff, half of it random.
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

// sleep waits for d. It reports false when the request ended first.
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
