package balancer

import (
	"sync"
	"sync/atomic"
	"time"
)

// flipsKept is the number of changes of an upstream's availability that are kept.
const flipsKept = 8

// moments are the times of an upstream's changes, for people who inspect it. No decision
// depends on them.
type moments struct {
	ordered atomic.Int64 // Unix nanoseconds of the operator's last change; 0 = none
	staged  atomic.Int64 // Unix nanoseconds of the last change of its lifecycle; 0 = none
	refused atomic.Bool  // down because a live connection was refused, and not probed since

	mu    sync.Mutex           // protects the fields below
	since time.Time            // last change of its availability, or its join
	flips [flipsKept]time.Time // times of the last changes
	n     int                  // number of all changes
}

func (m *moments) join(now time.Time) { m.since = now }

func (m *moments) flip(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.since = now
	m.flips[m.n%flipsKept] = now
	m.n++
}

// Since returns when the upstream's availability last changed. If it has never changed,
// Since returns when the upstream joined its pool. It is safe for concurrent use.
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

// OperatorSince returns when the operator's setting of the upstream last changed; zero if
// it never has. It is safe for concurrent use.
func (u *Upstream) OperatorSince() time.Time {
	at := u.moments.ordered.Load()
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}

// RefusedLive reports whether the upstream is down because it refused a live request's
// connection, and no probe has ended since. It is safe for concurrent use.
func (u *Upstream) RefusedLive() bool { return u.moments.refused.Load() }

// Warming reports whether the upstream joined or returned recently and does not get its
// full share yet: it is on trial or in its slow start. It is safe for concurrent use.
func (u *Upstream) Warming() bool {
	if !u.Available() {
		return false
	}
	began := u.ramp.since.Load()
	return !u.proven() || began != 0 && time.Now().UnixNano()-began < int64(u.pool.opts.Load().SlowStart)
}
