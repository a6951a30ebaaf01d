package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
//   - When live traffic cannot reach the upstream ([balancer.Upstream.Nudged]),
//     one follows at once, but not within 50 ms (or half of FastInterval) of the
//     start of the one before.
//   - An upstream that the operator has switched off is not probed; that it is
//     on again is noticed within FastInterval.
//
// A slow probe does not stretch its interval, but at least half an interval
// passes between the end of one probe and the start of the next.
type Checker struct {
	opts    Options
	slots   chan struct{}
	watched atomic.Int64

	mu      sync.Mutex                                // protects the fields below
	running context.Context                           // Run's; nil before and after
	members map[*balancer.Upstream]context.CancelFunc // nil until the checker runs
	probes  sync.WaitGroup
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
		opts:    o,
		slots:   make(chan struct{}, o.MaxParallel),
		members: map[*balancer.Upstream]context.CancelFunc{},
	}
}

// Run probes the watched upstreams until ctx ends, and returns when no probe is
// running any more. It is called once.
func (c *Checker) Run(ctx context.Context) {
	c.mu.Lock()
	c.running = ctx
	for u := range c.members {
		c.start(u)
	}
	c.mu.Unlock()

	<-ctx.Done()
	// Under the lock, so that a Watch that saw the checker running has started
	// all it was going to start before the wait begins.
	c.mu.Lock()
	c.running = nil
	c.mu.Unlock()
	c.probes.Wait()
}

// Watch sets the upstreams to probe: it starts what is new and stops what is
// gone. When it returns, no further probe of what is gone will start, and one
// that is running ends without a result. It may be called at any time.
func (c *Checker) Watch(members []*balancer.Upstream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keep := make(map[*balancer.Upstream]bool, len(members))
	for _, u := range members {
		keep[u] = true
	}
	for u, stop := range c.members {
		if keep[u] {
			continue
		}
		if stop != nil {
			stop()
		}
		delete(c.members, u)
	}
	c.watched.Store(int64(len(keep)))
	for u := range keep {
		if _, ok := c.members[u]; !ok {
			c.start(u)
		}
	}
}

// start begins to probe u if the checker runs. Called with mu held.
func (c *Checker) start(u *balancer.Upstream) {
	c.members[u] = nil
	if c.running == nil || c.running.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(c.running)
	c.members[u] = stop
	c.probes.Go(func() {
		defer stop()
		c.watch(ctx, u)
	})
}

// watch probes one upstream until ctx ends or the upstream has left its pool.
func (c *Checker) watch(ctx context.Context, u *balancer.Upstream) {
	s := &schedule{interval: c.opts.Interval, fast: c.opts.FastInterval, jitter: c.opts.Jitter}
	for !u.Removed() {
		if u.Operator() == balancer.Off {
			if !pause(ctx, s.fast) {
				return
			}
			continue
		}
		if !c.acquire(ctx) {
			return
		}
		select {
		case <-u.Nudged(): // this probe is the answer to it
		default:
		}
		began := time.Now()
		event, ok := c.probe(ctx, u, began)
		<-c.slots
		if !ok {
			return
		}
		if c.opts.Report != nil {
			c.opts.Report(event)
		}
		settled := (event.Err == nil) == (event.Verdict == balancer.Up) && !errors.Is(event.Err, ErrNotProbed)
		now := time.Now()
		d := s.next(now, event.Verdict, settled, int(c.watched.Load()))
		wait := max(began.Add(d).Sub(now), d/2)
		if !c.sleep(ctx, u, wait, began.Add(s.gap()).Sub(now)) {
			return
		}
	}
}

// acquire takes one of the places for parallel probes.
func (c *Checker) acquire(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case c.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// probe makes one probe and feeds its result to the upstream. It returns false
// when the upstream was dropped meanwhile: then the result counts for nothing.
func (c *Checker) probe(ctx context.Context, u *balancer.Upstream, began time.Time) (Event, bool) {
	limited, cancel := context.WithTimeoutCause(ctx, c.opts.Timeout,
		fmt.Errorf("no answer within %v (timeout): %w", c.opts.Timeout, context.DeadlineExceeded))
	defer cancel()
	err := c.opts.Prober.Probe(limited, u)
	e := Event{Upstream: u, Result: Result(err), Err: err, Took: time.Since(began)}
	if ctx.Err() != nil {
		return e, false
	}
	// A pass that began before live traffic was turned away is out of date: it
	// would bring back an upstream that has just stopped.
	outdated := err == nil && len(u.Nudged()) > 0
	if !outdated && !errors.Is(err, ErrNotProbed) {
		e.Flipped = u.ObserveProbe(e.Result, c.opts.Thresholds)
	}
	e.Verdict = u.Health()
	return e, true
}

// sleep waits, or only until earliest if live traffic asks for a probe. It
// returns false when ctx has ended.
func (c *Checker) sleep(ctx context.Context, u *balancer.Upstream, wait, earliest time.Duration) bool {
	began := time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	case <-u.Nudged():
		waited := time.Since(began)
		return pause(ctx, min(wait, earliest)-waited)
	}
}

// pause waits and returns false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
