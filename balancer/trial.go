package balancer

import (
	"sync/atomic"
	"time"
)

// trialPatience is the time for which an upstream on trial waits for a Replayable
// request. After that it may get any request: in a pool without Replayable requests it
// would otherwise never get one.
const trialPatience = 10 * time.Second

// trial is the time in which an upstream must prove itself: it has joined a pool that was
// serving, or was out. While other upstreams can take the rest, it gets only Replayable
// requests, whose failure another attempt can hide. The trial ends with the first request
// that it answers, or with Thresholds.Rise passed probes in a row.
//
// Availability takes precedence: if no other upstream is usable, a request that is not
// Replayable goes to an upstream on trial at once.
type trial struct {
	since  atomic.Int64 // Unix nanoseconds; 0 = not on trial
	passed int          // passed probes in a row; protected by Upstream.probeMu
}

// begin puts the upstream on trial. It does not restart a trial.
func (t *trial) begin(now time.Time) { t.since.CompareAndSwap(0, now.UnixNano()) }

func (t *trial) end() { t.since.Store(0) }

// over reports whether the upstream has waited long enough for its trial.
func (t *trial) over(since int64) bool {
	return time.Now().UnixNano()-since > int64(trialPatience)
}

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

// OnTrial reports whether the upstream must still prove itself: it gets only requests
// whose failure another attempt can hide. It is safe for concurrent use.
func (u *Upstream) OnTrial() bool { return u.trial.since.Load() != 0 }

// proven reports whether the upstream may get a request that is not Replayable.
func (u *Upstream) proven() bool {
	since := u.trial.since.Load()
	if since == 0 {
		return u.breaker.current() == Closed
	}
	return u.trial.over(since)
}
