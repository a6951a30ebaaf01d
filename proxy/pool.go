package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	limits "github.com/goodgate/goodgate/internal/limit"
	"github.com/goodgate/goodgate/internal/stale"
)

// Timeouts bound each part of an exchange with an upstream.
type Timeouts struct {
	Dial           time.Duration // to connect; 0 = 1 s
	TLS            time.Duration // for the TLS handshake; 0 = 3 s
	ResponseHeader time.Duration // from the request's last byte to the response header; 0 = no bound
	Idle           time.Duration // without a byte, in either direction, within a body; 0 = no bound
	Request        time.Duration // everything, all attempts and waiting included; 0 = no bound
	KeepAlive      time.Duration // that an unused connection is kept, less when the upstream closes sooner; 0 = 60 s
	Age            time.Duration // at which a connection gets no more requests, less a random tenth; 0 = no bound
	Ping           time.Duration // over HTTP/2, without a byte until the upstream is asked for a sign of life; 0 = never
}

// Retry says when and how often a request is sent again. The zero value sends
// nothing again.
type Retry struct {
	Attempts   int           // tries in all, the first included
	PerTry     time.Duration // bound of one try until its response header; 0 = none
	Statuses   []int         // answers that are tried again elsewhere
	Budget     float64       // retries as a share of requests
	BudgetMin  float64       // retries a second that are allowed whatever the share
	MaxBody    int64         // bytes of a request body kept in memory for a retry
	Backoff    time.Duration // first pause before the same upstream is tried again; 0 = 25 ms
	MaxBackoff time.Duration // bound of the pauses; 0 = 250 ms
	Hedge      Hedge
}

// Hold says how long requests wait for an upstream instead of failing. The
// zero value does not wait.
type Hold struct {
	For         time.Duration
	MaxRequests int   // that wait at once
	MaxBody     int64 // bytes of their bodies, all together, that are in memory meanwhile; 0 = no bound
}

// Queue says how requests wait for a place when the pool's upstreams have as
// many as they may (see [balancer.Pool.Places]).
type Queue struct {
	MaxRequests int           // that may wait; 0 = no queue: requests wait as long as they are held
	MaxWait     time.Duration // longest wait, in a burst; 0 = 500 ms
}

// PoolOptions say how requests are exchanged with a pool's upstreams.
type PoolOptions struct {
	Tunnel            Tunnel
	Protocol          Protocol
	ProxyProtocol     ProxyProtocol
	Timeouts          Timeouts
	Retry             Retry
	Hold              Hold
	Limits            *Limits // which requests are let in; nil = all
	Queue             Queue
	Commit            Commit
	Stale             Stale
	MaxIdleConns      int         // unused connections kept to each upstream; 0 = 256, below 0 = none
	MaxResponseHeader int64       // bytes; 0 = 256 KiB
	TLS               *tls.Config // for upstreams reached by TLS; nil = verify against the system's roots
	HashOn            HashOn      // for the policy hash
	Sticky            *Sticky     // for the policy sticky
	// DrainHeader lets an upstream's answers take it out for new requests, by the
	// field Goodgate-Drain. Trust an application with it that lets nobody else
	// choose the fields of its answers.
	DrainHeader bool
	// Failures are the status codes that an upstream is to blame for, so that its
	// breaker counts them; nil = 502, 503 and 504.
	Failures []int
	// Maintenance, if not nil, answers in place of the upstreams.
	Maintenance *Maintenance
	// Dial connects to an upstream; nil = the network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Unreachable is told that an upstream could not be reached, so that names
	// may be looked up anew. It must not block.
	Unreachable func()
}

// Pool is a balancer's pool and the rules for exchanges with its upstreams.
type Pool struct {
	*balancer.Pool
	rules   balancer.Options
	opts    PoolOptions
	budget  *budget
	queue   *limits.Queue
	hedging *hedging       // nil = nothing is hedged
	stale   *stale.Cache   // nil = off
	flights *flights       // nil with stale
	counts  *stale.Counts  // of stale, and of those before it
	missing *atomic.Uint32 // a Reason: why the pool has no members
	word    *atomic.Pointer[word]
}

