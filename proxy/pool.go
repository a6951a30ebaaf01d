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

// Timeouts bound the parts of an exchange with an upstream.
type Timeouts struct {
	Dial           time.Duration // to connect; 0 = 1 s
	TLS            time.Duration // for the TLS handshake; 0 = 3 s
	ResponseHeader time.Duration // from the request's last byte to the response header; 0 = no limit
	Idle           time.Duration // longest time without a byte in either direction within a body; 0 = no limit
	Request        time.Duration // the whole request with all attempts and waits; 0 = no limit
	KeepAlive      time.Duration // how long an idle connection stays open, unless the upstream closes it sooner; 0 = 60 s
	Age            time.Duration // once a connection is this old, it gets no more requests; a random part of up to a tenth is subtracted; 0 = no limit
	Ping           time.Duration // how long an HTTP/2 connection is silent before the proxy pings the upstream; 0 = never
}

// Retry sets when and how often the proxy sends a request again. With the zero value it
// never does.
type Retry struct {
	Attempts   int           // attempts in total, including the first; 0 = 1
	PerTry     time.Duration // limit of one attempt until its response header; 0 = none
	Statuses   []int         // statuses that make the proxy try another upstream
	Budget     float64       // retries as a share of requests
	BudgetMin  float64       // retries a second that are allowed in any case
	MaxBody    int64         // bytes of a request's body to keep in memory for a retry
	Backoff    time.Duration // first pause before the same upstream is tried again; 0 = 25 ms
	MaxBackoff time.Duration // longest pause; 0 = 250 ms
	Hedge      Hedge
}

// Hold sets how long requests wait for an available upstream instead of failing. With the
// zero value they do not wait.
type Hold struct {
	For         time.Duration // longest wait of a request; 0 = no wait
	MaxRequests int           // requests that may wait at once
	MaxBody     int64         // bytes in memory for the bodies of all waiting requests; 0 = no limit
}

// Queue sets how requests wait while the pool's upstreams are at their limit (see
// [balancer.Pool.Places]).
type Queue struct {
	MaxRequests int           // requests that may wait; 0 = no queue: requests wait as in Hold
	MaxWait     time.Duration // longest wait in a burst; shorter in a lasting overload; 0 = 500 ms
}

// PoolOptions configure the exchange of requests with a pool's upstreams.
type PoolOptions struct {
	Tunnel            Tunnel
	Protocol          Protocol
	ProxyProtocol     ProxyProtocol
	Timeouts          Timeouts
	Retry             Retry
	Hold              Hold
	Limits            *Limits // the requests that may pass; nil = all
	Queue             Queue
	Commit            Commit
	Stale             Stale
	MaxIdleConns      int         // idle connections to keep for each upstream; 0 = 256, negative = none
	ConnRequests      int         // largest number of requests on one connection to an upstream; 0 = no limit
	MaxResponseHeader int64       // bytes; 0 = 256 KiB
	TLS               *tls.Config // for upstreams with TLS; nil = verify them with the system's root certificates
	HashOn            HashOn      // for the policy hash
	Sticky            *Sticky     // for the policy sticky
	// DrainHeader lets an upstream drain itself with the field Goodgate-Drain in an answer.
	// Enable it only if the application alone sets the fields of its answers.
	DrainHeader bool
	// Failures are the statuses that count as failures of the upstream in its breaker.
	// nil = 502, 503 and 504.
	Failures []int
	// Maintenance, if not nil, answers instead of the upstreams.
	Maintenance *Maintenance
	// Dial connects to an upstream. nil = over the network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Unreachable is called when an upstream cannot be reached, so that its name can be
	// resolved again. It must not block.
	Unreachable func()
}

// Pool is a [balancer.Pool] with the options for exchanges with its upstreams.
type Pool struct {
	*balancer.Pool
	rules   balancer.Options
	opts    PoolOptions
	budget  *budget
	queue   *limits.Queue
	hedging *hedging       // nil = no hedging
	stale   *stale.Cache   // nil = off
	flights *flights       // nil with stale
	counts  *stale.Counts  // of stale and the caches before it
	missing *atomic.Uint32 // a Reason for which the pool has no members
	word    *atomic.Pointer[word]
}

// NewPool returns an empty pool. It returns an error when the balancer's options are
// invalid.
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

// With returns a pool with other options and the same upstreams. Use it in the new proxy,
// in place of p. The upstreams keep their options until you call [Pool.Adopt] on the
// result. Dial cannot change.
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

// Adopt applies p's options to the upstreams. Connections stay open unless an option that
// affects connections has changed. Then each closes at the end of its current requests.
func (p *Pool) Adopt() {
	if p.Configure(p.rules) != nil {
		return // impossible: With has checked the rules
	}
	members := p.Members()
	for i := range members {
		members[i].Link().(*endpointRef).adopt(&p.opts)
	}
}

// setQueue makes the queue. It takes that of an earlier view of the pool if the options
// are equal.
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

// overloaded reports whether a retry or a hedge would only add to an overload.
func (p *Pool) overloaded() bool { return p.budget.strained() || p.Overfull() || p.queue.Pressed() }

// Queued returns the number of requests in the queue.
func (p *Pool) Queued() int {
	if p.queue == nil {
		return 0
	}
	return p.queue.Waiting()
}

// Saturated reports whether, for longer than a burst, the pool has received more requests
// than its upstreams can take.
func (p *Pool) Saturated() bool { return p.Overfull() || p.queue.Pressed() }

// SetMissing sets the reason why the pool has no members. Requests that find the pool
// empty fail with it. [reason.None] = unknown.
func (p *Pool) SetMissing(r reason.Reason) { p.missing.Store(uint32(r)) }

// BudgetLeft returns the number of retries that the pool's budget allows now.
func (p *Pool) BudgetLeft() int { return p.budget.left() }

// absence returns the reason why the pool is empty, if it is and the reason is known,
// else the given reason.
func (p *Pool) absence(otherwise reason.Reason) reason.Reason {
	if r := reason.Reason(p.missing.Load()); r != reason.None && len(p.Members()) == 0 {
		return r
	}
	return otherwise
}
