package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/http2"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Protocol is the protocol for a pool's upstreams.
type Protocol uint8

const (
	HTTP1 Protocol = iota // HTTP/1.1
	HTTP2                 // HTTP/2; an upstream with TLS must agree to it by ALPN
	Auto                  // with TLS, what the upstream prefers by ALPN; without TLS, HTTP/1.1
)

// transport sends one request to one upstream, once. It reports facts about the
// connection in the Call.
type transport interface {
	RoundTrip(*http.Request, *http1.Call) (*http.Response, error)
	Idle() int // connections without a request
	Retire()   // closes idle connections, and the others after their requests; requests are still possible
}

// plainTransport sends heads unchanged.
type plainTransport interface {
	Send(context.Context, *http1.Request, *http1.Call) (*message.Response, error)
}

// newTransport returns the transport for an upstream.
func (e *endpoint) newTransport() transport {
	switch {
	case e.opts.ProxyProtocol == 0:
		return e.speak()
	case e.plain():
		return plainByClient{newByClient(e)}
	}
	return newByClient(e)
}

// plain reports whether the upstream only gets HTTP/1.1. Then speak returns a
// [plainTransport].
func (e *endpoint) plain() bool {
	return e.opts.Protocol == HTTP1 || e.opts.Protocol == Auto && !e.spec.TLS
}

// speak returns a transport for the pool's protocol.
func (e *endpoint) speak() transport {
	switch {
	case e.plain():
		return e.newHTTP1(func(ctx context.Context) (net.Conn, error) { return e.dial(ctx) })
	case e.opts.Protocol == HTTP2:
		return e.newHTTP2(func(ctx context.Context) (net.Conn, error) {
			c, err := e.dial(ctx, "h2")
			if err != nil || !e.spec.TLS || negotiated(c) == "h2" {
				return c, err
			}
			c.Close()
			return nil, &Error{Reason: reason.TLSHandshake, Upstream: e.spec.Addr, Err: errNoHTTP2}
		})
	}
	return newEither(e)
}

var errNoHTTP2 = errors.New("the upstream did not agree on HTTP/2 (ALPN)")

type dialFunc = func(ctx context.Context) (net.Conn, error)

func (e *endpoint) newHTTP1(dial dialFunc) transport {
	idle := max(e.opts.MaxIdleConns, 0)
	if e.opts.ProxyProtocol != 0 {
		idle = min(idle, clientIdle)
	}
	return http1.New(http1.Options{
		Dial:           dial,
		MaxIdle:        idle,
		KeepAlive:      e.opts.Timeouts.KeepAlive,
		Requests:       e.opts.ConnRequests,
		Age:            e.opts.Timeouts.Age,
		ResponseHeader: e.opts.Timeouts.ResponseHeader,
		Idle:           e.opts.Timeouts.Idle,
		Continue:       continueTimeout,
		MaxHeader:      e.opts.MaxResponseHeader,
	})
}

func (e *endpoint) newHTTP2(dial dialFunc) transport {
	o := http2.Options{
		Dial:           dial,
		Handshake:      e.opts.Timeouts.TLS,
		Wait:           e.opts.Timeouts.Dial + e.opts.Timeouts.TLS, // as long as opening a connection may take
		Single:         e.opts.MaxIdleConns < 0,
		KeepAlive:      e.opts.Timeouts.KeepAlive,
		Requests:       e.opts.ConnRequests,
		Age:            e.opts.Timeouts.Age,
		Ping:           e.opts.Timeouts.Ping,
		ResponseHeader: e.opts.Timeouts.ResponseHeader,
		Idle:           e.opts.Timeouts.Idle,
		Continue:       continueTimeout,
		MaxHeader:      e.opts.MaxResponseHeader,
	}
	t := &twoHTTP2{web: http2.New(o)}
	o.Ping = 0
	t.grpc = http2.New(o)
	return t
}

// twoHTTP2 keeps gRPC on separate connections without pings. gRPC servers treat more than
// one ping in five minutes as an attack, and close the connection although its streams
// are silent for good reason.
type twoHTTP2 struct{ web, grpc *http2.Transport }

func (t *twoHTTP2) RoundTrip(r *http.Request, x *http1.Call) (res *http.Response, err error) {
	if isGRPC(r.Header.Get("Content-Type")) {
		return t.grpc.RoundTrip(r.WithContext(x.Context), x)
	}
	if x.Slow == nil {
		return t.web.RoundTrip(r.WithContext(x.Context), x)
	}
	x.Beside(x.Context, func(ctx context.Context) { res, err = t.web.RoundTrip(r.WithContext(ctx), x) })
	return res, err
}

func (t *twoHTTP2) Idle() int { return t.web.Idle() + t.grpc.Idle() }

func (t *twoHTTP2) Retire() {
	t.web.Retire()
	t.grpc.Retire()
}

// negotiated returns the protocol that ALPN has chosen, empty without TLS.
func negotiated(c net.Conn) string {
	if t, ok := c.(*tls.Conn); ok {
		return t.ConnectionState().NegotiatedProtocol
	}
	return ""
}
