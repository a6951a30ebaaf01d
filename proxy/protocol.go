package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/goodgate/goodgate/internal/http1"
	"github.com/goodgate/goodgate/internal/http2"
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
			return nil, &Error{Reason: TLSHandshake, Upstream: l.spec.Addr, Err: errNoHTTP2}
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
	if isGRPC(r.Header) {
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

// either speaks what the upstream chose on the latest connection. A connection
// on which it chose the other protocol is handed over.
type either struct {
	link     *link
	h1, h2   transport
	speaksH1 atomic.Bool

	mu    sync.Mutex // protects spare
	spare net.Conn   // for the protocol that is spoken now
}

// errOther ends an exchange that has to be begun anew in the other protocol.
var errOther = errors.New("the upstream chose the other protocol")

func newEither(l *link) *either {
	e := &either{link: l}
	e.h1 = l.newHTTP1(func(ctx context.Context) (net.Conn, error) { return e.dial(ctx, true) })
	e.h2 = l.newHTTP2(func(ctx context.Context) (net.Conn, error) { return e.dial(ctx, false) })
	return e
}

// RoundTrip sends requests for an upgrade by HTTP/1.1, which alone has it.
func (e *either) RoundTrip(r *http.Request, x *http1.Exchange) (*http.Response, error) {
	if r.Header.Get("Upgrade") != "" {
		return e.h1.RoundTrip(r, x)
	}
	for range 3 { // an upstream that is being replaced may change its mind
		t := e.h2
		if e.speaksH1.Load() {
			t = e.h1
		}
		res, err := t.RoundTrip(r, x)
		if !errors.Is(err, errOther) {
			return res, err
		}
		r = reopen(r)
	}
	return nil, &Error{Reason: TLSHandshake, Upstream: e.link.spec.Addr, Err: errOther}
}

// reopen returns the request with its body, of which nothing was read, as it was
// before a transport closed it.
func reopen(r *http.Request) *http.Request {
	v, ok := r.Body.(*bodyView)
	if !ok {
		return r
	}
	again := new(*r)
	again.Body = &bodyView{body: v.body, trailer: v.trailer}
	return again
}

// dial returns a connection for one of the protocols. What is to be upgraded
// stays with HTTP/1.1.
func (e *either) dial(ctx context.Context, forH1 bool) (net.Conn, error) {
	e.mu.Lock()
	c := e.spare
	e.spare = nil
	e.mu.Unlock()
	if c == nil {
		protos := []string{"h2", "http/1.1"}
		if forH1 && !e.speaksH1.Load() {
			protos = protos[1:]
		}
		var err error
		if c, err = e.link.dial(ctx, protos...); err != nil {
			return nil, err
		}
	}
	h1 := negotiated(c) != "h2"
	if h1 == forH1 {
		return c, nil
	}
	e.keep(c, h1)
	return nil, errOther
}

// keep hands a connection over to the other protocol, which is spoken from now
// on.
func (e *either) keep(c net.Conn, h1 bool) {
	e.mu.Lock()
	c, e.spare = e.spare, c
	e.mu.Unlock()
	if c != nil {
		c.Close()
	}
	e.speaksH1.Store(h1)
}

func (e *either) Idle() int { return e.h1.Idle() + e.h2.Idle() }

func (e *either) Retire() {
	e.h1.Retire()
	e.h2.Retire()
	e.drop()
}

func (e *either) Close() error {
	e.h2.Close()
	err := e.h1.Close()
	e.drop()
	return err
}

// drop closes the connection that was handed over and not taken.
func (e *either) drop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.spare != nil {
		e.spare.Close()
		e.spare = nil
	}
}

// negotiated returns the protocol that ALPN chose, empty without TLS.
func negotiated(c net.Conn) string {
	if t, ok := c.(*tls.Conn); ok {
		return t.ConnectionState().NegotiatedProtocol
	}
	return ""
}
