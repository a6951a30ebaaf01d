package proxy

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// exchange is the client's side of one request, from its head to its record. It belongs
// to the request's goroutine.
type exchange struct {
	proxy    *Proxy
	ctx      context.Context // the request's, with its deadline
	request  *Request        // as received, without the fields that are not trusted
	listener Listener
	route    *Route
	pool     *Pool     // of route, or the chosen side of its split; nil = the route answers
	standby  *Fallback // answers when pool cannot; nil = none
	writer   responseWriter
	record   Record

	peer struct { // the other end of the connection
		addr    netip.Addr
		trusted bool // is a trusted proxy
		realIP  bool // and has sent X-Real-IP
	}
	trace    Trace // nil = off
	grpc     bool  // a gRPC call
	aborted  bool  // the client cannot be answered any more
	parked   bool  // waits for the client's body without a goroutine of its own
	answered bool  // completely, by the plain relay
	interim  interim
	room     *room       // memory of the plain relay; else nil
	deadline *limit      // the request's own; nil = none
	grpcEnd  time.Time   // the deadline that a gRPC client has set; zero = none
	body     *replayBody // nil = none

	limits struct { // the limits that apply
		counting [4]*Limits // those that count the request; nil from the first unused one
		maxBody  int64      // limits.max_body for a body of unknown length, in bytes; 0 = no limit
		keptOut  string     // the limit of the fallback pool that refused the request; empty = none
	}

	extras *extras // nil = none

	main     *delivery // to the route's pool; nil until the awaited part of the client's body has arrived
	delivery *delivery // the one that gives the answer, else the first
	latest   *delivery // links to the earlier ones
	answer   struct {  // the answer that is relayed
		from   *balancer.Upstream // nil = not from an upstream
		tunnel *tunnel            // after a switch of protocols
		stream bool               // a stream, whose parts must not wait
		prompt bool               // the relay sends each part of the body on at once
	}
}

func newExchange(p *Proxy, w http.ResponseWriter, r *Request, l Listener) *exchange {
	peer := peerOf(r)
	trusted := p.trust.trustsPeer(r, peer)
	realIP := trusted && r.Has(header.XRealIP) // before dropUnbelieved removes it
	p.trust.dropUnbelieved(r, trusted)
	fillPath(r)
	x := p.emptyExchange()
	x.ctx, x.request, x.listener = r.Context(), r, l
	x.peer.addr, x.peer.trusted, x.peer.realIP = peer, trusted, realIP
	x.writer.init(w, x)
	x.grpc = r.ProtoMajor >= 2 && isGRPC(r.Get(header.ContentType))
	x.record = Record{
		Start:   time.Now(),
		Request: r,
		ID:      x.requestID(r),
		Client:  x.clientOf(r),
		Method:  r.Method,
		Host:    r.Host,
		Path:    r.URL.Path,
		Proto:   r.Proto,
	}
	if x.peer.addr.IsValid() && x.record.Client == x.peer.addr {
		x.record.client = x.peerText()
	}
	return x
}

// forward delivers the request to the route's pool, and relays the answer.
func (x *exchange) forward() {
	pool := x.pool
	x.record.Pool = pool.Name()
	if failed := x.closed(pool); failed != nil {
		x.fail(failed)
		return
	}
	if d := x.boundGRPC(x.request, x.bound()); d > 0 {
		ctx, cancel := context.WithCancelCause(x.ctx)
		x.ctx, x.deadline = ctx, &limit{time.AfterFunc(d, func() { cancel(errDeadline) }), cancel}
	}
	if r := x.request; r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody {
		x.body = newReplayBody(r, x, pool.opts.Retry.MaxBody)
		x.writer.unbound() // reading the body may send a 100 Continue
		if !x.body.sized {
			// Otherwise net/http holds an answer back until the client's body has been
			// read. HTTP/2 is always full duplex.
			x.writer.control.EnableFullDuplex()
		}
	}
	x.proceed(x.prefetch(false))
}

// bound returns the time limit of the whole request, 0 without one.
func (x *exchange) bound() time.Duration {
	if x.route.Timeout > 0 {
		return x.route.Timeout
	}
	return x.pool.opts.Timeouts.Request
}

// proceed continues forward once the awaited part of the client's body has arrived.
func (x *exchange) proceed(failed *Error) {
	switch {
	case x.parked:
	case failed != nil:
		x.fail(failed)
	case x.isPlain():
		relayPlain(x)
	default:
		relayByHTTPUtil(x)
	}
	if x.aborted {
		panic(http.ErrAbortHandler)
	}
}

