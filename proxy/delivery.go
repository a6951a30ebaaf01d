package proxy

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

// order is a request as a delivery gets it. It does not change.
type order struct {
	ctx       context.Context // its end ends the delivery
	pool      *Pool
	out       outgoing    // what goes upstream, but for what differs by upstream
	body      *replayBody // nil = none
	method    string
	host      string // Route.Host
	retrySafe bool   // Route.RetrySafe
	priority  Priority
	client    netip.Addr
	start     time.Time     // of the request
	deadline  time.Duration // from start; 0 = none
	grpcEnd   time.Time     // of the client's time for a call of gRPC; zero = none
	live      bool          // the client changes the protocol or sends a stream
	streaming bool          // the client asked for a stream
	teller    teller        // of whose request it is
	trace     Trace         // nil = off
	got1xx    got1xx        // passes informational responses on
	standIn   func() bool   // whether an older response could be used instead of an answer; nil = none could

	buffers *collectPool
	rest    *rest // the part of a body that is asked for; nil = the whole request is sent
}

// teller tells what connections for a request begin with, where upstreams are told of
// the client.
type teller interface {
	preface(ProxyProtocol) []byte
}

// delivery sends one request to the upstreams of one pool until there is an answer
// to give, or a reason not to try again. It knows upstreams and nothing of the
// client. It belongs to the request's goroutine.
type delivery struct {
	order
	record *Record
	choice balancer.Choice
	before *delivery // of the same exchange

	tries      int       // attempts that count against the limit
	staleConns int       // attempts lost to an idle connection that was closing
	refused    int       // times that it was sent and an upstream said that it did not process it
	crashed    int       // upstreams that ended the connection without an answer
	rounds     int       // times every upstream had been tried
	hedged     int       // attempts that were sent beside another
	holdEnd    time.Time // set when the request first waits
	retrying   bool      // the attempt under way has a token of the retry budget
	queued     bool      // has a place in the pool's queue

	lastCrashed *balancer.Upstream // the last that counts in crashed
	fallback    *attempt           // has an answer to be bettered; given when nothing better comes
	hedgeable   *attempt           // is under way and may get company
	race        *race              // several attempts that are under way; else nil
	turn        *http1.Turn        // of attempts for which there is no connection; nil = none
	open        []*attempt         // may hold something

	first     attempt               // room for the first; most requests have no other
	collected collected             // room for the beginning of its answer
	tried     [4]*balancer.Upstream // room for choice.Tried
	attempts  [2]Attempt            // room for the record's
	opened    [2]*attempt           // room for open
}

// begin prepares for an order. What a delivery before it, to another pool, has
// learned of the request goes along.
func (d *delivery) begin(o order, record *Record, before *delivery) {
	d.order, d.record = o, record
	d.choice.Tried, d.open = d.tried[:0], d.opened[:0]
	if before != nil {
		d.crashed, d.lastCrashed = before.crashed, before.lastCrashed
	}
}

// run sends the request until there is an attempt whose answer is to be given, or
// a reason not to try again. With a failure it begins by deciding about that.
func (d *delivery) run(failed *Error) (*attempt, *Error) {
	if failed == nil {
		if failed := d.ready(); failed != nil {
			return nil, failed
		}
	}
	for {
		if failed != nil {
			decision := d.decide(failed)
			d.decided(decision)
			if !decision.Again() {
				return d.best(failed)
			}
		}
		m, lease, none := d.acquire()
		if none != nil {
			d.decided(reason.NobodyLeft)
			return d.best(none)
		}
		a := d.newAttempt(m, lease)
		d.mayHedge(a)
		a.send()
		if d.race != nil {
			a = d.settle(d.race)
		}
		before := failed
		failed = d.account(a)
		if before != nil && failed != nil && errors.Is(failed.Err, errLost) { // the attempt before was still reading the body
			d.decided(reason.BodyGone)
			return d.best(before)
		}
		if failed != nil {
			continue
		}
		if !d.better(a) {
			d.bettered(a)
			d.answered()
			d.headed()
			return a, nil
		}
		d.dropFallback()
		d.fallback = a
		failed = &Error{Reason: reason.UpstreamStatus, Upstream: m.Addr(), Sent: true}
	}
}

// best returns the attempt whose answer could not be bettered, else the failure.
func (d *delivery) best(failed *Error) (*attempt, *Error) {
	if a := d.fallback; a != nil {
		d.fallback = nil
		return a, nil
	}
	return nil, failed
}

// dropFallback ends an answer that is not to be given.
func (d *delivery) dropFallback() {
	if d.fallback != nil {
		d.fallback.discard()
		d.fallback = nil
	}
}

// end gives back what the delivery holds. Attempts have ended before, unless a panic
// has come in between.
func (d *delivery) end() {
	d.dropFallback()
	if d.race != nil {
		d.race.abandon()
	}
	for _, a := range d.open {
		if !a.ended {
			a.discard()
		}
	}
	d.leave()
}

// answered settles the budget after an answer worth giving.
func (d *delivery) answered() {
	d.dropFallback()
	d.decided(reason.Answered)
	if d.rest != nil { // settled once all of it has come
		return
	}
	if d.retrying {
		d.pool.budget.refund()
		d.pool.budget.relieve(strainHelp)
		return
	}
	d.pool.budget.relieve(1)
}

