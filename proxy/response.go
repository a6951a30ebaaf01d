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

// give makes an attempt's answer the response to the client. The lease passes to the body
// of the answer, or to the tunnel of an upgraded connection. If the whole body is
// buffered, the lease has already ended.
func (x *exchange) give(a *attempt) *message.Response {
	res := a.res
	x.answer.from = a.m.Upstream
	x.record.Upstream = a.m.Addr()
	x.record.Reason = statusReason(statusOf(res))
	x.answer.stream = isStream(res)
	if res.StatusCode == http.StatusSwitchingProtocols {
		if rwc, ok := res.Body.(io.ReadWriteCloser); ok {
			x.deadline.lift() // a tunnel lives as long as both sides want
			var door *atomic.Bool
			if x.stream() != nil {
				door = x.listener.Leaving
			}
			x.answer.tunnel = x.proxy.tunnels.open(rwc, a, x.delivery.pool.opts.Tunnel, door)
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

// leasedBody is a response's body. It ends the lease at the end of the body. It records
// why a body ended early, which httputil would not report. It fetches missing parts from
// another upstream if it can.
type leasedBody struct {
	io.ReadCloser
	x     *exchange
	a     *attempt  // the attempt that the body is from
	rest  *rest     // nil when the rest cannot be fetched
	fetch *delivery // of the rest; nil = nothing was missing yet
	ended bool

	listed bool        // in the list of streams that end with their upstream
	left   atomic.Bool // the stream must end
	since  time.Time   // when its upstream was first seen drained; zero = it is not. Protected by the tunnels' mu
}

func (b *leasedBody) Read(p []byte) (int, error) {
	for {
		n, err := b.next(p)
		switch {
		case err == nil && n == 0: // a part was spliced straight to the client
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

// next reads the next part of the body into p, or passes it straight to the client, with
// nothing in p. Before it waits, it flushes the parts that have already arrived.
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

// here reports whether the next part will surely arrive without waiting.
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

// mended accounts for an incomplete body. It reports whether reading can continue with
// the rest from another upstream.
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

// bodyReason returns the reason why a body is incomplete.
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
