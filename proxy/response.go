package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// give makes an attempt's answer the one that the client gets. The lease goes to
// the answer's body, or to the tunnel that an upgraded answer carries. It has ended
// with a body that is here already.
func (x *exchange) give(a *attempt) *message.Response {
	res := a.res
	x.answer.from = a.m.Upstream
	x.record.Upstream = a.m.Addr()
	x.record.Reason = statusReason(statusOf(res))
	x.answer.stream = isStream(res)
	if res.StatusCode == http.StatusSwitchingProtocols {
		if rwc, ok := res.Body.(io.ReadWriteCloser); ok {
			x.deadline.lift() // a tunnel lives as long as both sides want
			x.answer.tunnel = x.proxy.tunnels.open(rwc, a, x.delivery.pool.opts.Tunnel)
			res.Body = x.answer.tunnel
			return res
		}
	}
	if isWhole(res) {
		return res
	}
	body := &leasedBody{ReadCloser: res.Body, x: x, a: a, rest: x.restOf(res)}
	if x.answer.stream {
		body.enlist()
	}
	res.Body = body
	return res
}

// leasedBody is a response's body. It ends the lease when the body ends and
// records why a body ended early, which httputil would not tell. What is missing
// it fetches from elsewhere when it can.
type leasedBody struct {
	io.ReadCloser
	x     *exchange
	a     *attempt  // the body's
	rest  *rest     // nil when it cannot be fetched
	fetch *delivery // of the rest; nil = nothing has been missing yet
	ended bool

	listed bool        // among the streams that end with their upstream
	left   atomic.Bool // it is to end
	since  time.Time   // when its upstream was first seen to be drained; zero = it is not. Protected by the tunnels' mu
}

func (b *leasedBody) Read(p []byte) (int, error) {
	for {
		n, err := b.next(p)
		switch {
		case err == nil && n == 0: // part was spliced straight to the client
		case err == nil:
			return n, nil
		case err == io.EOF:
			b.fetched()
			b.endGRPC()
			b.x.cleanTrailer(b.a.res.Trailers())
			b.end()
			return n, err
		case b.left.Load() && !b.ended && b.x.writer.err == nil:
			b.endEarly()
			return n, io.EOF
		case !b.ended && b.x.writer.err == nil && b.x.grpcTimedOut():
			b.timeoutGRPC(err)
			b.end()
			return n, io.EOF
		case b.ended || b.x.writer.err != nil || !b.mended(err):
			b.end()
			return n, err
		case n > 0:
			return n, nil
		}
	}
}

// next reads the next part of the body, or passes it on. Then there is nothing in p.
// The client gets what has come before that is waited for.
func (b *leasedBody) next(p []byte) (int, error) {
	if w := &b.x.writer; w.unsent && !b.x.answer.prompt && !b.here() {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	n, err := b.pass()
	if n > 0 || err != nil {
		b.rest.came(n)
		return 0, err
	}
	n, err = b.ReadCloser.Read(p)
	b.rest.came(n)
	return n, err
}

// here reports whether the next part is, as far as that is known.
func (b *leasedBody) here() bool {
	switch from := b.ReadCloser.(type) {
	case *collected:
		return from.here()
	case http1.Body:
		return from.Here()
	}
	return true
}

func (b *leasedBody) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

func (b *leasedBody) end() {
	if !b.ended {
		b.ended = true
		b.delist()
		b.a.end()
	}
}

// mended accounts for a body that did not arrive whole, and reports whether it
// can be read on all the same.
func (b *leasedBody) mended(err error) bool {
	e := &Error{Reason: bodyReason(b.x.ctx, err), Upstream: b.a.m.Addr(), Sent: true, Err: err}
	if entry := b.x.record.entry(b.a); entry != nil {
		entry.Reason, entry.Err = e.Reason, err
	}
	if e.Reason.Fault() == reason.FaultUpstream {
		b.a.lease.Report(balancer.Unreachable, 0)
	}
	b.a.end()
	if b.resume(e) {
		return true
	}
	b.x.record.Reason = e.Reason
	return false
}

// bodyReason tells why a body did not arrive whole.
func bodyReason(ctx context.Context, err error) reason.Reason {
	if r := contextReason(ctx); r != reason.None {
		return r
	}
	seen, ok := errors.AsType[*http1.Error](err)
	switch {
	case ok && seen.Kind == http1.Timeout:
		return reason.ResponseStalled
	case ok && seen.Kind == http1.Malformed:
		return reason.ResponseMalformed
	case ok && seen.Kind == http1.HeaderTooLarge: // the trailer
		return reason.ResponseHeaderTooLarge
	}
	return reason.ResponseTruncated
}
