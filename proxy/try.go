package proxy

import (
	"context"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/http1"
)

// try is one sending of the request to one upstream: everything that the
// goroutine which sends it touches. The exchange makes it, and accounts for it
// when send has returned.
type try struct {
	m     *balancer.Member
	lease balancer.Lease
	out   *http.Request // its own
	limit *limit
	wire  http1.Exchange
	span  SpanID

	after   time.Duration // since the request's start
	started time.Time
	took    time.Duration // until the response header or the failure
	res     *http.Response
	failed  *Error
	hedge   bool // sent because the first was slow
	beaten  bool // another try of the same request was answered before
}

// newTry prepares the request for one upstream.
func (x *exchange) newTry(m *balancer.Member, lease balancer.Lease) *try {
	t := &x.first.try
	if t.m != nil { // what is left of an earlier try may still use it
		t = new(try)
	}
	t.m, t.lease = m, lease
	t.out = x.outgoing(linkOf(m.Upstream), t != &x.first.try)
	t.wire.Context = x
	if d := x.route.Pool.opts.Retry.PerTry; d > 0 {
		t.bound(d)
	}
	t.span = x.mark(t.out)
	t.wire.Got1xx = x.inform
	t.wire.Careful = !x.choice.Replayable
	t.started = time.Now()
	t.after = t.started.Sub(x.record.Start)
	return t
}

// send returns when there is a response header, or a failure.
func (t *try) send() {
	t.res, t.failed = linkOf(t.m.Upstream).try(t.out, &t.wire)
	t.took = time.Since(t.started)
	t.limit.lift()
}

// end gives back what a try holds that nobody reads an answer from.
func (t *try) end() {
	t.lease.Release()
	t.limit.end()
}

// discard ends a try whose answer nobody wants.
func (t *try) discard() {
	if t.res != nil {
		t.res.Body.Close()
	}
	t.end()
}

// cancelable gives a try a context of its own.
func (t *try) cancelable() {
	if t.limit == nil {
		ctx, cancel := context.WithCancelCause(t.wire.Context)
		t.wire.Context, t.limit = ctx, &limit{cancel: cancel}
	}
}

// outgoing returns the request for one upstream. One of which an earlier try may
// still read is copied.
func (x *exchange) outgoing(l *link, copied bool) *http.Request {
	out := x.out
	if copied {
		out = new(*out)
		out.URL = new(*out.URL)
	}
	out.URL.Scheme, out.URL.Host = l.scheme, l.host
	if x.route.Host == HostUpstream {
		out.Host = l.host
	}
	x.tellTime(out)
	out.Body, out.GetBody = nil, nil
	if x.body != nil {
		view := x.body.view().withTrailer(x.trailers)
		out.Body, out.Trailer = view, view.trailer
	}
	return out
}

// limit bounds a try until its response header, or a whole request. A nil one
// does not.
type limit struct {
	timer  *time.Timer // nil = it is only there to be ended
	cancel context.CancelCauseFunc
}

// bound ends the try after d, unless it is lifted.
func (t *try) bound(d time.Duration) {
	ctx, cancel := context.WithCancelCause(t.wire.Context)
	timer := time.AfterFunc(d, func() { cancel(errPerTry) })
	t.wire.Context, t.wire.Prompt, t.limit = ctx, true, &limit{timer, cancel}
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
