package proxy

import (
	"context"
	"log"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/internal/wire/pipe"
)

// Options configure a [Proxy].
type Options struct {
	Routes  []Route        // in order: the first match wins
	Trusted []netip.Prefix // the proxies in front, which are believed TrustedHeaders
	// TrustedHeaders are the fields that trusted proxies are believed, and nobody
	// else. The first that can tell an address tells the client's. Those proxies
	// must set each of them, or take it off, in every request. nil =
	// [DefaultTrustedHeaders].
	TrustedHeaders []string
	// DropHeaders are more fields that are taken off requests unless TrustedHeaders
	// has them. nil = [DefaultDropHeaders].
	DropHeaders []string
	// Decisive are the fields by which something is decided about requests, beside
	// those of routes' conditions. They go upstream only as they are spelled here.
	Decisive []string
	Via      string // pseudonym in the Via header; empty = no Via
	Pages    *Pages // error pages; nil = built in
	// Details puts the upstream's address into Proxy-Status. It tells clients
	// how the network behind goodgate looks.
	Details  bool
	Listener Listener // for ServeHTTP
	// Refuse says why no request can be let in at this moment, such as for want of
	// memory; they are answered as overloaded. nil = all are let in. It is asked for
	// every request and must be cheap.
	Refuse func() error
	// Trace, if not nil, gives requests their place in traces. Without it the
	// headers of a trace are passed on as they are.
	Trace Tracer
	// Reread is told of each file of users that changed and was read again, with an error
	// when it is not good and what was before stays; nil = nobody is.
	Reread func(file string, err error)
	// Observe is told of every request when it has ended. It runs on the
	// request's goroutine and must not keep the record.
	Observe []func(*Record)
	// RecordFields are fields of responses that records keep for Observe.
	RecordFields ResponseFields
}

// Listener is what the clients of one listener are granted.
type Listener struct {
	Name      string        // by which routes' conditions know it
	BodyIdle  time.Duration // between two parts of the request's body; 0 = no bound
	BodyRate  int64         // bytes a second of a request's body of known length, on average after BodyIdle; 0 = no bound
	WriteIdle time.Duration // until the client takes the next part of the response; 0 = no bound
	Limits    *Limits       // which requests are let in; nil = all

	// Leaving, once true, makes every response say Connection: close, because the
	// listener is about to go; nil = it never is.
	Leaving *atomic.Bool

	// AltSvc is the value of Alt-Svc (RFC 7838) in every response, instead of the
	// upstream's; nil = that of the upstream passes. It is not changed.
	AltSvc []string
}

func (c *Listener) leaving() bool { return c.Leaving != nil && c.Leaving.Load() }

// Proxy is the handler. It is immutable but for being drained, and safe for
// concurrent use.
type Proxy struct {
	opts       Options
	buffers    bufferPool
	collecting collectPool
	pipes      pipe.Pool
	rooms      sync.Pool // of *room
	exchanges  sync.Pool // of *exchange
	trust      *trust
	via        [4]string
	marking    marking
	discard    *log.Logger // for httputil
	draining   *atomic.Bool
	tunnels    *tunnels
	byPath     bool        // a route looks at the path
	index      *routeIndex // nil = the routes are few
}

// New returns a proxy over routes whose pools the caller owns.
func New(o Options) (*Proxy, error) { return newProxy(o, newMarking()) }

func newProxy(o Options, m marking) (*Proxy, error) {
	o.Routes = slices.Clone(o.Routes) // they get the marks of this proxy
	for i := range o.Routes {
		o.Routes[i].mark = m.of(&o.Routes[i], i)
		if err := o.Routes[i].prepare(); err != nil {
			return nil, err
		}
	}
	if o.Pages == nil {
		o.Pages = builtinPages()
	}
	p := &Proxy{opts: o, marking: m, trust: newTrust(&o), via: viaElements(o.Via), pipes: pipe.Pool{Max: maxPipes}, discard: discardLog(), draining: new(atomic.Bool), tunnels: new(tunnels)}
	p.index = newRouteIndex(o.Routes)
	p.byPath = slices.ContainsFunc(o.Routes, func(rt Route) bool { return rt.Match.looksAtPath() })
	return p, nil
}

// With returns a proxy under other options, to replace p. Both share the account
// of the open tunnels, and whether they drain.
func (p *Proxy) With(o Options) (*Proxy, error) {
	next, err := newProxy(o, p.marking)
	if err != nil {
		return nil, err
	}
	next.draining, next.tunnels = p.draining, p.tunnels
	return next, nil
}

