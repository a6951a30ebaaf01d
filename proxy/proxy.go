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
	Routes  []Route        // checked in order: the first match wins
	Trusted []netip.Prefix // the proxies in front of this one; only they may send TrustedHeaders
	// TrustedHeaders are the request fields that the proxy accepts from trusted proxies
	// only. The first of them that can hold an address gives the client's address.
	// Trusted proxies must set or remove each of these fields in every request. nil means
	// [DefaultTrustedHeaders].
	TrustedHeaders []string
	// DropHeaders are further request fields that the proxy removes, except those in
	// TrustedHeaders. nil means [DefaultDropHeaders].
	DropHeaders []string
	// Decisive are more fields whose values decide what happens to a request. Fields in
	// the conditions of routes count anyway. The proxy removes every other spelling of all
	// these fields: with X-User in the list, x_user does not reach an upstream.
	Decisive []string
	Via      string // pseudonym in the Via header; empty = no Via
	Pages    *Pages // error pages; nil = built in
	// Details puts the upstream's address into Proxy-Status. This shows clients the
	// addresses of the network behind the proxy.
	Details  bool
	Listener Listener // for ServeHTTP
	// Refuse returns an error when the proxy cannot serve another request now, for
	// example for lack of memory. The proxy then answers with the reason overloaded. It
	// calls Refuse for every request, so Refuse must be cheap. nil = it accepts all
	// requests.
	Refuse func() error
	// Trace adds requests to traces. nil = the proxy forwards the trace headers
	// unchanged.
	Trace Tracer
	// Reread is called after the proxy has read a changed file of users again. An error
	// means that the file is invalid and the earlier content stays in use. nil = no call.
	Reread func(file string, err error)
	// Observe functions are called when a request has ended, on its goroutine. They must
	// not keep the record.
	Observe []func(*Record)
	// RecordFields are the response fields that records keep for Observe.
	RecordFields ResponseFields
}

// Listener holds the limits and settings for the clients of one listener.
type Listener struct {
	Name      string        // conditions of routes refer to it
	BodyIdle  time.Duration // limit between two parts of the request's body; 0 = no limit
	BodyRate  int64         // minimum average rate of a request body of known length, in bytes a second; it applies once the waits for parts of the body add up to BodyIdle; 0 = no minimum
	WriteIdle time.Duration // limit until the client takes the next part of the response; 0 = no limit
	Limits    *Limits       // the requests that may pass; nil = all

	// Leaving is true once the listener is about to close. Then every response says
	// Connection: close. nil = the listener stays open.
	Leaving *atomic.Bool

	// AltSvc is the value of Alt-Svc (RFC 7838) in every response. It replaces the
	// upstream's. nil = the upstream's value passes. Do not modify the slice.
	AltSvc []string
}

func (c *Listener) leaving() bool { return c.Leaving != nil && c.Leaving.Load() }

// Proxy is the handler. Only Drain changes it. It is safe for concurrent use.
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
	discard    *log.Logger // httputil needs one
	draining   *atomic.Bool
	tunnels    *tunnels
	byPath     bool        // the condition of a route looks at the path
	byMethod   bool        // one looks at the method
	index      *routeIndex // nil = few routes, matched one by one
}

// New returns a proxy for the options. The caller keeps ownership of the pools. It
// returns an error when a route is invalid.
func New(o Options) (*Proxy, error) { return newProxy(o, newMarking()) }

func newProxy(o Options, m marking) (*Proxy, error) {
	o.Routes = slices.Clone(o.Routes) // a copy, because this proxy marks its routes
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
	p.byMethod = slices.ContainsFunc(o.Routes, func(rt Route) bool { return rt.Match.looksAtMethod() })
	p.byPath = slices.ContainsFunc(o.Routes, func(rt Route) bool { return rt.Match.looksAtPath() })
	return p, nil
}

// With returns a proxy with other options, to replace p. Both share the list of open
// tunnels, and Drain on one drains both.
func (p *Proxy) With(o Options) (*Proxy, error) {
	next, err := newProxy(o, p.marking)
	if err != nil {
		return nil, err
	}
	next.draining, next.tunnels = p.draining, p.tunnels
	return next, nil
}

// ServeHTTP serves a request with the settings of [Options.Listener].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.Serve(w, r, p.opts.Listener)
}

// Serve is ServeHTTP with the settings of the given listener.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, l Listener) {
	p.serve(w, message.FromHTTP(r), l)
}

// ServeRequest is Serve for a [Request]. goodgate's HTTP/1.1 server calls it with Head
// set, so that HTTP/1.1 upstreams get the fields in the client's order and case.
func (p *Proxy) ServeRequest(w http.ResponseWriter, r *Request, l Listener) { p.serve(w, r, l) }

// serve takes a request from accept to account.
func (p *Proxy) serve(w http.ResponseWriter, r *Request, l Listener) {
	w, r = asUpgrade(w, r)
	x := newExchange(p, w, r, l)
	x.follow()
	defer x.leaveOff() // also when httputil aborts the connection with a panic
	failed, answered := x.admit(), false
	if failed == nil && x.route.asking {
		answered, failed = x.authorize()
	}
	if failed == nil && !answered {
		if injected := x.route.Injection.get(); injected != nil || x.route.Faults != nil {
			failed = x.injure(injected)
		}
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

// admit finds the request's route and checks all limits. It returns the reason to refuse,
// or nil. release gives back what the limits have taken.
func (x *exchange) admit() *Error {
	p, r := x.proxy, x.request
	if err := refusal(r); err != nil {
		return &Error{Reason: reason.RequestMalformed, Err: err, status: refusalStatus(err)}
	}
	rt := x.match(r.URL.Path)
	if err := x.pathRefusal(rt); err != nil {
		return &Error{Reason: reason.RequestMalformed, Err: err}
	}
	if err := x.methodRefusal(rt); err != nil {
		return &Error{Reason: reason.RequestMalformed, Err: err}
	}
	if rt == nil {
		return &Error{Reason: reason.NoRoute}
	}
	x.route, x.record.Route = rt, rt.Name
	x.dropClaims()
	if rt.CORS != nil {
		x.grantOrigin() // also for refusals, so that the page can read them
	}
	if err := x.rewriteRefusal(); err != nil {
		return &Error{Reason: reason.RequestMalformed, Err: err}
	}
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

// match returns the first route that matches the request with this path, or nil.
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

// matchIndexed is match for many routes.
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

// Refuse answers and records a request that the server has rejected as malformed,
// ambiguous or too large. The status of the answer is 400 or higher.
func (p *Proxy) Refuse(w http.ResponseWriter, r *http.Request, l Listener, status int, err error) {
	x := newExchange(p, w, message.FromHTTP(r), l)
	defer x.end()
	why := reason.RequestMalformed
	if status == http.StatusRequestHeaderFieldsTooLarge || status == http.StatusRequestURITooLong {
		why = reason.RequestTooLarge
	}
	x.fail(&Error{Reason: why, Err: err, status: status})
}

// Drain makes every response say Connection: close, so that clients move to another
// server while this one still answers. It cannot be undone.
func (p *Proxy) Drain() { p.draining.Store(true) }

// ShutdownTunnels waits until all upgraded connections have closed, or until ctx ends.
// Then it closes the rest, WebSockets with a Close frame of code 1001.
// [http.Server.Shutdown] does not know these connections.
func (p *Proxy) ShutdownTunnels(ctx context.Context) {
	select {
	case <-p.tunnels.empty():
	case <-ctx.Done():
		p.tunnels.leaveAll()
	}
}
