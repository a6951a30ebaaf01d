package balancer

import (
	"sync/atomic"
	"time"
)

// trialPatience is the time for which an upstream on trial waits for a Replayable
// request. After that it may get any request: in a pool without Replayable requests it
// would otherwise never get one.
const trialPatience = 10 * time.Second

// An upstream must prove itself after it has joined a pool that was serving, or was out.
// While other upstreams can take the rest, it gets only Replayable requests, whose failure
// another attempt can hide. There are two kinds of trial, and an upstream can be on both:
//
//   - After a join, after the upstream was down, and after [Pool.Doubt]: type trial. It
//     ends with the first request that the upstream answers, or with Thresholds.Rise
//     passed probes in a row.
//   - After an ejection: the time in which the breaker is half-open. Only requests end
//     it, because the probes may have passed while the requests failed.
//
// The patience of both starts when the upstream may be used.
//
// Availability takes precedence: if no other upstream is usable, a request that is not
// Replayable goes to an upstream on trial at once.

// trial is the trial of an upstream that has joined, was down, or is doubted.
type trial struct {
	since  atomic.Int64 // Unix nanoseconds; 0 = not on trial
	passed int          // passed probes in a row; protected by Upstream.probeMu
}

// begin puts the upstream on trial. It does not restart a trial.
func (t *trial) begin(now time.Time) { t.since.CompareAndSwap(0, now.UnixNano()) }

// doubt puts the upstream on trial, and restarts the count of passed probes: those from
// before the doubt prove nothing. It does not restart a trial. probeMu must be held.
func (t *trial) doubt(now time.Time) {
	t.passed = 0
	t.begin(now)
}

func (t *trial) end() { t.since.Store(0) }

// probed takes the result of a probe. probeMu must be held.
func (t *trial) probed(pass bool, o Thresholds) {
	if !pass {
		t.passed = 0
		return
	}
	if t.passed++; t.passed >= o.Rise {
		t.end()
	}
}

// lost starts a trial for the return of an upstream that went down, and restarts the
// count of passed probes. probeMu must be held.
func (t *trial) lost(now time.Time) {
	t.passed = 0
	t.since.Store(now.UnixNano())
}

// answered notes the success of a request that was sent at the given time. A request sent
// before the trial began proves nothing.
func (t *trial) answered(sent int64) {
	if since := t.since.Load(); since != 0 && sent >= since {
		t.since.CompareAndSwap(since, 0)
	}
}

// usable starts the patience of the upstream's trials again, because its probes begin to
// pass. probeMu must be held.
func (u *Upstream) usable(now time.Time) {
	if since := u.trial.since.Load(); since != 0 {
		u.trial.since.CompareAndSwap(since, now.UnixNano())
	}
	u.breaker.trialSince.Store(now.UnixNano())
}

// OnTrial reports whether the upstream must still prove itself: it gets only requests
// whose failure another attempt can hide, while other upstreams can take the rest. It is
// safe for concurrent use.
func (u *Upstream) OnTrial() bool {
	return u.trial.since.Load() != 0 || u.breaker.current() == HalfOpen
}

// proven reports whether the upstream may get a request that is not Replayable.
func (u *Upstream) proven() bool {
	return u.trial.since.Load() == 0 && u.breaker.stage() == stageClosed || u.waitedEnough()
}

// waitedEnough reports whether the patience of all its trials is over.
func (u *Upstream) waitedEnough() bool {
	latest := u.trial.since.Load()
	if u.breaker.stage() != stageClosed {
		latest = max(latest, u.breaker.trialSince.Load())
	}
	return time.Now().UnixNano()-latest > int64(trialPatience)
}
