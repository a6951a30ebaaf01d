package health

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// Options configure a [Checker].
type Options struct {
	Prober       Prober              // required
	Interval     time.Duration       // from the start of one probe to the next; 0 = 2 s
	FastInterval time.Duration       // the same while the upstream is down, unknown, or about to change; 0 = 250 ms, at most Interval
	Timeout      time.Duration       // for one probe; 0 = 1 s
	Jitter       float64             // share by which each interval varies at random, up and down; 0 = 0.1, negative = none, at most 0.5
	Thresholds   balancer.Thresholds // probes in a row that change the verdict
	MaxParallel  int                 // probes at the same time; 0 = 256
	Kept         *Kept               // bounds the connections that probes leave to the next; nil = each has its own

	// Elsewhere reports whether other processes probe the upstream too and are heard by
	// [Checker.Heard], so that few probes are made here. It must be quick, and is called
	// with a lock held. nil = nobody does.
	Elsewhere func(*balancer.Upstream) bool

	// Met is told what every probe met, as Report is, but before its result is counted, so
	// that who hears of a changed verdict can know why. The event has no Verdict yet. nil =
	// nobody is told.
	Met func(Event)
	// Report is told of every probe, on the goroutine that made it and without a
	// lock held. The upstream's next probe waits for it. nil = nobody is told.
	Report func(Event)
}

// Event is the result of one probe.
type Event struct {
	Upstream *balancer.Upstream
	Result   balancer.Probe  // means nothing when Err is [ErrNotProbed]
	Err      error           // nil when the probe passed
	Took     time.Duration   // from the start of the probe to its result
	Verdict  balancer.Health // after this probe
	Flipped  bool            // this probe changed the verdict
}

// Checker probes a set of upstreams, each on its own schedule:
//
//   - The first probe of an upstream starts at once, all of a set in parallel,
//     at most MaxParallel at a time. That bound alone paces a large set: probes
//     that are answered leave their place in a millisecond or so.
//   - Then one follows every Interval, varied by Jitter. The first of these
//     waits is a random part of Interval, so that the probes of a set spread
//     evenly.
//   - While the verdict is Checking or Draining, or the last result disagrees with it, one
//     follows every FastInterval.
//   - When the verdict is Down, one follows every 100 ms (or FastInterval, if
//     that is less) for 10 s, then every FastInterval, and after a minute every
//     Interval. With more than 1,000 upstreams the short intervals grow, up to
//     Interval, so that they never make more than 10,000 probes a second.
//   - When live traffic cannot reach the upstream, or is told that it is about
//     to end ([balancer.Upstream.Nudged]), one follows at once, but not within 50 ms (or half of FastInterval) of the
//     start of the one before.
//   - An upstream that the operator has switched off is not probed; that it is
//     on again is noticed within FastInterval.
//
// A slow probe does not stretch its interval, but at least half an interval
// passes between the end of one probe and the start of the next.
//
// A connection for each probe finds out whether the upstream still accepts, and
// costs several times what the probe does. So the probes of a pool of more than
// a hundred upstreams may share connections, which see [line].
type Checker struct {
	opts      Options
	timedOut  error         // what ends a probe that takes too long
	elsewhere bool          // probes go to another port: they tell nothing of the process that has the traffic
	poke      chan struct{} // the queue has changed; wakes Run

	mu      sync.Mutex      // protects the fields below and those of entry that say so
	running context.Context // Run's; nil before and after
	entries map[*balancer.Upstream]*entry
	pools   map[*balancer.Pool][]*balancer.Upstream // that are followed
	queue   queue
	busy    int       // workers
	wakeAt  time.Time // when Run looks at the queue without being poked

	workers sync.WaitGroup
}

