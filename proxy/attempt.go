package proxy

import (
	"cmp"
	"net/http"

	"github.com/goodgate/goodgate/balancer"
)

// roundTripper is the attempt loop as httputil sees it.
type roundTripper struct{}

func (roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	x := exchangeOf(r.Context())
	x.out = r
	defer x.concludeInterim()
	x.route.Pool.deposit()
	res, err := x.conclude(x.run())
	if err != nil {
		return nil, err
	}
	return res, nil
}

// run sends the request until there is an answer to give, or a reason not to
// try again.
func (x *exchange) run() (*http.Response, *Error) {
	if failed := x.enter(); failed != nil {
		return nil, failed
	}
	for {
		m, lease, failed := x.acquire()
		if failed != nil {
			x.decided(NobodyLeft)
			return x.best(failed)
		}
		res, failed := x.attempt(m, lease)
		if res != nil && !x.better(statusOf(res)) {
			x.answered()
			return res, nil
		}
		if res != nil {
			x.dropHeld()
			x.held = res
			failed = &Error{Reason: UpstreamStatus, Upstream: m.Addr(), Sent: true}
		}
		d := x.decide(failed, x.route.Pool.opts.Retry.Attempts)
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
		x.route.Pool.budget.relieve(strainHelp)
		return
	}
	x.route.Pool.budget.relieve(1)
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
		x.choice.Now = 0 // the next pick is at another time
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
func (x *exchange) attempt(m *balancer.Member, lease balancer.Lease) (*http.Response, *Error) {
	t := x.newTry(m, lease)
	x.mayHedge(t)
	t.send()
	if x.race != nil {
		t = x.settle(x.race)
	}
	return x.account(t)
}

// account says what came of a try. The response's body holds the lease.
func (x *exchange) account(t *try) (*http.Response, *Error) {
	x.record.note(t)
	if t.failed == nil {
		t.failed = x.collect(t.res, t.started.Add(t.took))
	}
	if t.failed != nil {
		t.failed.Reason = cmp.Or(x.clientFailure(), t.failed.Reason)
		x.lost(t)
		return nil, t.failed
	}
	x.heard(t)
	if t.hedge && !x.better(t.res.StatusCode) {
		x.record.Absorbed = ByHedge
	}
	x.lease(t)
	return t.res, nil
}

// heard accounts for a try with an answer.
func (x *exchange) heard(t *try) {
	x.tries++
	x.choice.Tried = append(x.choice.Tried, t.m.Upstream)
	x.servedBy = t.m.Upstream
	linkOf(t.m.Upstream).refusals.answered()
	a := x.last()
	a.Status = t.res.StatusCode
	a.Reason = statusReason(statusOf(t.res))
	outcome := balancer.Success
	if a.Reason != None {
		outcome = balancer.Failure
	} else {
		x.route.Pool.hedging.answered(t.took)
	}
	if x.heedDrain(t) {
		outcome = balancer.Ignored
	}
	t.lease.Report(outcome, t.took)
}

// lost accounts for a try without an answer.
func (x *exchange) lost(t *try) {
	reason := t.failed.Reason
	x.last().Reason = reason
	x.last().Err = t.failed.Err
	outcome := reason.outcome(&t.wire)
	if reason == StreamRefused && linkOf(t.m.Upstream).refusals.add(t.started.Add(t.took)) {
		outcome = balancer.Failure
	}
	t.lease.Report(outcome, t.took)
	t.end()
	if reason == ConnectRefused {
		t.m.Refused()
	}
	if reason == StreamRefused && t.wire.Sent() {
		x.refused++
	}
	if reason.free() && x.route.Pool.opts.Unreachable != nil {
		x.route.Pool.opts.Unreachable()
	}
	if reason == ClosedBeforeResponse && outcome == balancer.Unreachable && x.died != t.m.Upstream {
		x.died = t.m.Upstream
		x.deaths++
	}
	switch {
	case outcome == balancer.Ignored: // the connection was at fault, not the upstream: it may be asked again
		x.races++
		if x.races > 1 { // its other idle connections may be closing as well
			x.choice.Tried = append(x.choice.Tried, t.m.Upstream)
		}
	case reason.free() && reason != StreamRefused && x.route.Pool.opts.Hold.For > 0: // bounded by the hold instead
		x.choice.Tried = append(x.choice.Tried, t.m.Upstream)
	default:
		x.tries++
		x.choice.Tried = append(x.choice.Tried, t.m.Upstream)
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
