package proxy

import (
	"sync/atomic"
	"time"
)

// refusals measures how long an upstream has refused streams without answering one. A few
// refusals are normal: the upstream ends an old connection, or is at its limit of
// streams. They do not count against it, since trying again costs nothing. An upstream
// that refuses everything is of no use.
type refusals struct {
	since atomic.Int64 // Unix nanoseconds
	last  atomic.Int64 // Unix nanoseconds; 0 = it has answered since
}

const (
	refusingFor = time.Second      // from the first refusal on
	refusalGap  = 10 * time.Second // the time without a refusal after which a new series begins
)

// add records a refused stream. It reports whether the upstream has refused everything
// for refusingFor.
func (r *refusals) add(now time.Time) bool {
	n := now.UnixNano()
	if last := r.last.Swap(n); n-last > int64(refusalGap) {
		r.since.Store(n)
	}
	return n-r.since.Load() >= int64(refusingFor)
}

// answered records that the upstream has accepted a stream.
func (r *refusals) answered() {
	if r.last.Load() != 0 {
		r.last.Store(0)
	}
}
