package deploy

import (
	"math"
	"slices"
	"time"
)

// times holds the durations of the latest requests. The zero value is ready.
type times struct {
	ring  [timesKept]time.Duration
	n     int // total number
	known quantiles
}

// quantiles are those of the latest durations; zero = unknown.
type quantiles struct{ median, p95 time.Duration }

const (
	timesKept  = 256
	timesEvery = 16 // requests between two computations of the quantiles
)

func (t *times) add(d time.Duration) {
	t.ring[t.n%timesKept] = d
	t.n++
	if t.n%timesEvery == 0 {
		t.known = t.quantiles()
	}
}

func (t *times) quantiles() quantiles {
	kept := slices.Clone(t.ring[:min(t.n, timesKept)])
	if len(kept) == 0 {
		return quantiles{}
	}
	slices.Sort(kept)
	at := func(share float64) time.Duration {
		return kept[min(int(math.Ceil(share*float64(len(kept))))-1, len(kept)-1)]
	}
	return quantiles{at(0.5), at(0.95)}
}

// slowBy is the least excess over the usual duration that makes a request slow. A smaller
// one is noise on a busy machine.
const slowBy = 3 * time.Millisecond

// limits returns the durations that make a request slow and long. A slow request takes
// three times as long as a typical one of the old version. A long one takes more than
// half as long again as nearly all of them. Without ok neither is known.
func (q quantiles) limits() (slow, long time.Duration, ok bool) {
	return max(3*q.median, q.median+slowBy), max(q.p95*3/2, q.p95+slowBy), q.median > 0
}
