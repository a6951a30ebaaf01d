package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/http2"
)

// either sends requests in the protocol that the upstream chose on the latest connection.
// If a new connection chooses the other protocol, either hands it to the transport of
// that protocol.
type either struct {
	endpoint   *endpoint
	h1, h2     transport
	only1      transport    // offers only HTTP/1.1
	speaksH1   atomic.Bool  // the latest choice
	only1Until atomic.Int64 // Unix nanoseconds; until then only1 sends everything

	mu    sync.Mutex  // protects the fields below
	spare net.Conn    // for the protocol spoken now; nil = none
	timer *time.Timer // closes spare
}

const (
	// rememberHTTP1 is the time for which an upstream that has required HTTP/1.1 gets
	// only that.
	rememberHTTP1 = 10 * time.Minute
	// spareFor is the time after which an unused spare connection closes.
	spareFor = time.Second
)

// errOther ends a call that has to start again in the other protocol.
var errOther = errors.New("the upstream chose the other protocol")

func newEither(l *endpoint) *either {
	e := &either{endpoint: l}
	e.h1 = l.newHTTP1(func(ctx context.Context) (net.Conn, error) { return e.dial(ctx, true) })
	e.h2 = l.newHTTP2(func(ctx context.Context) (net.Conn, error) { return e.dial(ctx, false) })
	e.only1 = l.newHTTP1(func(ctx context.Context) (net.Conn, error) { return l.dial(ctx, "http/1.1") })
	return e
}

// RoundTrip sends upgrade requests over HTTP/1.1, the only version that has them. gRPC
// does not work over HTTP/1.1, so only1Until does not apply to it.
func (e *either) RoundTrip(r *http.Request, x *http1.Call) (*http.Response, error) {
	if r.Header.Get("Upgrade") != "" || time.Now().UnixNano() < e.only1Until.Load() && !isGRPC(r.Header.Get("Content-Type")) {
		return e.only1.RoundTrip(r, x)
	}
	for range 3 { // an upstream that is being replaced may change its choice
		t := e.h2
		if e.speaksH1.Load() {
			t = e.h1
		}
		res, err := t.RoundTrip(r, x)
		if errors.Is(err, http2.ErrNeedsHTTP1) { // the request counts as refused, and is sent again
			e.only1Until.Store(time.Now().Add(rememberHTTP1).UnixNano())
		}
		if !errors.Is(err, errOther) {
			return res, err
		}
		r = reopen(r)
	}
	return nil, &Error{Reason: reason.TLSHandshake, Upstream: e.endpoint.spec.Addr, Err: errOther}
}

// reopen returns the request with its unread body, before a transport closed it.
func reopen(r *http.Request) *http.Request {
	v, ok := r.Body.(*bodyView)
	if !ok {
		return r
	}
	again := new(*r)
	again.Body = &bodyView{body: v.body, trailer: v.trailer}
	return again
}

// dial returns a connection for one of the protocols.
func (e *either) dial(ctx context.Context, forH1 bool) (net.Conn, error) {
	c := e.hand(nil)
	if c == nil {
		var err error
		if c, err = e.endpoint.dial(ctx, "h2", "http/1.1"); err != nil {
			return nil, err
		}
	}
	h1 := negotiated(c) != "h2"
	if h1 == forH1 {
		return c, nil
	}
	if unused := e.hand(c); unused != nil {
		unused.Close()
	}
	e.speaksH1.Store(h1)
	return nil, errOther
}

// hand makes c the spare connection, which may be nil, and returns the earlier one.
func (e *either) hand(c net.Conn) net.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, e.spare = e.spare, c
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	if e.spare != nil {
		e.timer = time.AfterFunc(spareFor, e.drop)
	}
	return c
}

// drop closes a spare connection that nobody has taken.
func (e *either) drop() {
	if c := e.hand(nil); c != nil {
		c.Close()
	}
}

func (e *either) Idle() int { return e.h1.Idle() + e.h2.Idle() + e.only1.Idle() }

func (e *either) Retire() {
	for _, t := range []transport{e.h1, e.h2, e.only1} {
		t.Retire()
	}
	e.drop()
}
