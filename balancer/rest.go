package balancer

import (
	"sync"
	"time"
)

// MaxRest is the upper limit of [Upstream.Rest].
const MaxRest = 10 * time.Minute

// rest is the timer of an upstream's rest.
type rest struct {
	mu      sync.Mutex // protects the fields below
	timer   *time.Timer
	stopped bool
}

// Rest stops new requests to the upstream, because it has said that it is about to end.
// Requests in flight finish. The upstream returns after d, at most [MaxRest], or once
// probes have failed and then passed again. A later Rest replaces an earlier one. The
// last available member of a pool cannot rest: no other could take its requests. Rest
// reports whether the upstream rests.
func (u *Upstream) Rest(d time.Duration) bool {
	if d <= 0 {
		return false
	}
	ok := u.pool.change(u, func() bool {
		left := u.pool.left()
		if u.counted {
			left--
		}
		if left > 0 {
			u.resting.Store(true)
			u.restsTillPass.Store(false)
		}
		return left > 0
	})
	if ok {
		u.rest.until(min(d, MaxRest), func() {
			u.resting.Store(false)
			u.restsTillPass.Store(false)
			u.pool.verdictChanged(u)
		})
	}
	return ok
}

// Resting reports whether the upstream rests at its own request.
func (u *Upstream) Resting() bool { return u.resting.Load() }

func (r *rest) until(d time.Duration, end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	r.timer = time.AfterFunc(d, end)
}

func (r *rest) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	if r.timer != nil {
		r.timer.Stop()
	}
}