// acquire returns an upstream to try and the right to, once the pool is not paused.
func (d *delivery) acquire() (*balancer.Member, balancer.Lease, *Error) {
	for {
		m, lease, failed := d.find()
		if failed != nil || d.pool.Paused() == nil {
			return m, lease, failed
		}
		lease.Release()
		if failed := d.ready(); failed != nil {
			return nil, balancer.Lease{}, failed
		}
	}
}

// find returns an upstream and its lease. It prefers one that has not been tried;
// when all have been, the next round begins after a pause.
func (d *delivery) find() (*balancer.Member, balancer.Lease, *Error) {
	if m, lease, ok := d.pick(); ok {
		return m, lease, nil
	}
	if len(d.choice.Tried) > 0 {
		if err := d.newRound(); err != nil {
			return nil, balancer.Lease{}, err
		}
		if m, lease, ok := d.pick(); ok {
			return m, lease, nil
		}
	}
	return d.hold()
}

// picks bounds how often a place that went between Pick and TryAcquire is
// looked for again before the request queues up.
const picks = 8

func (d *delivery) pick() (*balancer.Member, balancer.Lease, bool) {
	for range picks {
		m := d.pool.Pick(&d.choice)
		d.choice.Now = 0 // the next pick is at another time
		if m == nil {
			break
		}
		if lease, ok := m.TryAcquire(); ok {
			return m, lease, true
		}
	}
	return nil, balancer.Lease{}, false
}

// account says what came of an attempt, and returns why its answer is none to give.
func (d *delivery) account(a *attempt) *Error {
	d.record.note(a)
	if a.failed == nil && d.rest == nil {
		a.failed = d.collect(a)
	}
	if a.failed != nil {
		a.failed.Reason = cmp.Or(d.body.failure(d.ctx), a.failed.Reason)
		d.lost(a)
		return a.failed
	}
	d.heard(a)
	if d.rest != nil && !d.rest.is(a.res) {
		d.record.last().Err = errNotRest
		a.discard()
		return &Error{Reason: reason.ResponseTruncated, Upstream: a.m.Addr(), Sent: true, Err: errNotRest}
	}
	if a.hedge && !d.better(a) {
		d.record.Absorbed = reason.ByHedge
	}
	if isWhole(a.res) {
		a.end()
	}
	return nil
}

// heard accounts for an attempt with an answer.
func (d *delivery) heard(a *attempt) {
	d.tries++
	d.choice.Tried = append(d.choice.Tried, a.m.Upstream)
	a.by.refusals.answered()
	entry := d.record.last()
	entry.Status = a.res.StatusCode
	entry.Reason = statusReason(statusOf(a.res))
	outcome := balancer.Success
	if d.pool.blames(statusOf(a.res)) {
		outcome = balancer.Failure
	} else {
		d.pool.hedging.answered(a)
	}
	d.heedDrain(a)
	a.lease.Report(outcome, a.took)
}

// lost accounts for an attempt without an answer.
func (d *delivery) lost(a *attempt) {
	why := a.failed.Reason
	d.record.last().Reason = why
	d.record.last().Err = a.failed.Err
	outcome := outcomeOf(why, &a.call)
	if why == reason.StreamRefused && a.by.refusals.add(a.started.Add(a.took)) {
		outcome = balancer.Failure
	}
	a.lease.Report(outcome, a.took)
	a.end()
	if why == reason.ConnectRefused {
		a.m.Refused()
	}
	if why == reason.StreamRefused && a.call.Sent() {
		d.refused++
	}
	if why.Free() && d.pool.opts.Unreachable != nil {
		d.pool.opts.Unreachable()
	}
	if why == reason.ClosedBeforeResponse && outcome == balancer.Unreachable && d.lastCrashed != a.m.Upstream {
		d.lastCrashed = a.m.Upstream
		d.crashed++
	}
	switch {
	case outcome == balancer.Ignored: // the connection was at fault, not the upstream: it may be asked again
		d.staleConns++
		if d.staleConns > 1 { // its other idle connections may be closing as well
			d.choice.Tried = append(d.choice.Tried, a.m.Upstream)
		}
	case why.Free() && why != reason.StreamRefused && d.pool.opts.Hold.For > 0: // bounded by the hold instead
		d.choice.Tried = append(d.choice.Tried, a.m.Upstream)
	default:
		d.tries++
		d.choice.Tried = append(d.choice.Tried, a.m.Upstream)
	}
}

// decided notes what is done after the latest attempt.
func (d *delivery) decided(decision reason.Decision) {
	a := d.record.last()
	if a == nil {
		return
	}
	a.Decision = decision
	if decision != reason.Answered {
		a.Budget = d.pool.BudgetLeft()
	}
}

// statusReason is the reason for an answer that is itself a gateway error.
func statusReason(status int) reason.Reason {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return reason.UpstreamStatus
	}
	return reason.None
}

// blames reports whether an answer with this status is a failure of its upstream.
func (p *Pool) blames(status int) bool {
	if f := p.opts.Failures; f != nil {
		return slices.Contains(f, status)
	}
	return statusReason(status) != reason.None
}
