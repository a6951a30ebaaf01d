package health

import (
	"context"
	"errors"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// tick is the resolution of the times of probes. With thousands of probes a second, one
// wake-up per probe would cost as much as some of the probes.
const tick = time.Millisecond

// dispatch starts workers for due probes until ctx ends.
func (c *Checker) dispatch(ctx context.Context) {
	timer := time.NewTimer(c.launch(ctx))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.poke:
		case <-ctx.Done():
			return
		}
		timer.Reset(c.launch(ctx))
	}
}

// launch starts as many workers as the bound permits, and returns the time until it has
// more to do.
func (c *Checker) launch(ctx context.Context) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for c.busy < c.opts.MaxParallel {
		j, ok := c.take(ctx, now)
		if !ok {
			break
		}
		c.busy++
		c.workers.Go(func() { c.work(ctx, j) })
	}
	c.wakeAt = now.Add(time.Hour)
	if len(c.queue) > 0 && c.busy < c.opts.MaxParallel { // otherwise a worker takes the next due probe
		c.wakeAt = c.queue[0].due
		if least := now.Add(tick); c.wakeAt.Before(least) {
			c.wakeAt = least
		}
	}
	return c.wakeAt.Sub(now)
}

// job is a due probe with its context.
type job struct {
	*entry
	ctx context.Context
}

// take returns the next due probe. mu must be held.
func (c *Checker) take(ctx context.Context, now time.Time) (job, bool) {
	for len(c.queue) > 0 && ctx.Err() == nil {
		e := c.queue[0]
		if e.due.After(now) {
			break
		}
		c.queue.remove(e)
		if e.upstream.Removed() {
			e.close()
			continue
		}
		if c.pauses(e.upstream) {
			e.close()
			e.due, e.soon = now.Add(e.schedule.fast), now.Add(e.schedule.fast)
			c.queue.add(e)
			continue
		}
		limited, cancel := context.WithTimeoutCause(ctx, c.opts.Timeout, c.timedOut)
		e.cancel = cancel
		return job{e, limited}, true
	}
	return job{}, false
}

// pauses reports whether an upstream is not probed for now. mu must be held.
func (c *Checker) pauses(u *balancer.Upstream) bool {
	return (u.Operator() == balancer.Off || u.Lifecycle() == balancer.Terminating) && (c.opts.Needed == nil || !c.opts.Needed(u))
}

// put queues an entry for a time. mu must be held.
func (c *Checker) put(e *entry, due time.Time) {
	e.due = due
	if len(e.upstream.Nudged()) > 0 && e.soon.Before(due) {
		e.due = e.soon
	}
	c.queue.add(e)
	c.hurry(e.due)
}

// nudged handles a nudge: live traffic asks for a probe.
func (c *Checker) nudged(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.place == nowhere || !e.soon.Before(e.due) {
		return
	}
	e.due = e.soon
	c.queue.fix(e)
	c.hurry(e.due)
}

// hurry wakes Run if it would wake after due. mu must be held.
func (c *Checker) hurry(due time.Time) {
	if c.busy == c.opts.MaxParallel || !due.Before(c.wakeAt.Add(-tick)) {
		return
	}
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// work makes a probe, and further ones while any are due.
func (c *Checker) work(ctx context.Context, j job) {
	for ok := true; ok; {
		began := time.Now()
		event, counts := c.probe(ctx, j, began)
		if counts && c.opts.Report != nil {
			c.opts.Report(event)
		}
		j, ok = c.next(ctx, j.entry, event, began)
	}
}

// probe makes one probe and passes its result to the upstream. It returns false if the
// upstream was dropped meanwhile: then the result does not count.
func (c *Checker) probe(ctx context.Context, j job, began time.Time) (Event, bool) {
	defer j.cancel()
	u := j.upstream
	select {
	case <-u.Nudged(): // this probe answers the nudge
		j.close()
	default:
	}
	elsewhere := c.elsewhere
	if !elsewhere {
		u.ProbeBegins(began)
	}
	err := c.ask(j, began)
	e := Event{Upstream: u, Result: Result(err), Err: err, Took: time.Since(began)}
	if !elsewhere {
		u.ProbeEnds(ctx.Err() == nil && !errors.Is(err, ErrNotProbed) && e.Result == balancer.Silent)
	}
	if ctx.Err() != nil || c.dropped(j.entry) {
		return e, false
	}
	// A pass that began before live traffic failed is out of date: it would bring back an
	// upstream that has just stopped.
	outdated := err == nil && len(u.Nudged()) > 0
	if c.opts.Met != nil {
		c.opts.Met(e)
	}
	if !outdated && !errors.Is(err, ErrNotProbed) {
		e.Flipped = u.ObserveProbe(e.Result, c.opts.Thresholds)
	}
	e.Verdict = u.Health()
	if err != nil || e.Verdict != balancer.Up {
		j.line.close()
	}
	return e, true
}

func (c *Checker) dropped(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.gone
}

// next queues an entry again after its probe, and returns another due probe. Without one
// it returns false, and the worker ends.
func (c *Checker) next(ctx context.Context, e *entry, last Event, began time.Time) (job, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if e.gone || ctx.Err() != nil {
		e.close()
	} else {
		e.settled = (last.Err == nil) == (last.Verdict == balancer.Up) && !errors.Is(last.Err, ErrNotProbed)
		d := e.schedule.next(now, last.Verdict, e.settled, len(c.entries))
		d = c.wait(e, d, last.Verdict == balancer.Up, now)
		wait := max(began.Add(d).Sub(now), d/2)
		e.soon = began.Add(min(e.schedule.gap(), wait))
		c.put(e, now.Add(wait))
	}
	j, ok := c.take(ctx, now)
	if !ok {
		c.busy--
		if len(c.queue) > 0 {
			c.hurry(c.queue[0].due)
		}
	}
	return j, ok
}
