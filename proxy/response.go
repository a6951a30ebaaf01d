package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/http1"
)

// lease hands the lease to the response's body, or to the tunnel that an
// upgraded response carries. It ends with a body that is here already.
func (x *exchange) lease(t *try) {
	res := t.res
	if res.StatusCode == http.StatusSwitchingProtocols {
		if rwc, ok := res.Body.(io.ReadWriteCloser); ok {
			x.limit.lift() // a tunnel lives as long as both sides want
			if x.body == nil {
				// Nobody else looks at the context now. A tunnel outlives what ends
				// requests; ShutdownTunnels is what ends it.
				x.Context = context.WithoutCancel(x.Context)
			}
			x.tunnel = x.proxy.tunnels.open(rwc, t, x.route.Pool.opts.Tunnel)
			res.Body = x.tunnel
			return
		}
	}
	if b, ok := res.Body.(*collected); ok && b.complete {
		t.end()
		return
	}
	res.Body = &leasedBody{ReadCloser: res.Body, x: x, t: t, entry: len(x.record.Attempts) - 1, rest: x.restOf(res)}
}

// leasedBody is a response's body. It ends the lease when the body ends and
// records why a body ended early, which httputil would not tell. What is missing
// it fetches from elsewhere when it can.
type leasedBody struct {
	io.ReadCloser
	x     *exchange
	t     *try  // the body's
	entry int   // of the try in the record
	rest  *rest // nil when it cannot be fetched
	ended bool
}

func (b *leasedBody) Read(p []byte) (int, error) {
	for {
		n, err := b.next(p)
		switch {
		case err == nil && n == 0: // the client has a part that did not come this way
		case err == nil:
			return n, nil
		case err == io.EOF:
			b.rest.refund(b.x.route.Pool)
			b.endGRPC()
			b.x.cleanTrailer(b.t.res.Trailer)
			b.end()
			return n, err
		case b.ended || b.x.writer.err != nil || !b.mended(err):
			b.end()
			return n, err
		case n > 0:
			return n, nil
		}
	}
}

// next reads the next part of the body, or passes it on. Then there is nothing in p.
func (b *leasedBody) next(p []byte) (int, error) {
	n, err := b.pass()
	if n > 0 || err != nil {
		b.rest.came(n)
		return 0, err
	}
	n, err = b.ReadCloser.Read(p)
	b.rest.came(n)
	return n, err
}

func (b *leasedBody) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

func (b *leasedBody) end() {
	if !b.ended {
		b.ended = true
		b.t.end()
	}
}

// mended accounts for a body that did not arrive whole, and reports whether it
// can be read on all the same.
func (b *leasedBody) mended(err error) bool {
	e := &Error{Reason: b.x.bodyReason(err), Upstream: b.t.m.Addr(), Sent: true, Err: err}
	if b.entry >= 0 && b.entry < len(b.x.record.Attempts) {
		a := &b.x.record.Attempts[b.entry]
		a.Reason, a.Err = e.Reason, err
	}
	if e.Reason.Fault() == FaultUpstream {
		b.t.lease.Report(balancer.Unreachable, 0)
	}
	b.t.end()
	if b.resume(e) {
		return true
	}
	b.x.record.Reason = e.Reason
	return false
}

// bodyReason tells why a body did not arrive whole.
func (x *exchange) bodyReason(err error) Reason {
	if r := contextReason(x); r != None {
		return r
	}
	seen, ok := errors.AsType[*http1.Error](err)
	switch {
	case ok && seen.Kind == http1.Timeout:
		return ResponseStalled
	case ok && seen.Kind == http1.Malformed:
		return ResponseMalformed
	case ok && seen.Kind == http1.HeaderTooLarge: // the trailer
		return ResponseHeaderTooLarge
	}
	return ResponseTruncated
}