// NewChecker returns a checker that does nothing until [Checker.Run]. It panics
// when Options.Prober is nil.
func NewChecker(o Options) *Checker {
	if o.Prober == nil {
		panic("health: Options.Prober is nil")
	}
	o.Interval = cmp.Or(max(o.Interval, 0), 2*time.Second)
	o.FastInterval = min(cmp.Or(max(o.FastInterval, 0), 250*time.Millisecond), o.Interval)
	o.Timeout = cmp.Or(max(o.Timeout, 0), time.Second)
	o.MaxParallel = cmp.Or(max(o.MaxParallel, 0), 256)
	o.Jitter = min(max(cmp.Or(o.Jitter, 0.1), 0), 0.5)
	return &Checker{
		opts:      o,
		timedOut:  late(o.Timeout),
		elsewhere: goesElsewhere(o.Prober),
		poke:      make(chan struct{}, 1),
		entries:   map[*balancer.Upstream]*entry{},
	}
}

// Run probes the watched upstreams until ctx ends, and returns when no probe is
// running any more. It is called once.
func (c *Checker) Run(ctx context.Context) {
	c.mu.Lock()
	c.running = ctx
	for u := range c.entries {
		c.start(u)
	}
	c.mu.Unlock()
	c.dispatch(ctx)
	c.workers.Wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = nil
	for _, e := range c.entries {
		c.end(e)
	}
}

// Watch sets the upstreams to probe: it starts what is new and stops what is
// gone. When it returns, no further probe of what is gone will start, and one
// that is running ends without a result. It may be called at any time. An
// upstream is watched by one checker at a time.
func (c *Checker) Watch(members []*balancer.Upstream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch(members)
}

// watch is [Checker.Watch], called with mu held.
func (c *Checker) watch(members []*balancer.Upstream) {
	keep := make(map[*balancer.Upstream]bool, len(members))
	for _, u := range members {
		keep[u] = true
	}
	for u, e := range c.entries {
		if !keep[u] {
			c.end(e)
			delete(c.entries, u)
		}
	}
	for u := range keep {
		if c.entries[u] == nil {
			c.start(u)
		}
	}
}

// Follow probes the upstreams of a pool, also those that a later [balancer.Pool.Update]
// brings, until stop is called; upstreams that join wait for the first verdict. It may be
// called for several pools, at any time, and takes the place of [Checker.Watch].
func (c *Checker) Follow(p *balancer.Pool) (stop func()) {
	end := p.Follow(func(upstreams []*balancer.Upstream) { c.follow(p, upstreams) })
	return func() {
		end()
		c.follow(p, nil)
	}
}

// follow takes the upstreams of a pool for those that are watched.
func (c *Checker) follow(p *balancer.Pool, upstreams []*balancer.Upstream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pools == nil {
		c.pools = map[*balancer.Pool][]*balancer.Upstream{}
	}
	c.pools[p] = upstreams
	if len(upstreams) == 0 {
		delete(c.pools, p)
	}
	var all []*balancer.Upstream
	for _, list := range c.pools {
		all = append(all, list...)
	}
	c.watch(all)
}

// start begins to probe u if the checker runs. Called with mu held.
func (c *Checker) start(u *balancer.Upstream) {
	e := &entry{upstream: u, place: nowhere}
	e.schedule = schedule{interval: c.opts.Interval, fast: c.opts.FastInterval, jitter: c.opts.Jitter}
	c.entries[u] = e
	if c.running == nil || c.running.Err() != nil {
		return
	}
	c.put(e, time.Now())
	u.OnNudge(func() { c.nudged(e) })
}

// end stops the probes of an entry. Called with mu held.
func (c *Checker) end(e *entry) {
	if e.gone {
		return
	}
	e.gone = true
	e.upstream.OnNudge(nil)
	switch {
	case e.place != nowhere:
		c.queue.remove(e)
		e.close()
	case e.cancel != nil: // the worker closes the rest
		e.cancel()
	default:
		e.close()
	}
}

// late is that a probe got no answer within a time. It is a [context.DeadlineExceeded].
type late time.Duration

func (l late) Error() string { return "no answer within " + time.Duration(l).String() + " (timeout)" }

func (l late) Unwrap() error { return context.DeadlineExceeded }