// deliver returns the answer for the client, or the failure. It may keep a good answer in
// the cache of older responses. For an error it tries the last resort. RFC 5861 counts a
// 500 among the errors that an older response may replace.
func (x *exchange) deliver(o outgoing) (*message.Response, *Error) {
	defer x.concludeInterim()
	pool := x.pool
	d := x.newDelivery()
	x.main, x.delivery = d, d
	x.record.Attempts = d.attempts[:0]
	x.begin(d, x.order(pool, o), nil)
	d.choice = x.choice(pool, d.choice.Tried)
	if x.body != nil {
		d.choice.Now = 0 // the client may have taken long to send it
	}
	if x.mayHit() {
		if res, end := x.kept(); res != nil || end != nil {
			return res, end
		}
		how := landedNothing
		defer func() {
			if how == landedNothing && x.ctx.Err() != nil {
				how = landedEarly
			}
			x.few().found.lead.land(how)
		}()
		return x.fetch(d, &how)
	}
	return x.fetch(d, new(landing))
}

// fetch is deliver without a usable kept response. It sets how when the new answer has
// been kept.
func (x *exchange) fetch(d *delivery, how *landing) (*message.Response, *Error) {
	pool := x.pool
	pool.deposit()
	if x.route.Mirror != nil {
		x.reflect(x.asked())
	}
	a, failed := d.run(nil)
	if failed == nil {
		x.few().shadow.show(a, a.res)
	}
	switch {
	case escapes(a, failed):
		return x.lastResort(a, failed)
	case failed != nil:
		return nil, failed
	case pool.stale == nil:
	case a.res.StatusCode == http.StatusInternalServerError:
		return x.lastResort(a, nil)
	default:
		if res := x.unchanged(a); res != nil {
			*how = landedKept
			return res, nil
		}
		if x.remember(pool.stale, a.res) {
			*how = landedKept
		}
		x.keeping()
	}
	return x.give(a), nil
}

// newDelivery returns memory for the delivery to the route's pool.
func (x *exchange) newDelivery() *delivery {
	if x.room != nil {
		return &x.room.delivery
	}
	return new(delivery)
}

// begin begins a delivery. It ends with the exchange at the latest.
func (x *exchange) begin(d *delivery, o order, after *delivery) {
	d.begin(o, &x.record, after)
	d.before, x.latest = x.latest, d
}

// order returns the order of a delivery to a pool.
func (x *exchange) order(pool *Pool, out outgoing) order {
	o := order{
		ctx:       x.ctx,
		pool:      pool,
		out:       out,
		body:      x.body,
		host:      x.route.Host,
		retrySafe: x.route.RetrySafe,
		priority:  x.route.Priority,
		client:    x.record.Client,
		start:     x.record.Start,
		deadline:  x.bound(),
		grpcEnd:   x.grpcEnd,
		method:    x.request.Method,
		live:      x.request.Has(header.Upgrade) || streams(x.request.Get(header.ContentType)),
		streaming: x.request.Count(header.Accept) == 1 && streams(x.request.Get(header.Accept)),
		teller:    x,
		trace:     x.trace,
		buffers:   &x.proxy.collecting,
		got1xx:    x.interim.pass,
	}
	if pool.stale != nil {
		o.standIn = func() bool { return x.older() != nil }
	}
	return o
}

// choice returns the facts that a pool's policy may use.
func (x *exchange) choice(pool *Pool, tried []*balancer.Upstream) balancer.Choice {
	c := balancer.Choice{
		Tried:      tried,
		Replayable: x.route.RetrySafe || idempotent(x.request.Method) || x.route.IdempotencyKey && keyed(x.request),
		Now:        x.record.Start.UnixNano(),
	}
	if pool.opts.HashOn != nil {
		c.Hash = pool.opts.HashOn.hash(x.request, x.record.Client)
	}
	if pool.opts.Sticky != nil {
		c.Sticky = pool.opts.Sticky.read(x.request)
	}
	return c
}

// end completes the record and passes it to the observers.
func (x *exchange) end() {
	x.deadline.lift()
	x.deadline.end()
	for d := x.latest; d != nil; d = d.before {
		d.end()
	}
	x.release()
	x.writer.abandon()
	if x.answer.tunnel != nil {
		x.answer.tunnel.Close()
		if cause := x.answer.tunnel.cause.Load(); cause != nil {
			x.record.Err = *cause
		}
		x.record.Received, x.record.Sent = x.answer.tunnel.toUpstream.Load(), x.answer.tunnel.toClient.Load()
	}
	if x.writer.status != 0 {
		x.writer.bound() // the server still has to send buffered data
	}
	rec := &x.record
	if rec.Duration == 0 {
		rec.Duration = time.Since(rec.Start)
	}
	rec.Sent += x.writer.written
	if status := x.writer.status; status != 0 {
		rec.Status = status
	}
	if rec.Reason == reason.None && x.writer.err != nil {
		rec.Reason = reason.ClientGone
	}
	if x.body != nil {
		x.body.close()
		rec.Received += x.body.total.Load()
	}
	rec.absorb()
	rec.SavedBy = x.savedBy()
	for _, observe := range x.proxy.opts.Observe {
		observe(rec)
	}
	if rec.Split.Side > 0 && x.route.Split.Observe != nil {
		x.route.Split.Observe(rec)
	}
	if x.trace != nil {
		x.trace.End(rec)
	}
	if s := x.few().shadow; s != nil {
		x.cast(s)
	}
}
