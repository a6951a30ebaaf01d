package proxy

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// quantileEvery is the number of samples between two estimates.
	quantileEvery = 32
	// quantileMin is the number of samples that an estimate needs.
	quantileMin = 96
	// quantileMemory is the number of samples after which all counts are halved.
	quantileMemory = 2048
	// quantileBuckets cover times up to 68 s. Each is an eighth of its power of two wide.
	quantileBuckets = 24 * 8
)

// quantile estimates a quantile of times, with more weight on the latest ones. It counts
// on a logarithmic scale and halves the counts now and then. The estimate is at most an
// eighth too high. A sample costs an addition. It is safe for concurrent use. Without
// enough samples the estimate is zero.
type quantile struct {
	share  float64 // 0.95 = the time that one in twenty exceeds
	value  atomic.Int64
	n      atomic.Uint64
	counts [quantileBuckets]atomic.Uint32
	mu     sync.Mutex // held during an estimate
}

// get returns the estimate, 0 while there is none.
func (q *quantile) get() time.Duration { return time.Duration(q.value.Load()) }

func (q *quantile) add(d time.Duration) {
	q.counts[bucketOf(d)].Add(1)
	if n := q.n.Add(1); n%quantileEvery == 0 && n >= quantileMin && q.mu.TryLock() {
		q.estimate()
		q.mu.Unlock()
	}
}

// estimate makes a new estimate. mu must be held.
func (q *quantile) estimate() {
	total := 0
	for i := range q.counts {
		total += int(q.counts[i].Load())
	}
	rank, seen := int(math.Ceil(q.share*float64(total))), 0
	for i := range q.counts {
		if seen += int(q.counts[i].Load()); seen >= rank {
			q.value.Store(int64(bucketEnd(i)))
			break
		}
	}
	if total < quantileMemory {
		return
	}
	for i := range q.counts {
		n := q.counts[i].Load()
		q.counts[i].Add(-(n - n/2))
	}
}

// The unit of the first eight buckets is 1024 ns. Above them there are eight buckets for
// each power of two.
const bucketUnit = 10

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0)) >> bucketUnit
	if v < 8 {
		return int(v)
	}
	e := bits.Len64(v) - 4
	return min(8*e+int(v>>e), quantileBuckets-1)
}

// bucketEnd returns the upper bound of a bucket.
func bucketEnd(i int) time.Duration {
	if i < 8 {
		return time.Duration(i+1) << bucketUnit
	}
	e := i/8 - 1
	return time.Duration(i%8+9) << (e + bucketUnit)
}
