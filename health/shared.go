package health

import (
	"math/rand/v2"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// Other processes may probe the same upstreams and report their results: see
// [Options.Elsewhere] and [Checker.Heard]. Then this process makes few probes of its own,
// but only its own results change a verdict. A report of another process only changes the
// time of the next probe:
//
//   - A pass replaces a probe of an upstream that is up, not on trial, and passed its
//     last probe.
//   - A pass for an upstream that is not up, or a failure of one that is, causes a probe
//     at once.
//   - An upstream that is not up is probed every Interval, not more often.
//   - Without a report on an upstream for twice the Interval, it is probed as usual.

// fresh is the number of intervals for which a report counts.
const fresh = 2

// relies reports whether other processes probe an upstream and have reported on it
// lately. mu must be held.
func (c *Checker) relies(e *entry, now time.Time) bool {
	return c.opts.Elsewhere != nil && now.Sub(e.heard) < fresh*c.opts.Interval && c.opts.Elsewhere(e.upstream)
}

// patience returns how long a report replaces probes: until shortly before it expires.
// Reports come every Interval.
func (c *Checker) patience() time.Duration {
	return c.opts.Interval*3/2 + rand.N(c.opts.Interval/2+1)
}

// Heard handles another process's report on a probe of an upstream. It is safe for
// concurrent use.
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
	case e.place == nowhere: // a probe is in progress
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

// wait returns the time from the start of one probe to the next. d is the time by the
// schedule. mu must be held.
func (c *Checker) wait(e *entry, d time.Duration, up bool, now time.Time) time.Duration {
	switch {
	case !e.settled || up && e.upstream.OnTrial() || !c.relies(e, now):
		return d
	case up:
		return max(d, c.patience())
	}
	return max(d, c.opts.Interval)
}
