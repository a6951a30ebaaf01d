package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/http1"
	"github.com/goodgate/goodgate/internal/http2"
	"github.com/goodgate/goodgate/internal/message"
)

// Protocol is what is spoken with a pool's upstreams.
type Protocol uint8

const (
	HTTP1 Protocol = iota // HTTP/1.1
	HTTP2                 // HTTP/2, which an upstream reached by TLS has to agree to
	Auto                  // what an upstream reached by TLS prefers (ALPN), HTTP/1.1 in the clear
)

// transport sends one request to one upstream, once, and tells what it learned.
type transport interface {
	RoundTrip(*http.Request, *http1.Exchange) (*http.Response, error)
	Idle() int // connections without a request
	Retire()   // closes those, and the others as their requests end; it may still be used
	Close() error
}

// plainTransport sends heads as they are.
type plainTransport interface {
	Send(context.Context, *http1.Request, *http1.Exchange) (*message.Response, error)
}

// newTransport returns what exchanges requests with an upstream.
func (l *link) newTransport() transport {
	if l.opts.ProxyProtocol != 0 {
		return newByClient(l)
	}
	return l.speak()
}

// speak returns what speaks the pool's protocol with an upstream.
func (l *link) speak() transport {
	switch p := l.opts.Protocol; {
	case p == HTTP2:
		return l.newHTTP2(func(ctx context.Context) (net.Conn, error) {
			c, err := l.dial(ctx, "h2")
			if err != nil || !l.spec.TLS || negotiated(c) == "h2" {
				return c, err
			}
			c.Close()
			return nil, &Error{Reason: reason.TLSHandshake, Upstream: l.spec.Addr, Err: errNoHTTP2}
		})
	case p == Auto && l.spec.TLS:
		return newEither(l)
	}
	return l.newHTTP1(func(ctx context.Context) (net.Conn, error) { return l.dial(ctx) })
}

var errNoHTTP2 = errors.New("the upstream did not agree on HTTP/2 (ALPN)")

type dialFunc = func(ctx context.Context) (net.Conn, error)

func (l *link) newHTTP1(dial dialFunc) transport {
	idle := max(l.opts.MaxIdleConns, 0)
	if l.opts.ProxyProtocol != 0 {
		idle = min(idle, clientIdle)
	}
	return http1.New(http1.Options{
		Dial:           dial,
		MaxIdle:        idle,
		KeepAlive:      l.opts.Timeouts.KeepAlive,
		ResponseHeader: l.opts.Timeouts.ResponseHeader,
		Idle:           l.opts.Timeouts.Idle,
		Continue:       continueTimeout,
		MaxHeader:      l.opts.MaxResponseHeader,
	})
}

func (l *link) newHTTP2(dial dialFunc) transport {
	o := http2.Options{
		Dial:           dial,
		Handshake:      l.opts.Timeouts.TLS,
		Wait:           l.opts.Timeouts.Dial + l.opts.Timeouts.TLS, // as long as a new connection may take
		Single:         l.opts.MaxIdleConns < 0,
		KeepAlive:      l.opts.Timeouts.KeepAlive,
		Ping:           l.opts.Timeouts.Ping,
		ResponseHeader: l.opts.Timeouts.ResponseHeader,
		Idle:           l.opts.Timeouts.Idle,
		Continue:       continueTimeout,
		MaxHeader:      l.opts.MaxResponseHeader,
	}
	t := &twoHTTP2{web: http2.New(o)}
	o.Ping = 0
	t.grpc = http2.New(o)
	return t
}

// twoHTTP2 keeps gRPC on connections of its own, without pings: its servers take
// a client that pings more than every five minutes for an attack, and close a
// connection on which streams are rightly silent.
type twoHTTP2 struct{ web, grpc *http2.Transport }

func (t *twoHTTP2) RoundTrip(r *http.Request, x *http1.Exchange) (res *http.Response, err error) {
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

func (t *twoHTTP2) Close() error {
	t.grpc.Close()
	return t.web.Close()
}

// negotiated returns the protocol that ALPN chose, empty without TLS.
func negotiated(c net.Conn) string {
	if t, ok := c.(*tls.Conn); ok {
		return t.ConnectionState().NegotiatedProtocol
	}
	return ""
}
