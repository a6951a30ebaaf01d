package balancer

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Key identifies an upstream. A change of weight or tier keeps the upstream's state,
// because neither is part of the key. Each pool has its own upstreams: an address in two
// pools has two independent verdicts.
type Key struct {
	Pool string
	Addr string // host:port or unix:/path
}

// Operator is the setting of the people who run the upstream.
type Operator uint32

const (
	Ready Operator = iota // takes new requests
	Drain                 // takes no new requests; requests in flight finish
	Off                   // like Drain, and is not probed
)

// Upstream is the live state of one server. It survives changes of its pool's
// configuration.
type Upstream struct {
	// Fields that a pick reads come first and together, to touch few cache lines.
	inFlight   atomic.Int64
	operator   atomic.Uint32
	health     atomic.Uint32 // a Health
	trusted    atomic.Bool   // used although its probes fail; set by the pool
	resting    atomic.Bool   // takes no new requests at its own request
	lifecycle  atomic.Uint32 // a Lifecycle; set with the pool's mu held
	trial      trial
	ramp       ramp
	adaptive   adaptive
	slowness   slowness
	introduced atomic.Bool // by an Introduction of its pool
	outlier    atomic.Bool // fails significantly more than the others: its breaker may open
	latency    latency
	waiting    waiting
	sending    atomic.Int64 // waiting requests that still send their bodies
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
	called atomic.Pointer[func()] // runs after a nudge; nil = none

	probeMu sync.Mutex
	probe   streak
	leaving leaving // guarded by probeMu
	rest    rest

	// restsTillPass is set if a probe has caused the rest. Then a passed probe ends it.
	restsTillPass atomic.Bool

	removed   atomic.Bool
	closeLink sync.Once
	moments   moments

	// late is set if the upstream joined a pool that was serving already: it gets a trial
	// and a slow start like a returning one. It never changes.
	late bool

	// Guarded by pool.mu.
	tier    int
	zone    *zonePart // its zone of the tier; nil = zones are ignored
	heft    int       // weight in the sums of the zone
	counted bool      // counts among the pool's available members
	noticed bool      // availability in the last change queued for Notify
	ejected bool      // holds one of the pool's ejection places
	// ejectedAt is the time when it last got its place.
	ejectedAt time.Time
	tried     int // the last of the pool's droughts in which it got an early trial
}

// newUpstream makes an upstream. The pool's mu must be held.
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
		freed:   func() { p.verdictChanged(u) },
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

// Other returns the upstream's address of the other family, IPv6 if Addr is IPv4; empty
// without one.
func (u *Upstream) Other() string { return u.other }

// Name returns the host name that resolved to the address; empty if an address was
// configured.
func (u *Upstream) Name() string { return u.name }

// TLS reports whether connections to the upstream use TLS.
func (u *Upstream) TLS() bool { return u.tls }

// Authority returns the value of the Host header for the upstream.
func (u *Upstream) Authority() string { return authority(u.Addr(), u.name, u.tls) }

// ID returns a hash of the address. It is the same in every process and on every machine.
func (u *Upstream) ID() uint64 { return u.id }

// Link returns the value that [Options.Open] made for this upstream; nil without Open.
func (u *Upstream) Link() io.Closer { return u.link }

// InFlight returns the number of unreleased leases.
func (u *Upstream) InFlight() int { return int(u.inFlight.Load()) }

// Latency returns the peak-sensitive moving average of the time to the response header;
// zero before the first answer.
func (u *Upstream) Latency() time.Duration {
	return time.Duration(u.latency.cost(time.Now().UnixNano()))
}

// Available reports whether the upstream may take a new request. It combines the verdicts
// of the operator, the breaker and the probes, the lifecycle, and the upstream's own
// request to rest. No other method does. The result is a hint: [Member.TryAcquire]
// decides.
func (u *Upstream) Available() bool {
	return u.wanted() && u.breaker.admits() &&
		(Health(u.health.Load()) == Up || u.trusted.Load())
}

// passes is Available by the upstream's own verdicts. It ignores the pool's trust, and
// whether a half-open breaker has a free trial now.
func (u *Upstream) passes() bool {
	return u.wanted() && u.breaker.current() != Open && Health(u.health.Load()) == Up
}

// wanted reports whether the operator, the source of upstreams and the upstream itself
// all allow new requests.
func (u *Upstream) wanted() bool {
	return Operator(u.operator.Load()) == Ready && !u.resting.Load() && u.Lifecycle() == Serving
}

// Operator returns the operator's last setting.
func (u *Upstream) Operator() Operator { return Operator(u.operator.Load()) }

// SetOperator changes the operator's setting of the upstream.
func (u *Upstream) SetOperator(o Operator) {
	if Operator(u.operator.Swap(uint32(o))) != o {
		u.moments.ordered.Store(time.Now().UnixNano())
		u.pool.verdictChanged(u)
	}
}

// Breaker returns the circuit breaker's state; [Closed] without a breaker.
func (u *Upstream) Breaker() BreakerState { return u.breaker.current() }

// Nudged returns a channel that asks the checker to probe the upstream now, without
// waiting for the next interval. The channel gets a signal when live traffic cannot reach
// the upstream, when an answer says that the upstream is about to end
// ([Upstream.SaysLeaving]), when [Pool.Doubt] is called, and when [Upstream.Pulse] needs
// fresh evidence.
func (u *Upstream) Nudged() <-chan struct{} { return u.nudged }

// OnNudge sets a function to call after each signal of [Upstream.Nudged], without a lock
// held; nil removes it. A checker of many upstreams then need not wait on many channels.
func (u *Upstream) OnNudge(f func()) {
	if f == nil {
		u.called.Store(nil)
		return
	}
	u.called.Store(&f)
}

// Removed reports whether the upstream has left its pool.
func (u *Upstream) Removed() bool { return u.removed.Load() }

// Nudge asks the checker to probe the upstream now. It is safe for concurrent use.
func (u *Upstream) Nudge() { u.nudge() }

// nudge asks for a probe. One pending signal is enough.
func (u *Upstream) nudge() {
	select {
	case u.nudged <- struct{}{}:
	default:
	}
	if f := u.called.Load(); f != nil {
		(*f)()
	}
}

// breakerChanged handles a change of the breaker's state. The breaker calls it without a
// lock held.
func (u *Upstream) breakerChanged(s BreakerState) {
	switch s {
	case HalfOpen: // the latency that failures left would keep the trial requests away
		u.latency.forget()
	case Closed:
		u.outlier.Store(false)
		u.pool.restore(u)
		u.returned()
	}
	u.pool.verdictChanged(u)
}

// returned starts the slow start of a returning upstream, and forgets the latency from
// before. An upstream without available others gets no slow start: nobody could take the
// rest of the load.
func (u *Upstream) returned() {
	u.latency.reset()
	if w := u.pool.opts.Load().SlowStart; w > 0 && u.pool.othersAvailable(u) {
		u.ramp.begin(time.Now())
	}
}

// remove takes the upstream out for good. Its link closes after the last lease.
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

// Hash returns the 64-bit FNV-1a hash of s. Unlike hash/maphash, it is the same in every
// process and on every machine. Unlike hash/fnv, it allocates nothing.
func Hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
