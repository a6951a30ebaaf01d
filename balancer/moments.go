package balancer

import (
	"sync"
	"sync/atomic"
	"time"
)

// flipsKept is how many changes of an upstream's availability are remembered.
const flipsKept = 8

// moments is when an upstream's state changed, for those who look at it. Nothing is
// decided by it.
type moments struct {
	ordered atomic.Int64 // Unix nanoseconds of the operator's last change; 0 = there was none
	staged  atomic.Int64 // Unix nanoseconds of the last change of its lifecycle; 0 = there was none
	refused atomic.Bool  // it is down because a live connection was refused, and no probe has come since

	mu    sync.Mutex           // protects the fields below
	since time.Time            // of the last change of its availability, or when it joined
	flips [flipsKept]time.Time // of the last changes
	n     int                  // changes in all
}

func (m *moments) join(now time.Time) { m.since = now }

func (m *moments) flip(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.since = now
	m.flips[m.n%flipsKept] = now
	m.n++
}

// Since returns when the upstream's availability last changed; of one for which it
// never has, when it joined its pool. It is safe for concurrent use.
func (u *Upstream) Since() time.Time {
	m := &u.moments
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.since
}

// Flips returns how often the upstream's availability has changed since t, at most 8.
// It is safe for concurrent use.
func (u *Upstream) Flips(t time.Time) (n int) {
	m := &u.moments
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range m.flips {
		if at.After(t) {
			n++
		}
	}
	return n
}

// OperatorSince returns when the operator's word on the upstream last changed; zero
// when it never has. It is safe for concurrent use.
func (u *Upstream) OperatorSince() time.Time {
	at := u.moments.ordered.Load()
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}

// RefusedLive reports whether the upstream is down because a live request's connection
// was refused, which no probe has looked at since. It is safe for concurrent use.
func (u *Upstream) RefusedLive() bool { return u.moments.refused.Load() }

// Warming reports whether the upstream came back, or joined, a moment ago and does not
// get its full share yet: it is on trial, or in its slow start. It is safe for
// concurrent use.
func (u *Upstream) Warming() bool {
	if !u.Available() {
		return false
	}
	began := u.ramp.since.Load()
	return !u.proven() || began != 0 && time.Now().UnixNano()-began < int64(u.pool.opts.Load().SlowStart)
}
