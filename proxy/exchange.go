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

// exchange is the client's side of one request, from its header to its record. It
// belongs to the request's goroutine.
type exchange struct {
	proxy    *Proxy
	ctx      context.Context // of the request, with its deadline
	request  *Request        // as it came in, without what is not believed
	listener Listener
	route    *Route
	pool     *Pool     // of route, or the side of its split; nil = the route answers
	standby  *Fallback // for what pool cannot answer; nil = nobody
	writer   responseWriter
	record   Record

	peer struct { // who is connected
		addr    netip.Addr
		trusted bool // it is a trusted proxy
		realIP  bool // and has sent X-Real-IP
	}
	trace    Trace // nil = off
	grpc     bool  // it is a call of gRPC
	aborted  bool  // there is nobody to answer
	parked   bool  // it waits for the client's body without a goroutine of its own
	answered bool  // by the plain relay, whole
	interim  interim
	room     *room       // of a request that the plain relay carries; else nil
	deadline *limit      // the request's own; nil without one
	grpcEnd  time.Time   // of the client's time for a call of gRPC; zero = none
	body     *replayBody // nil = none

	limits struct { // that the request meets
		counting [4]*Limits // those that count it; nil from the first one unused
		maxBody  int64      // bytes of a body of unknown length that limits.max_body lets in; 0 = no bound
		keptOut  string     // which one of the fallback pool kept it out; empty = none
	}

	extras *extras // nil = none

	main     *delivery // to the route's pool; nil while the client's body is waited for
	delivery *delivery // that answers, else the first
	latest   *delivery // knows those before it
	answer   struct {  // that is relayed
		from   *balancer.Upstream // nil = no upstream's
		tunnel *tunnel            // when it switched protocols
		stream bool               // its parts matter as they come
		prompt bool               // whoever copies the body sends each part on at once
	}
}

func newExchange(p *Proxy, w http.ResponseWriter, r *Request, l Listener) *exchange {
	peer := peerOf(r)
	trusted := p.trust.trustsPeer(r, peer)
	realIP := trusted && r.Has(header.XRealIP) // before it is dropped
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

// forward has the request delivered to the route's pool, and relays the answer.
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
		x.writer.unbound() // reading it may send a 100 Continue
		if !x.body.sized {
			// Else net/http would hold back an answer while the client's body is
			// being read. HTTP/2 needs no asking.
			x.writer.control.EnableFullDuplex()
		}
	}
	x.proceed(x.prefetch(false))
}

// bound returns that of the whole request, 0 without one.
func (x *exchange) bound() time.Duration {
	if x.route.Timeout > 0 {
		return x.route.Timeout
	}
	return x.pool.opts.Timeouts.Request
}

// proceed is forward once the client's body has come, as far as it is waited for.
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

// deliver returns the answer to give to the client, or why there is none. A good
// answer may be kept for worse times; for an error there is the last resort. RFC 5861
// counts a 500 among those that an older response may stand in for.
func (x *exchange) deliver(o outgoing) (*message.Response, *Error) {
	defer x.concludeInterim()
	pool := x.pool
	d := x.newDelivery()
	x.main, x.delivery = d, d
	x.record.Attempts = d.attempts[:0]
	x.begin(d, x.order(pool, o), nil)
	d.choice = x.choice(pool, d.choice.Tried)
	if x.body != nil {
		d.choice.Now = 0 // the client may have taken long
	}
	if x.mayHit() {
		if res, end := x.kept(); res != nil || end != nil {
			return res, end
		}
		kept := false
		defer func() { x.few().found.lead.land(kept) }()
		return x.fetch(d, &kept)
	}
	return x.fetch(d, new(bool))
}

// fetch is deliver once nothing that is kept will do. It tells whether what came is kept.
func (x *exchange) fetch(d *delivery, kept *bool) (*message.Response, *Error) {
	pool := x.pool
	pool.deposit()
	if x.route.Mirror != nil {
		x.reflect(&d.out)
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
			*kept = true
			return res, nil
		}
		*kept = x.remember(pool.stale, a.res)
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

// begin begins a delivery, which ends with the exchange at the latest.
func (x *exchange) begin(d *delivery, o order, after *delivery) {
	d.begin(o, &x.record, after)
	d.before, x.latest = x.latest, d
}

// order returns the request as a delivery to a pool gets it.
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

// choice returns what a pool's policy may want to know.
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

// end accounts for the request.
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
		x.writer.bound() // what is left to send is sent after this
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
