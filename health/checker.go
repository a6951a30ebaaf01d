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
	FastInterval time.Duration       // the same while the upstream is down, unknown, or near a change of verdict; 0 = 250 ms, at most Interval
	Timeout      time.Duration       // for one probe; 0 = 1 s
	Jitter       float64             // share by which each interval varies at random, up and down; 0 = 0.1, negative = none, at most 0.5
	Thresholds   balancer.Thresholds // probes in a row that change the verdict
	MaxParallel  int                 // largest number of probes at the same time; 0 = 256
	Kept         *Kept               // bounds the connections that probes keep for the next probe; nil = none is kept

	// Elsewhere reports whether other processes also probe the upstream and report to
	// [Checker.Heard], so that this process makes few probes. It must be fast. It runs
	// with a lock held. nil = no other process does.
	Elsewhere func(*balancer.Upstream) bool

	// Needed reports whether somebody else uses the results of the upstream's probes. Then
	// the probes continue while the upstream is switched off or terminating. It must be
	// fast. It runs with a lock held. nil = never.
	Needed func(*balancer.Upstream) bool

	// Met gets every probe, as Report does, but before its result changes the verdict. So
	// the caller knows the cause before [balancer.Options].Notify reports the change. The
	// event has no Verdict yet. nil = no call.
	Met func(Event)
	// Report gets every probe, on the goroutine that made it and without a lock held. The
	// upstream's next probe waits for it. nil = no call.
	Report func(Event)
}

// Event is the result of one probe.
type Event struct {
	Upstream *balancer.Upstream
	Result   balancer.Probe  // meaningless if Err is ErrNotProbed
	Err      error           // nil if the probe passed
	Took     time.Duration   // from the start of the probe to its result
	Verdict  balancer.Health // after this probe
	Flipped  bool            // this probe changed the verdict
}

// Checker probes a set of upstreams. Each has its own schedule:
//
//   - The first probes of a set start at once, up to MaxParallel in parallel.
//   - Then it probes every Interval, varied by Jitter. The first wait is a random part of
//     Interval, so that the probes of a set spread evenly.
//   - While the verdict is Checking or Draining, or the last result disagrees with it, it
//     probes every FastInterval.
//   - While the verdict is Down, it probes every 100 ms (or FastInterval if that is less)
//     for 10 s, then every FastInterval, and after a minute every Interval. With more
//     than 1,000 upstreams the short intervals grow, up to Interval, so that they never
//     make more than 10,000 probes a second.
//   - After a nudge ([balancer.Upstream.Nudged]), for example if live traffic cannot
//     reach the upstream, it probes at once, but at least 50 ms (or half of FastInterval if
//     that is less) after the start of the previous probe.
//   - It does not probe an upstream that is terminating or that an operator has switched
//     off, unless Options.Needed is true. Afterwards it resumes within FastInterval.
//
// A slow probe does not stretch its interval. But at least half an interval passes
// between the end of a probe and the start of the next.
//
// A new connection for each probe checks whether the upstream still accepts, but costs
// several times the probe itself. So HTTP/1.1 probes may share connections ([Kept]) if
// the checker has more than 100 upstreams for each second of Interval, and if
// Thresholds.Fall is at least 2.
type Checker struct {
	opts      Options
	timedOut  error         // the error of a probe that takes too long
	elsewhere bool          // probes go to another port: they prove nothing about the process that serves the traffic
	poke      chan struct{} // the queue has changed; wakes Run

	mu      sync.Mutex      // protects the fields below, and the fields of entry marked so
	running context.Context // Run's; nil before and after
	entries map[*balancer.Upstream]*entry
	pools   map[*balancer.Pool][]*balancer.Upstream // pools that the checker follows
	queue   queue
	busy    int       // number of workers
	wakeAt  time.Time // next time that Run looks at the queue unless poked

	workers sync.WaitGroup
}

// NewChecker returns a checker. It does nothing until [Checker.Run]. NewChecker panics if
// Options.Prober is nil.
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

// Run probes the watched upstreams until ctx ends. It returns when no probe runs any
// more. Call it once.
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

// Watch sets the upstreams to probe. It starts to probe new ones and stops for missing
// ones. After it returns, no probe of a missing upstream starts, and one in progress ends
// without a result. It may be called at any time. Only one checker may watch an upstream
// at a time.
func (c *Checker) Watch(members []*balancer.Upstream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch(members)
}

// watch is Watch. mu must be held.
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

// Follow probes the upstreams of a pool, with those that a later [balancer.Pool.Update]
// adds, until stop is called. Upstreams that join wait for their first verdict. Follow
// may be called for several pools, at any time. Use it instead of [Checker.Watch], not
// beside it.
func (c *Checker) Follow(p *balancer.Pool) (stop func()) {
	end := p.Follow(func(upstreams []*balancer.Upstream) { c.follow(p, upstreams) })
	return func() {
		end()
		c.follow(p, nil)
	}
}

// follow replaces the upstreams of one pool in the watched set.
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

// start starts to probe u if the checker runs. mu must be held.
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

// end stops the probes of an entry. mu must be held.
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
	case e.cancel != nil: // the worker closes the connections
		e.cancel()
	default:
		e.close()
	}
}

// late is the error of a probe without an answer within the duration. It is a
// [context.DeadlineExceeded].
type late time.Duration

func (l late) Error() string { return "no answer within " + time.Duration(l).String() + " (timeout)" }

func (l late) Unwrap() error { return context.DeadlineExceeded }
