package proxy

import (
	"context"
	"net/http"
	"net/textproto"
	"slices"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// got1xx passes an informational response on. Its error ends the attempt.
type got1xx = func(code int, header textproto.MIMEHeader) error

// attempt is one sending of the request to one upstream. It holds everything that the
// sending goroutine touches. The delivery creates it, and accounts for it after send has
// returned.
type attempt struct {
	m     *balancer.Member
	lease balancer.Lease
	by    *endpoint     // the endpoint at its start; a reload may have replaced it since
	out   *http.Request // the attempt's own; nil when plain is sent
	plain http1.Request // the attempt's own
	limit *limit
	call  http1.Call
	span  SpanID

	after   time.Duration // since the request's start
	started time.Time
	took    time.Duration     // until the response header or the failure
	res     *message.Response // nil without an answer
	answer  message.Response  // memory for one that RoundTrip returned
	failed  *Error
	number  int       // within the request, from 1; 0 = not in the record
	hedge   bool      // sent because the first attempt was slow
	why     suspicion // of a hedge: against the attempt before it
	payer   *budget   // of a hedge: the budget that paid for it
	cleared bool      // its lateness was taken back
	late    bool      // its lateness was counted
	back    bool      // in a race: send has returned
	beaten  bool      // another attempt of the same request was answered first
	ended   bool      // holds nothing any more
}

// newAttempt prepares the request for one upstream.
func (d *delivery) newAttempt(m *balancer.Member, lease balancer.Lease) *attempt {
	a := &d.first
	if a.m != nil { // something left of an earlier attempt may still use it
		a = new(attempt)
	}
	a.m, a.lease, a.by = m, lease, endpointOf(m.Upstream)
	if d.sends() {
		a.lease.Sending()
	}
	d.open = append(slices.DeleteFunc(d.open, (*attempt).hasEnded), a) // before anything can panic
	d.prepare(a, a.by)
	a.call.Context = d.ctx
	if perTry := d.pool.opts.Retry.PerTry; perTry > 0 {
		a.bound(perTry)
	}
	a.call.Got1xx = d.got1xx
	a.call.Careful = !d.choice.Replayable
	a.call.Preface = d.teller.preface(a.by.opts.ProxyProtocol)
	a.started = time.Now()
	a.after = a.started.Sub(d.start)
	return a
}

// send sends the request, and returns with a response header or a failure.
func (a *attempt) send() {
	var err error
	if a.out == nil {
		a.res, err = a.by.transport.(plainTransport).Send(a.call.Context, &a.plain, &a.call)
	} else {
		var res *http.Response
		if res, err = a.by.transport.RoundTrip(a.out, &a.call); err == nil {
			a.answer.SetHTTP(res)
			a.res = &a.answer
		}
	}
	if err != nil {
		a.failed = a.by.classify(a.call.Context, &a.call, err)
	}
	a.took = time.Since(a.started)
	a.limit.lift()
}

// end releases the lease and the limit of an attempt whose answer nobody reads.
func (a *attempt) end() {
	a.ended = true
	a.lease.Release()
	a.limit.end()
}

func (a *attempt) hasEnded() bool { return a.ended }

// handOver returns the lease to a new owner, who must release it.
func (a *attempt) handOver() balancer.Lease {
	lease := a.lease
	a.lease, a.ended = balancer.Lease{}, true
	return lease
}

// discard closes the unwanted answer of an attempt, and ends the attempt.
func (a *attempt) discard() {
	if a.res != nil {
		a.res.Body.Close()
	}
	a.end()
}

// cancelable gives an attempt its own context.
func (a *attempt) cancelable() {
	if a.limit == nil {
		ctx, cancel := context.WithCancelCause(a.call.Context)
		a.call.Context, a.limit = ctx, &limit{cancel: cancel}
	}
}

// mark adds a span to the trace, for a request to an upstream.
func (d *delivery) mark(h message.Editor) (s SpanID) {
	if d.trace != nil {
		var traceparent string
		traceparent, s = d.trace.Attempt()
		h.Set("Traceparent", traceparent)
	}
	return s
}

// limit bounds the time of an attempt until its response header, or of a whole request. A
// nil limit has no effect.
type limit struct {
	timer  *time.Timer // nil = only for cancelling
	cancel context.CancelCauseFunc
}

// bound cancels the attempt after d, unless lift is called first.
func (a *attempt) bound(d time.Duration) {
	ctx, cancel := context.WithCancelCause(a.call.Context)
	timer := time.AfterFunc(d, func() { cancel(errPerTry) })
	a.call.Context, a.call.Prompt, a.limit = ctx, true, &limit{timer, cancel}
}

// lift removes the time limit.
func (l *limit) lift() {
	if l != nil && l.timer != nil {
		l.timer.Stop()
	}
}

// end frees the limit's context.
func (l *limit) end() {
	if l != nil {
		l.cancel(nil)
	}
}
