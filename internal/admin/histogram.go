package admin

import (
	"math"
	"time"
)

// Buckets grow by a quarter of an octave from 0.1 ms. The last one begins at about a
// minute and a half.
const (
	buckets     = 80
	firstBucket = 100 * time.Microsecond
	perOctave   = 4
)

// histogram counts durations, to about a tenth of their value.
type histogram [buckets]uint32

func (h *histogram) add(d time.Duration) {
	i := 0
	if d > firstBucket {
		i = min(int(perOctave*math.Log2(float64(d)/float64(firstBucket))), buckets-1)
	}
	h[i]++
}

// quantile returns the duration that a share q of the counted ones do not exceed, 0 if
// none are counted.
func (h *histogram) quantile(q float64) time.Duration {
	n := uint64(0)
	for _, c := range h {
		n += uint64(c)
	}
	if n == 0 {
		return 0
	}
	rank := max(uint64(math.Ceil(q*float64(n))), 1)
	for i, c := range h {
		if rank <= uint64(c) {
			return time.Duration(float64(firstBucket) * math.Exp2((float64(i)+.5)/perOctave))
		}
		rank -= uint64(c)
	}
	return 0
}

// merge adds the counts of another histogram.
func (h *histogram) merge(o *histogram) {
	for i, c := range o {
		h[i] += c
	}
}
