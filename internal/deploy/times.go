package deploy

import (
	"math"
	"slices"
	"time"
)

// times are how long the latest requests took. The zero value is ready.
type times struct {
	ring  [timesKept]time.Duration
	n     int // in all
	known quantiles
}

// quantiles are of the latest times; zero = not known yet.
type quantiles struct{ median, p95 time.Duration }

const (
	timesKept  = 256
	timesEvery = 16 // how often the quantiles are looked up anew, in requests
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

// slowBy is what a request has to exceed what is usual by, at least, to be slow. Less is
// lost in the noise of a busy machine.
const slowBy = 3 * time.Millisecond

// slow is how long a slow request takes: three times as long as a typical one of the old
// version. A long one takes more than half as long again as all but a few of them. Neither
// is known before ok.
func (q quantiles) limits() (slow, long time.Duration, ok bool) {
	return max(3*q.median, q.median+slowBy), max(q.p95*3/2, q.p95+slowBy), q.median > 0
}
