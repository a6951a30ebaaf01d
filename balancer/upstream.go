package balancer

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Key identifies an upstream. Weight and tier are no part of it, so changing
// them keeps its state; the pool is, so that one address in two pools has two
// verdicts.
type Key struct {
	Pool string
	Addr string // host:port or unix:/path
}

// Operator is what the people who run the upstream say about it.
type Operator uint32

const (
	Ready Operator = iota // takes new requests
	Drain                 // takes no new requests; those in flight go on
	Off                   // as Drain, and is not probed
)

// Upstream is the live state of one application server. It outlives changes
// of its pool's configuration.
type Upstream struct {
	// What a pick reads comes first and together, to cost few cache lines.
	inFlight   atomic.Int64
	operator   atomic.Uint32
	health     atomic.Uint32 // a Health
	trusted    atomic.Bool   // used although its probes fail; set by the pool
	resting    atomic.Bool   // takes no new requests because it asked for that
	lifecycle  atomic.Uint32 // a Lifecycle; set with the pool's mu held
	trial      trial
	ramp       ramp
	adaptive   adaptive
	slowness   slowness
	introduced atomic.Bool // by an Introduction of its pool
	outlier    atomic.Bool // fails surely more than the others: its breaker may open
	latency    latency
	waiting    waiting
	sending    atomic.Int64 // of those that wait, how many still send their bodies
	breaker    breaker
	evidence   evidence
	pulse      pulse

	key    Key
	name   string
	other  string
	tls    bool
	id     uint64
	pool   *Pool
	link   io.Closer
	nudged chan struct{}
	called atomic.Pointer[func()] // told of a nudge; nil = nobody

	probeMu sync.Mutex
	probe   streak
	leaving leaving // guarded by probeMu
	rest    rest

	// restsTillPass says that the upstream rests on the word of a probe, so that
	// one that passes ends it.
	restsTillPass atomic.Bool

	removed   atomic.Bool
	closeLink sync.Once
	moments   moments

	// late says that the upstream joined a pool that was serving already, so
	// that it gets a trial and a slow start too. It never changes.
	late bool

	// Guarded by pool.mu.
	tier    int
	zone    *zonePart // of its tier; nil = zones do not count
	heft    int       // weight, in the zone's account
	counted bool      // is in the pool's count of available members
	noticed bool      // what Notify was told last, or will be
	ejected bool      // has one of the pool's ejection places
	// ejectedAt is when it got its place last.
	ejectedAt time.Time
	tried     int // the last of the pool's droughts in which it got an early trial
}

// newUpstream makes an upstream. Called with the pool's mu held.
func newUpstream(p *Pool, s Spec) *Upstream {
	opts := p.opts.Load()
	u := &Upstream{
		late:   p.left() > 0,
		key:    Key{Pool: opts.Name, Addr: s.Addr},
		name:   s.Name,
		other:  s.Other,
		tls:    s.TLS,
		id:     Hash(s.Addr),
		pool:   p,
		nudged: make(chan struct{}, 1),
	}
	u.introduced.Store(p.introduction.Load().has(u))
	if u.late {
		u.trial.begin(time.Now())
	}
	if !p.checked() {
		u.health.Store(uint32(Up))
		if u.late && opts.SlowStart > 0 {
			u.ramp.begin(time.Now())
		}
	}
	u.breaker.start(opts.Breaker, breakerCalls{
		outlier: u.outlier.Load,
		mayOpen: func() bool { return p.mayEject(u) },
		spared:  func() { p.restore(u) },
		changed: u.breakerChanged,
	})
	u.adaptive.configure(opts.Adaptive)
	u.lifecycle.Store(uint32(s.Lifecycle))
	u.operator.Store(uint32(s.Operator))
	if s, ok := p.warm[s.Addr]; ok {
		u.begin(s)
		delete(p.warm, s.Addr)
	}
	if opts.Open != nil {
		u.link = opts.Open(s)
	}
	u.noticed = u.passes()
	u.moments.join(time.Now())
	return u
}

// Key returns the upstream's identity.
func (u *Upstream) Key() Key { return u.key }

// Addr returns the address to connect to: host:port or unix:/path.
func (u *Upstream) Addr() string { return u.key.Addr }

// Other returns the upstream's address of the other family, IPv6 beside an IPv4
// Addr; empty without one.
func (u *Upstream) Other() string { return u.other }

// Name returns the host name the address was found under, empty for an address.
func (u *Upstream) Name() string { return u.name }

// TLS reports whether the upstream is reached by TLS.
func (u *Upstream) TLS() bool { return u.tls }

