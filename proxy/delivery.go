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

// order is the request that a delivery sends, with its settings. It does not change.
type order struct {
	ctx       context.Context // ends the delivery
	pool      *Pool
	out       outgoing    // the request, apart from the details of each upstream
	body      *replayBody // nil = none
	method    string
	host      string // Route.Host
	retrySafe bool   // Route.RetrySafe
	priority  Priority
	client    netip.Addr
	start     time.Time     // of the request
	deadline  time.Duration // from start; 0 = none
	grpcEnd   time.Time     // the deadline that a gRPC client has set; zero = none
	live      bool          // the client switches protocols or sends a stream
	streaming bool          // the client asked for a stream
	teller    teller        // of the client's side of the request
	trace     Trace         // nil = off
	got1xx    got1xx        // passes informational responses on
	standIn   func() bool   // reports whether an older response could replace the answer; nil = none could

	buffers *collectPool
	rest    *rest // the part of a body to fetch; nil = send the whole request
}

// teller returns the bytes that begin a connection for a request, where the PROXY
// protocol carries the client's address.
type teller interface {
	preface(ProxyProtocol) []byte
}

// delivery sends one request to the upstreams of one pool until it has an answer, or a
// reason to stop. It knows the upstreams, and nothing of the client. It belongs to the
// request's goroutine.
type delivery struct {
	order
	record *Record
	choice balancer.Choice
	before *delivery // the previous one of the same exchange

	tries      int       // attempts that count against the limit
	staleConns int       // attempts lost to an idle connection that was closing
	refused    int       // times that the request was sent and an upstream said that it had not processed it
	crashed    int       // upstreams that ended the connection without an answer
	rounds     int       // times that all upstreams had been tried
	hedged     int       // attempts sent beside another one
	holdEnd    time.Time // the end of the hold; set when the request first waits
	retrying   bool      // the latest attempt has taken a token of the retry budget
	queued     bool      // has a place in the pool's queue

	lastCrashed *balancer.Upstream // the last that counts in crashed
	fallback    *attempt           // has an answer that another may replace; used when no better one comes
	hedgeable   *attempt           // the attempt that a hedge may join
	race        *race              // several attempts in flight; else nil
	turn        *http1.Turn        // which attempt without a connection may send first; nil = none waits
	open        []*attempt         // may still hold a lease, a limit or an answer

	first     attempt               // memory for the first; most requests have no other
	collected collected             // memory for the beginning of its answer
	tried     [4]*balancer.Upstream // memory for choice.Tried
	attempts  [2]Attempt            // memory for the record's
	opened    [2]*attempt           // memory for open
}

// begin begins a delivery with an order. It takes over the count of crashed upstreams
// from an earlier delivery to another pool.
func (d *delivery) begin(o order, record *Record, before *delivery) {
	d.order, d.record = o, record
	d.choice.Tried, d.open = d.tried[:0], d.opened[:0]
	if before != nil {
		d.crashed, d.lastCrashed = before.crashed, before.lastCrashed
	}
}

// run sends the request until an attempt has a usable answer, or there is a reason to
// stop. If failed is not nil, it decides about that failure first.
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
		if before != nil && failed != nil && errors.Is(failed.Err, errLost) { // the earlier attempt was still reading the body
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

// best returns the kept attempt that no retry has improved on, else the failure.
func (d *delivery) best(failed *Error) (*attempt, *Error) {
	if a := d.fallback; a != nil {
		d.fallback = nil
		return a, nil
	}
	return nil, failed
}

// dropFallback discards the kept answer of an earlier attempt.
func (d *delivery) dropFallback() {
	if d.fallback != nil {
		d.fallback.discard()
		d.fallback = nil
	}
}

// end frees everything that the delivery holds. The attempts have already ended unless a
// panic has interrupted them.
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

// answered settles the retry budget after a usable answer.
func (d *delivery) answered() {
	d.dropFallback()
	d.decided(reason.Answered)
	if d.rest != nil { // settled after the last byte
		return
	}
	if d.retrying {
		d.pool.budget.refund()
		d.pool.budget.relieve(strainHelp)
		return
	}
	d.pool.budget.relieve(1)
}

// acquire returns an upstream and its lease. It waits while the pool is paused.
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

// find returns an upstream and its lease. It prefers upstreams that it has not tried.
// When it has tried all, it pauses and begins another round.
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

// picks bounds how often pick tries again after another request has taken the place
// between Pick and TryAcquire. Then the request waits.
const picks = 8

func (d *delivery) pick() (*balancer.Member, balancer.Lease, bool) {
	for range picks {
		m := d.pool.Pick(&d.choice)
		d.choice.Now = 0 // the next pick is later
		if m == nil {
			break
		}
		if lease, ok := m.TryAcquire(); ok {
			return m, lease, true
		}
	}
	return nil, balancer.Lease{}, false
}

// account records an attempt and reports it to the balancer. It returns the failure if
// there is no usable answer.
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
	refused := why == reason.StreamRefused && a.call.Sent()
	if refused {
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
	case refused: // d.refused bounds these
		if d.refused > 1 || outcome != balancer.Ignored {
			d.choice.Tried = append(d.choice.Tried, a.m.Upstream)
		}
	case outcome == balancer.Ignored: // the connection was at fault, not the upstream: try the upstream again
		d.staleConns++
		if d.staleConns > 1 { // its other idle connections may be closing as well
			d.choice.Tried = append(d.choice.Tried, a.m.Upstream)
		}
	case why.Free() && why != reason.StreamRefused && d.pool.opts.Hold.For > 0: // the hold bounds these, not the number of attempts
		d.choice.Tried = append(d.choice.Tried, a.m.Upstream)
	default:
		d.tries++
		d.choice.Tried = append(d.choice.Tried, a.m.Upstream)
	}
}

// decided records the decision about the latest attempt.
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

// statusReason returns the reason for a gateway error that an upstream has answered, else
// None.
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
