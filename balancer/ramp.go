package balancer

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// rampFloor is the smallest share of its weight that a returning upstream gets.
const rampFloor = 0.1

// ramp is the slow start of a returning upstream: during a window its share of the picks
// grows linearly from rampFloor to all. It declines picks, so it works with every policy.
type ramp struct {
	since atomic.Int64 // Unix nanoseconds; 0 = no slow start
}

func (r *ramp) begin(now time.Time) { r.since.Store(now.UnixNano()) }

// accepts reports whether a policy should take the upstream that it has drawn.
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