// Authority returns what stands for the upstream in a Host header.
func (u *Upstream) Authority() string { return authority(u.Addr(), u.name, u.tls) }

// ID returns a hash of the address, the same in every process and on every
// machine.
func (u *Upstream) ID() uint64 { return u.id }

// Link returns what [Options.Open] made for this upstream, nil without one.
func (u *Upstream) Link() io.Closer { return u.link }

// InFlight returns the number of leases that have not been released.
func (u *Upstream) InFlight() int { return int(u.inFlight.Load()) }

// Latency returns the peak-sensitive moving average of the time to the
// response header; zero before the first answer.
func (u *Upstream) Latency() time.Duration {
	return time.Duration(u.latency.cost(time.Now().UnixNano()))
}

// Available reports whether the upstream may take a new request. It is the
// only place where the verdicts of operator, breaker and probes, and the
// upstream's own word, are combined. It is a hint: [Member.TryAcquire] decides.
func (u *Upstream) Available() bool {
	return u.wanted() && u.breaker.admits() &&
		(Health(u.health.Load()) == Up || u.trusted.Load())
}

// passes is Available by the upstream's own verdicts: without the pool's trust,
// and whether or not a half-open breaker has a place left just now.
func (u *Upstream) passes() bool {
	return u.wanted() && u.breaker.current() != Open && Health(u.health.Load()) == Up
}

// wanted reports whether neither the operator, nor the place where the upstream was
// found, nor the upstream itself has said that it takes no new requests.
func (u *Upstream) wanted() bool {
	return Operator(u.operator.Load()) == Ready && !u.resting.Load() && u.Lifecycle() == Serving
}

// Operator returns what the operator said last.
func (u *Upstream) Operator() Operator { return Operator(u.operator.Load()) }

// SetOperator changes what the operator says about the upstream.
func (u *Upstream) SetOperator(o Operator) {
	if Operator(u.operator.Swap(uint32(o))) != o {
		u.moments.ordered.Store(time.Now().UnixNano())
		u.pool.verdictChanged(u)
	}
}

// Breaker returns the circuit breaker's state; [Closed] when there is none.
func (u *Upstream) Breaker() BreakerState { return u.breaker.current() }

// Nudged delivers a signal when live traffic could not reach the upstream, or was
// told that it is about to end ([Upstream.SaysLeaving]), so that whoever probes it looks at once instead of at its next interval.
func (u *Upstream) Nudged() <-chan struct{} { return u.nudged }

// OnNudge makes f be called after each signal of [Upstream.Nudged], without a
// lock held; nil ends that. Whoever probes many upstreams need not wait on as
// many channels.
func (u *Upstream) OnNudge(f func()) {
	if f == nil {
		u.called.Store(nil)
		return
	}
	u.called.Store(&f)
}

// Removed reports whether the upstream has left its pool.
func (u *Upstream) Removed() bool { return u.removed.Load() }

// nudge asks for a probe; one pending request is enough.
func (u *Upstream) nudge() {
	select {
	case u.nudged <- struct{}{}:
	default:
	}
	if f := u.called.Load(); f != nil {
		(*f)()
	}
}

// breakerChanged is called by the breaker, without a lock held.
func (u *Upstream) breakerChanged(s BreakerState) {
	switch s {
	case Open:
		u.trial.end() // what it has waited counts from when it may be used again
	case HalfOpen: // the failures' penalties would keep the trials away
		u.trial.begin(time.Now())
		u.latency.forget()
	case Closed:
		u.outlier.Store(false)
		u.trial.end()
		u.pool.restore(u)
		u.returned()
	}
	u.pool.verdictChanged(u)
}

// returned starts the slow start of an upstream that comes back and forgets
// the latency of its earlier life. An upstream that is alone has nobody to
// share the load with, so it gets all of it at once.
func (u *Upstream) returned() {
	u.latency.reset()
	if w := u.pool.opts.Load().SlowStart; w > 0 && u.pool.othersAvailable(u) {
		u.ramp.begin(time.Now())
	}
}

// remove takes the upstream out for good. Its link is closed once the last
// lease has ended.
func (u *Upstream) remove() {
	u.removed.Store(true)
	u.breaker.stop()
	u.rest.stop()
	if u.inFlight.Load() == 0 {
		u.close()
	}
}

func (u *Upstream) close() {
	u.closeLink.Do(func() {
		if u.link != nil {
			u.link.Close()
		}
	})
}

// Hash is 64-bit FNV-1a, which is the same in every process and on every
// machine, unlike hash/maphash, and allocates nothing, unlike hash/fnv.
func Hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
