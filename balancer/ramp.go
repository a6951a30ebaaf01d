package balancer

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// rampFloor is the least share of its weight that a returning upstream gets.
const rampFloor = 0.1

// ramp is the slow start of an upstream that came back: over a window its
// share of the picks grows in a line from rampFloor to all. It works by
// declining picks, so it is the same for every policy.
type ramp struct {
	since atomic.Int64 // Unix nanoseconds; 0 = not ramping
}

func (r *ramp) begin(now time.Time) { r.since.Store(now.UnixNano()) }

// accepts reports whether a pick that fell on the upstream is to be taken.
func (r *ramp) accepts(window time.Duration) bool {
	since := r.since.Load()
	return since == 0 || r.draw(since, window)
}

func (r *ramp) draw(since int64, window time.Duration) bool {
	elapsed := time.Duration(time.Now().UnixNano() - since)
	if elapsed >= window {
		r.since.CompareAndSwap(since, 0)
		return true
	}
	share := float64(elapsed) / float64(window)
	return rand.Float64() < max(rampFloor, share)
}
