package health

import (
	"math/rand/v2"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// Other processes may check the same upstreams, and tell what they found: see
// [Options.Elsewhere] and [Checker.Heard]. This process then makes few probes of its own,
// but their results alone change a verdict. What others found only says when to probe:
//
//   - A pass stands for a probe of an upstream that is up, not on trial, and passed its last one.
//   - A pass makes an upstream that is not up be probed at once, and a failure one that is.
//   - An upstream that is not up is probed every Interval, and not more often.
//   - When nothing was heard of an upstream for twice the Interval, it is probed as if there
//     were nobody else.

// fresh is how many intervals what was heard counts.
const fresh = 2

// relies reports whether others look after an upstream, so that they are heard soon. Called
// with mu held.
func (c *Checker) relies(e *entry, now time.Time) bool {
	return c.opts.Elsewhere != nil && now.Sub(e.heard) < fresh*c.opts.Interval && c.opts.Elsewhere(e.upstream)
}

// patience is how long an upstream is not probed after others were heard of it: until before
// what was heard is no longer fresh. They are heard every Interval.
func (c *Checker) patience() time.Duration {
	return c.opts.Interval*3/2 + rand.N(c.opts.Interval/2+1)
}

// Heard tells that another process has probed an upstream. It may be called at any time.
func (c *Checker) Heard(u *balancer.Upstream, passed bool) {
	if c.opts.Elsewhere == nil || !c.opts.Elsewhere(u) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[u]
	if e == nil || e.gone {
		return
	}
	now, up := time.Now(), u.Health() == balancer.Up
	e.heard = now
	if up && !passed {
		e.heard = time.Time{}
	}
	switch {
	case e.place == nowhere: // a probe is under way
	case up && passed:
		if e.settled && !u.OnTrial() && len(u.Nudged()) == 0 {
			e.due = now.Add(c.patience())
			c.queue.fix(e)
		}
	case up || passed:
		if e.soon.Before(e.due) {
			e.due = e.soon
			c.queue.fix(e)
			c.hurry(e.due)
		}
	}
}

// wait returns how long to wait after the start of a probe, where the schedule says d.
// Called with mu held.
func (c *Checker) wait(e *entry, d time.Duration, up bool, now time.Time) time.Duration {
	switch {
	case !e.settled || up && e.upstream.OnTrial() || !c.relies(e, now):
		return d
	case up:
		return max(d, c.patience())
	}
	return max(d, c.opts.Interval)
}
