package proxy

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// exchange is everything about one request. It belongs to the request's
// goroutine. It is also the request's context, so that the steps below
// httputil find it again.
type exchange struct {
	context.Context
	proxy    *Proxy
	request  *http.Request // as it came in, without what is not believed
	out      *http.Request // as it goes out, below httputil; nil before
	listener Listener
	route    *Route
	writer   responseWriter
	record   Record

	trace   Trace      // nil = off
	peer    netip.Addr // who is connected
	trusted bool       // peer is a trusted proxy
	realIP  bool       // and has sent X-Real-IP
	body    *replayBody
	limit   *limit    // the request's own deadline; nil without one
	parked  bool      // it waits for the client's body without a goroutine of its own
	aborted bool      // there is nobody to answer
	grpc    bool      // it is a call of gRPC
	grpcEnd time.Time // of the client's time for it; zero = none

	servedBy *balancer.Upstream // of the answer that is relayed
	died     *balancer.Upstream // the last that counts in deaths
	tunnel   *tunnel            // when the answer switched protocols

	first  *firstAttempt // nil while the client's body is waited for
	lone   *try          // that is under way and may get company
	race   *race         // the first and a second that are under way; else nil
	choice balancer.Choice
	tried  [4]*balancer.Upstream // room for choice.Tried
	values [8]string             // room for header values
	nvalue int

	interim  interim
	keptOut  string     // which limit of the fallback pool kept the request out; empty = none
	trailers []string   // names of the request's trailer fields that go upstream
	maxBody  int64      // bytes of a body of unknown length that limits.max_body lets in; 0 = no bound
	inside   [4]*Limits // that count the request; nil from the first one unused
	placed   bool       // has a place in the pool's queue

	tries    int            // attempts that count against the limit
	races    int            // attempts lost to an idle connection that was closing
	refused  int            // times that it was sent and an upstream said that it did not process it
	deaths   int            // upstreams that ended the connection without an answer
	rounds   int            // times every upstream had been tried
	holdEnd  time.Time      // set when the request first waits
	held     *http.Response // an answer to be bettered; relayed when nothing better comes
	retrying bool           // the attempt under way has a token of the retry budget
}

// firstAttempt is memory for the first attempt, which is the only one of most
// requests. It is apart so that a client which does not send its body takes none.
type firstAttempt struct {
	request  http.Request // as httputil gets it
	try      try
	body     collected  // the beginning of the answer
	attempts [2]Attempt // for record.Attempts
}

type exchangeKey struct{}

// Value makes the exchange findable in its own context.
func (x *exchange) Value(key any) any {
	if _, ok := key.(exchangeKey); ok {
		return x
	}
	return x.Context.Value(key)
}

// unasked is the exchange as httputil's context, which asks every context when it
// ends, only to see whether it does. Being asked costs more than the rest of a
// context, and below httputil the exchange itself is what counts.
type unasked exchange

func (u *unasked) Deadline() (time.Time, bool) { return (*exchange)(u).Deadline() }
func (u *unasked) Done() <-chan struct{}       { return nil }
func (u *unasked) Err() error                  { return (*exchange)(u).Err() }
func (u *unasked) Value(key any) any           { return (*exchange)(u).Value(key) }

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

func newExchange(p *Proxy, w http.ResponseWriter, r *http.Request) *exchange {
	peer := peerOf(r)
	trusted := p.trust.trustsPeer(r, peer)
	_, realIP := r.Header["X-Real-Ip"]
	r = p.trust.believed(r, trusted)
	x := &exchange{Context: r.Context(), proxy: p, request: r, peer: peer, trusted: trusted, realIP: trusted && realIP}
	x.writer.init(w, x)
	x.grpc = r.ProtoMajor >= 2 && isGRPC(r.Header)
	x.choice.Tried = x.tried[:0]
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
	if x.peer.IsValid() && x.record.Client == x.peer {
		x.record.client = x.peerText()
	}
	return x
}

// forward sends the request through httputil to the attempt loop.
func (x *exchange) forward(r *http.Request) {
	pool := x.route.Pool
	x.record.Pool = pool.Name()
	if d := x.boundGRPC(r, x.route.deadline()); d > 0 {
		x.bound(d)
	}
	if r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody {
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

// proceed is forward once the client's body has come, as far as it is waited for.
func (x *exchange) proceed(failed *Error) {
	switch {
	case x.parked:
	case failed != nil:
		x.fail(failed)
	default:
		x.prepareChoice(x.request)
		if x.body != nil {
			x.choice.Now = 0 // the client may have taken long
		}
		x.first = new(firstAttempt)
		x.first.request = *x.request.WithContext((*unasked)(x))
		x.record.Attempts = x.first.attempts[:0]
		x.proxy.reverse.ServeHTTP(&x.writer, &x.first.request)
	}
	if x.aborted {
		panic(http.ErrAbortHandler)
	}
}

// bound ends the exchange's context after d. A tunnel takes the bound off.
func (x *exchange) bound(d time.Duration) {
	ctx, cancel := context.WithCancelCause(x.Context)
	x.Context = ctx
	x.limit = &limit{time.AfterFunc(d, func() { cancel(errDeadline) }), cancel}
}

// prepareChoice fills in what the pool's policy may want to know.
func (x *exchange) prepareChoice(r *http.Request) {
	pool := x.route.Pool
	x.choice.Replayable = x.route.RetrySafe || idempotent(r.Method) || x.route.IdempotencyKey && keyed(r)
	x.choice.Now = x.record.Start.UnixNano()
	if pool.opts.HashOn != nil {
		x.choice.Hash = pool.opts.HashOn.hash(r, x.record.Client)
	}
	if pool.opts.Sticky != nil {
		x.choice.Sticky = pool.opts.Sticky.read(r)
	}
}

// end accounts for the request.
func (x *exchange) end() {
	x.limit.lift()
	x.limit.end()
	x.dropHeld()
	x.leave()
	if x.tunnel != nil {
		x.tunnel.Close()
		if cause := x.tunnel.cause.Load(); cause != nil {
			x.record.Err = *cause
		}
		x.record.Received, x.record.Sent = x.tunnel.toUpstream.Load(), x.tunnel.toClient.Load()
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
	if rec.Reason == None && x.writer.err != nil {
		rec.Reason = ClientGone
	}
	if x.route != nil {
		rec.Route = x.route.Name
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
	if x.trace != nil {
		x.trace.End(rec)
	}
}

// single returns a header value list of one without an allocation of its own.
func (x *exchange) single(v string) []string {
	if x.nvalue == len(x.values) {
		return []string{v}
	}
	i := x.nvalue
	x.nvalue++
	x.values[i] = v
	return x.values[i : i+1 : i+1]
}
