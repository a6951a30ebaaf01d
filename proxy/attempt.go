package proxy

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/http1"
)

// roundTripper is the attempt loop as httputil sees it.
type roundTripper struct{}

func (roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	x := exchangeOf(r.Context())
	x.route.Pool.budget.deposit()
	if err := x.prefetch(r); err != nil {
		return nil, err
	}
	res, err := x.run(r)
	if err != nil {
		return nil, err
	}
	return res, nil
}

// run sends the request until there is an answer to give, or a reason not to
// try again.
func (x *exchange) run(r *http.Request) (*http.Response, *Error) {
	for {
		m, lease, failed := x.acquire()
		if failed != nil {
			x.decided(NobodyLeft)
			return x.best(failed)
		}
		res, failed := x.attempt(r, m, lease)
		if res != nil && !x.better(res.StatusCode) {
			x.answered()
			return res, nil
		}
		if res != nil {
			x.dropHeld()
			x.held = res
			failed = &Error{Reason: UpstreamStatus, Upstream: m.Addr(), Sent: true}
		}
		x.choice.Now = time.Now().UnixNano()
		d := x.decide(failed)
		x.decided(d)
		if d != Retried {
			return x.best(failed)
		}
	}
}

// best returns the answer that could not be bettered, else the failure.
func (x *exchange) best(failed *Error) (*http.Response, *Error) {
	if res := x.held; res != nil {
		x.held = nil
		return res, nil
	}
	return nil, failed
}

// dropHeld ends an answer that is not to be relayed.
func (x *exchange) dropHeld() {
	if x.held != nil {
		x.held.Body.Close()
		x.held = nil
	}
}

// answered settles the budget after an answer worth giving.
func (x *exchange) answered() {
	x.dropHeld()
	x.decided(Answered)
	if x.retrying {
		x.route.Pool.budget.refund()
	}
}

// acquire returns an upstream to try and the right to. It prefers one that has
// not been tried; when all have been, the next round begins after a pause.
func (x *exchange) acquire() (*balancer.Member, balancer.Lease, *Error) {
	if m, lease, ok := x.pick(); ok {
		return m, lease, nil
	}
	if len(x.choice.Tried) > 0 {
		if err := x.newRound(); err != nil {
			return nil, balancer.Lease{}, err
		}
		if m, lease, ok := x.pick(); ok {
			return m, lease, nil
		}
	}
	return x.hold()
}

// picks bounds how often a place that went between Pick and TryAcquire is
// looked for again before the request queues up.
const picks = 8

func (x *exchange) pick() (*balancer.Member, balancer.Lease, bool) {
	for range picks {
		m := x.route.Pool.Pick(&x.choice)
		if m == nil {
			break
		}
		if lease, ok := m.TryAcquire(); ok {
			return m, lease, true
		}
	}
	return nil, balancer.Lease{}, false
}

// attempt sends the request to one upstream and accounts for what came of it.
// The response's body holds the lease.
func (x *exchange) attempt(r *http.Request, m *balancer.Member, lease balancer.Lease) (*http.Response, *Error) {
	l := m.Link().(*link)
	out, limit := x.outgoing(r, l)
	t := &http1.Exchange{
		Got1xx:  httptrace.ContextClientTrace(r.Context()).Got1xxResponse, // httputil's
		Careful: !x.choice.Replayable,
	}
	started := time.Now()
	res, failed := l.try(out, t)
	took := time.Since(started)
	limit.lift()
	x.record.note(m, t, started.Sub(x.record.Start), took)
	if failed == nil {
		failed = x.collect(res, started.Add(took))
	}
	if failed != nil {
		failed.Reason = cmp.Or(x.clientFailure(), failed.Reason)
		x.lost(m, &lease, t, failed, took)
		limit.end()
		return nil, failed
	}
	x.tries++
	x.choice.Tried = append(x.choice.Tried, m.Upstream)
	x.servedBy = m.Upstream
	x.last().Status = res.StatusCode
	x.last().Reason = statusReason(res.StatusCode)
	if x.last().Reason != None {
		lease.Report(balancer.Failure, took)
	} else {
		lease.Report(balancer.Success, took)
	}
	heedDrain(res.Header, m.Upstream)
	x.lease(res, lease, limit)
	return res, nil
}

// lost accounts for an attempt without an answer.
func (x *exchange) lost(m *balancer.Member, lease *balancer.Lease, t *http1.Exchange, failed *Error, took time.Duration) {
	x.last().Reason = failed.Reason
	x.last().Err = failed.Err
	outcome := failed.Reason.outcome(t)
	lease.Report(outcome, took)
	lease.Release()
	if failed.Reason == ConnectRefused {
		m.Refused()
	}
	if failed.Reason.free() && x.route.Pool.opts.Unreachable != nil {
		x.route.Pool.opts.Unreachable()
	}
	if failed.Reason == ClosedBeforeResponse && outcome == balancer.Unreachable {
		x.deaths++
	}
	switch {
	case outcome == balancer.Ignored: // the connection was at fault, not the upstream: it may be asked again
		x.races++
		if x.races > 1 { // its other idle connections may be closing as well
			x.choice.Tried = append(x.choice.Tried, m.Upstream)
		}
	case failed.Reason.free() && x.route.Pool.opts.Hold.For > 0: // bounded by the hold instead
		x.choice.Tried = append(x.choice.Tried, m.Upstream)
	default:
		x.tries++
		x.choice.Tried = append(x.choice.Tried, m.Upstream)
	}
}

// statusReason is the reason for an answer that is itself a gateway error.
func statusReason(status int) Reason {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return UpstreamStatus
	}
	return None
}

// outgoing returns the request for one attempt, and the attempt's own limit.
func (x *exchange) outgoing(r *http.Request, l *link) (*http.Request, *limit) {
	out := r
	if len(x.record.Attempts) > 0 { // an earlier attempt may still send r
		out = new(*r)
		out.URL = new(*r.URL)
	}
	out.URL.Scheme, out.URL.Host = l.scheme, l.host
	if x.route.Host == HostUpstream {
		out.Host = l.host
	}
	out.Body, out.GetBody = nil, nil
	if x.body != nil {
		out.Body = x.body.view()
	}
	if d := x.route.Pool.opts.Retry.PerTry; d > 0 {
		return limited(out, d)
	}
	return out, nil
}

// limit bounds a try until its response header, or a whole request. A nil one
// does not.
type limit struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

func limited(r *http.Request, d time.Duration) (*http.Request, *limit) {
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(d, func() { cancel(errPerTry) })
	return r.WithContext(ctx), &limit{timer, cancel}
}

// lift takes the bound off.
func (l *limit) lift() {
	if l != nil {
		l.timer.Stop()
	}
}

// end frees what the limit holds.
func (l *limit) end() {
	if l != nil {
		l.cancel(nil)
	}
}
