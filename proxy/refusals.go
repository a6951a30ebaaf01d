package proxy

import (
	"sync/atomic"
	"time"
)

// refusals knows for how long an upstream has answered nothing and refused
// streams instead. One that refuses now and then ends a connection that has
// served its time, or has met its limit of streams; that is not held against it,
// since it costs nothing to ask again. One that does nothing else is of no use.
type refusals struct {
	since atomic.Int64 // Unix nanoseconds
	last  atomic.Int64 // 0 = it has answered since
}

const (
	refusingFor = time.Second      // from the first of them on
	refusalGap  = 10 * time.Second // after so long without one they begin anew
)

// add notes a stream that was refused, and reports whether that has been all for
// too long.
func (r *refusals) add(now time.Time) bool {
	n := now.UnixNano()
	if last := r.last.Swap(n); n-last > int64(refusalGap) {
		r.since.Store(n)
	}
	return n-r.since.Load() >= int64(refusingFor)
}

// answered notes that the upstream does take streams.
func (r *refusals) answered() {
	if r.last.Load() != 0 {
		r.last.Store(0)
	}
}
