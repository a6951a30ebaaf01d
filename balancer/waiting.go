package balancer

import (
	"sync/atomic"
	"time"
)

// waiting measures how long requests have waited for a response header while none came.
// The moving average notices a hanging upstream only at the first timeout; this notices
// it during the wait.
type waiting struct {
	n     atomic.Int64 // requests that wait
	since atomic.Int64 // Unix nanoseconds: when the first began to wait, or the last answer
}

func (w *waiting) begin() {
	if w.n.Add(1) == 1 {
		w.since.Store(time.Now().UnixNano())
	}
}

func (w *waiting) end(now int64) {
	if w.n.Add(-1) > 0 {
		w.since.Store(now)
	}
}

// age returns for how long, in nanoseconds, no answer has come; 0 if no request waits.
func (w *waiting) age(now int64) int64 {
	if w.n.Load() == 0 {
		return 0
	}
	return max(now-w.since.Load(), 0)
}

// Unanswered returns how many requests wait for the upstream's answer, and for how long
// no answer has come. Requests that still send their bodies do not count. It is safe for
// concurrent use.
func (u *Upstream) Unanswered() (n int, since time.Duration) {
	n = int(u.waiting.n.Load() - u.sending.Load())
	if n <= 0 {
		return 0, 0
	}
	return n, time.Duration(u.waiting.age(time.Now().UnixNano()))
}
