package balancer

import (
	"sync/atomic"
	"time"
)

// trialPatience is how long an upstream on trial waits for a request that could
// be hidden if it failed. Beyond that any request may go there: in a pool that
// sees no such request it would never be used again.
const trialPatience = 10 * time.Second

// trial is the time in which an upstream has yet to prove itself: it is new in
// a pool that served before, or it was out. It gets only requests whose failure
// can be hidden, while another can take the others. It ends with the first
// request that it answers, or with as many passed probes in a row as bring back
// an upstream that was down.
//
// Availability comes before it: when nobody else is usable, a request that
// cannot be sent again goes to an upstream on trial rather than wait.
type trial struct {
	since  atomic.Int64 // Unix nanoseconds; 0 = not on trial
	passed int          // probes in a row; protected by Upstream.probeMu
}

// begin puts the upstream on trial; one that is on trial already stays so.
func (t *trial) begin(now time.Time) { t.since.CompareAndSwap(0, now.UnixNano()) }

func (t *trial) end() { t.since.Store(0) }

// over reports whether the upstream has waited long enough for its trial.
func (t *trial) over(since int64) bool {
	return time.Now().UnixNano()-since > int64(trialPatience)
}

// probed takes a probe's result. Called with probeMu held.
func (t *trial) probed(pass bool, o Thresholds) {
	if !pass {
		t.passed = 0
		return
	}
	if t.passed++; t.passed >= o.Rise {
		t.end()
	}
}

// lost restarts the count of passed probes of an upstream that went down, and
// puts it on trial for when it comes back. Called with probeMu held.
func (t *trial) lost(now time.Time) {
	t.passed = 0
	t.since.Store(now.UnixNano())
}

// answered takes note of a request that was sent at the given time and
// succeeded. One that was sent before the trial began proves nothing.
func (t *trial) answered(sent int64) {
	if since := t.since.Load(); since != 0 && sent >= since {
		t.since.CompareAndSwap(since, 0)
	}
}

// OnTrial reports whether the upstream has yet to prove itself: only requests whose failure
// can be hidden go there. It is safe for concurrent use.
func (u *Upstream) OnTrial() bool { return u.trial.since.Load() != 0 }

// proven reports whether the upstream may be given a request whose failure
// could not be hidden.
func (u *Upstream) proven() bool {
	since := u.trial.since.Load()
	if since == 0 {
		return u.breaker.current() == Closed
	}
	return u.trial.over(since)
}
