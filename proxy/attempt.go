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

// got1xx passes an informational response on; its error ends the attempt.
type got1xx = func(code int, header textproto.MIMEHeader) error

// attempt is one sending of the request to one upstream: everything that the
// goroutine which sends it touches. The delivery makes it, and accounts for it
// when send has returned.
type attempt struct {
	m     *balancer.Member
	lease balancer.Lease
	by    *endpoint     // that it was made for; a reload may have replaced it since
	out   *http.Request // its own; nil when plain is sent
	plain http1.Request // its own
	limit *limit
	call  http1.Call
	span  SpanID

	after   time.Duration // since the request's start
	started time.Time
	took    time.Duration     // until the response header or the failure
	res     *message.Response // nil without an answer
	answer  message.Response  // room for one that came by the library
	failed  *Error
	number  int       // among the request's, from 1; 0 = it is not in the record
	hedge   bool      // sent because the first was slow
	why     suspicion // of a hedge: against the attempt before
	payer   *budget   // of a hedge
	cleared bool      // being late was taken back
	late    bool      // and it was counted
	back    bool      // of a race: send has returned
	beaten  bool      // another attempt of the same request was answered before
	ended   bool      // holds nothing any more
}

// newAttempt prepares the request for one upstream.
func (d *delivery) newAttempt(m *balancer.Member, lease balancer.Lease) *attempt {
	a := &d.first
	if a.m != nil { // what is left of an earlier attempt may still use it
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

// send returns when there is a response header, or a failure.
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

// end gives back what an attempt holds that nobody reads an answer from.
func (a *attempt) end() {
	a.ended = true
	a.lease.Release()
	a.limit.end()
}

func (a *attempt) hasEnded() bool { return a.ended }

// handOver gives the lease to somebody who ends it in place of the attempt.
func (a *attempt) handOver() balancer.Lease {
	lease := a.lease
	a.lease, a.ended = balancer.Lease{}, true
	return lease
}

// discard ends an attempt whose answer nobody wants.
func (a *attempt) discard() {
	if a.res != nil {
		a.res.Body.Close()
	}
	a.end()
}

// cancelable gives an attempt a context of its own.
func (a *attempt) cancelable() {
	if a.limit == nil {
		ctx, cancel := context.WithCancelCause(a.call.Context)
		a.call.Context, a.limit = ctx, &limit{cancel: cancel}
	}
}

// mark makes a request that goes upstream part of the trace.
func (d *delivery) mark(h message.Editor) (s SpanID) {
	if d.trace != nil {
		var traceparent string
		traceparent, s = d.trace.Attempt()
		h.Set("Traceparent", traceparent)
	}
	return s
}

// limit bounds an attempt until its response header, or a whole request. A nil one
// does not.
type limit struct {
	timer  *time.Timer // nil = it is only there to be ended
	cancel context.CancelCauseFunc
}

// bound ends the attempt after d, unless it is lifted.
func (a *attempt) bound(d time.Duration) {
	ctx, cancel := context.WithCancelCause(a.call.Context)
	timer := time.AfterFunc(d, func() { cancel(errPerTry) })
	a.call.Context, a.call.Prompt, a.limit = ctx, true, &limit{timer, cancel}
}

// lift takes the bound off.
func (l *limit) lift() {
	if l != nil && l.timer != nil {
		l.timer.Stop()
	}
}

// end frees what the limit holds.
func (l *limit) end() {
	if l != nil {
		l.cancel(nil)
	}
}