// NewPool returns an empty pool.
func NewPool(b balancer.Options, o PoolOptions) (*Pool, error) {
	p := newPool(b, o)
	p.missing, p.word = new(atomic.Uint32), new(atomic.Pointer[word])
	p.openStore(new(stale.Counts))
	p.setQueue(nil)
	var err error
	p.Pool, err = balancer.NewPool(p.rules)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// With returns the pool under other options, for a proxy that is to replace the
// one that has p. Both share the upstreams and all that is known of them, and
// nothing changes for those before [Pool.Adopt]. Dial cannot be changed.
func (p *Pool) With(b balancer.Options, o PoolOptions) (*Pool, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	o.Dial = p.opts.Dial
	next := newPool(b, o)
	next.Pool, next.missing, next.word = p.Pool, p.missing, p.word
	next.budget = p.budget.with(o.Retry.Budget, o.Retry.BudgetMin)
	next.hedging = p.hedging.with(o.Retry.Hedge)
	next.setQueue(p)
	if o.Stale == p.opts.Stale {
		next.stale, next.flights, next.counts = p.stale, p.flights, p.counts
	} else {
		next.openStore(p.counts)
	}
	return next, nil
}

// Adopt makes the upstreams go by p's options. Connections are kept unless what
// they were made by has changed; then they end as the requests on them do.
func (p *Pool) Adopt() {
	if p.Configure(p.rules) != nil {
		return // cannot be: With has checked it
	}
	members := p.Members()
	for i := range members {
		members[i].Link().(*endpointRef).adopt(&p.opts)
	}
}

// setQueue makes the queue, or takes that of an earlier view of the pool if it
// does.
func (p *Pool) setQueue(earlier *Pool) {
	switch {
	case p.opts.Queue.MaxRequests == 0:
		return
	case earlier != nil && earlier.opts.Queue == p.opts.Queue:
		p.queue = earlier.queue
	default:
		p.queue = limits.NewQueue(limits.QueueOptions{
			Places:  func() int { return p.Places() },
			Max:     p.opts.Queue.MaxRequests,
			MaxWait: p.opts.Queue.MaxWait,
		})
	}
	p.rules.Placed = p.queue.Wake
}

func newPool(b balancer.Options, o PoolOptions) *Pool {
	o.Timeouts.Dial = cmp.Or(o.Timeouts.Dial, time.Second)
	o.Timeouts.TLS = cmp.Or(o.Timeouts.TLS, 3*time.Second)
	o.Timeouts.KeepAlive = cmp.Or(o.Timeouts.KeepAlive, time.Minute)
	o.MaxIdleConns = cmp.Or(o.MaxIdleConns, 256)
	o.MaxResponseHeader = cmp.Or(o.MaxResponseHeader, 256<<10)
	o.Retry.Attempts = max(o.Retry.Attempts, 1)
	o.Retry.Backoff = cmp.Or(o.Retry.Backoff, 25*time.Millisecond)
	o.Retry.MaxBackoff = cmp.Or(o.Retry.MaxBackoff, 250*time.Millisecond)
	o.Commit.Buffer = min(o.Commit.Buffer, largestCollect)
	if o.Dial == nil {
		d := &net.Dialer{
			KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
			ControlContext:  userTimeout,
		}
		o.Dial = d.DialContext
	}
	p := &Pool{opts: o, budget: newBudget(o.Retry.Budget, o.Retry.BudgetMin), hedging: newHedging(o.Retry.Hedge)}
	b.Open = func(s balancer.Spec) io.Closer { return newEndpointRef(s, &p.opts) }
	p.rules = b
	return p
}

// overloaded reports whether sending anything twice would only add to what the
// pool has to do.
func (p *Pool) overloaded() bool { return p.budget.strained() || p.Overfull() || p.queue.Pressed() }

// Queued returns how many requests wait for a place.
func (p *Pool) Queued() int {
	if p.queue == nil {
		return 0
	}
	return p.queue.Waiting()
}

// Saturated reports whether more is asked of the pool than its upstreams may
// have, for longer than a burst lasts.
func (p *Pool) Saturated() bool { return p.Overfull() || p.queue.Pressed() }

// SetMissing says why the pool has no members, for the answers to requests
// that find it empty; [None] = nothing known.
func (p *Pool) SetMissing(r reason.Reason) { p.missing.Store(uint32(r)) }

// BudgetLeft returns how many retries the pool's budget allows at this moment.
func (p *Pool) BudgetLeft() int { return p.budget.left() }

// absence is the reason for there being nobody to ask.
func (p *Pool) absence(otherwise reason.Reason) reason.Reason {
	if r := reason.Reason(p.missing.Load()); r != reason.None && len(p.Members()) == 0 {
		return r
	}
	return otherwise
}