// ServeHTTP takes a request from accept to account.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.Serve(w, r, p.opts.Listener)
}

// Serve is ServeHTTP for the clients of one listener.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, l Listener) {
	p.serve(w, message.FromHTTP(r), l)
}

// ServeRequest is Serve for a request of either kind. One that came as it is, with
// its head, is relayed as it is where that can be.
func (p *Proxy) ServeRequest(w http.ResponseWriter, r *Request, l Listener) { p.serve(w, r, l) }

// serve takes a request from accept to account.
func (p *Proxy) serve(w http.ResponseWriter, r *Request, l Listener) {
	x := newExchange(p, w, r, l)
	x.follow()
	defer x.leaveOff() // also when httputil aborts the connection by a panic
	failed, answered := x.admit(), false
	if failed == nil && x.route.asking {
		answered, failed = x.authorize()
	}
	if failed == nil && !answered && x.route.Faults != nil {
		failed = x.injure()
	}
	switch {
	case failed != nil:
		x.fail(failed)
	case answered:
	case x.route.Pool == nil:
		x.answerRoute()
	case x.endsHere():
		x.answerOptions()
	default:
		x.forward()
	}
	x.linger()
	x.breakOff()
}

// admit finds the request's route and lets the request in, or says why not. What
// limits take for it, release gives back.
func (x *exchange) admit() *Error {
	p, r := x.proxy, x.request
	if err := refusal(r); err != nil {
		return &Error{Reason: reason.RequestMalformed, Err: err, status: refusalStatus(err)}
	}
	rt := x.match(r.URL.Path)
	if err := x.pathRefusal(rt); err != nil {
		return &Error{Reason: reason.RequestMalformed, Err: err}
	}
	if rt == nil {
		return &Error{Reason: reason.NoRoute}
	}
	x.route, x.record.Route = rt, rt.Name
	x.side()
	if x.pool != nil && x.looped() {
		return &Error{Reason: reason.LoopDetected, Err: errLoop}
	}
	if err := x.fromHere(); err != nil {
		return err
	}
	if p.opts.Refuse != nil {
		if err := p.opts.Refuse(); err != nil {
			return &Error{Reason: reason.Overloaded, Err: err}
		}
	}
	limits := [...]*Limits{x.listener.Limits, rt.Limits, nil}
	if x.pool != nil {
		limits[2] = x.pool.opts.Limits
	}
	for _, l := range limits {
		if err := x.passes(l, x.record.Start); err != nil {
			return err
		}
	}
	return nil
}

// match returns the first route that takes the request with a path, nil without
// one.
func (x *exchange) match(path string) *Route {
	if by := x.proxy.index; by != nil {
		return x.matchIndexed(by, path)
	}
	for i := range x.proxy.opts.Routes {
		if rt := &x.proxy.opts.Routes[i]; rt.Match.matches(x, path) {
			return rt
		}
	}
	return nil
}

// matchIndexed is match where there are many routes.
func (x *exchange) matchIndexed(by *routeIndex, path string) *Route {
	var room [16][]int32
	c := by.of(x.request.Host, path, room[:0])
	for {
		i, ok := c.next()
		if !ok {
			return nil
		}
		if rt := &x.proxy.opts.Routes[i]; rt.Match.matches(x, path) {
			return rt
		}
	}
}

// Refuse answers and accounts for what the server has found to be no request, or
// one that can be read in two ways. The status is the answer's, from 400 on.
func (p *Proxy) Refuse(w http.ResponseWriter, r *http.Request, l Listener, status int, err error) {
	x := newExchange(p, w, message.FromHTTP(r), l)
	defer x.end()
	why := reason.RequestMalformed
	if status == http.StatusRequestHeaderFieldsTooLarge || status == http.StatusRequestURITooLong {
		why = reason.RequestTooLarge
	}
	x.fail(&Error{Reason: why, Err: err, status: status})
}

// Drain makes every response say Connection: close, so that clients move to
// another server while this one still answers. It cannot be undone.
func (p *Proxy) Drain() { p.draining.Store(true) }

// ShutdownTunnels waits until no upgraded connection is open, which
// [http.Server.Shutdown] does not know of, or until ctx ends; then it ends those that
// are left: WebSockets by Close frames with 1001.
func (p *Proxy) ShutdownTunnels(ctx context.Context) {
	select {
	case <-p.tunnels.empty():
	case <-ctx.Done():
		p.tunnels.leaveAll()
	}
}
