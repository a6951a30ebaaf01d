package proxy

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// quantileEvery is after how many samples the estimate is made anew.
	quantileEvery = 32
	// quantileMin is how many samples an estimate needs.
	quantileMin = 96
	// quantileMemory is how many samples count; those before fade by halves.
	quantileMemory = 2048
	// quantileBuckets hold times up to 68 s, each an eighth of its power of two wide.
	quantileBuckets = 24 * 8
)

// quantile estimates a quantile of times, weighing the latest most: counts on a
// logarithmic scale, which fade. It overestimates by an eighth at most. It costs
// an addition a sample and is safe for concurrent use. Without enough samples
// it is zero.
type quantile struct {
	share  float64 // 0.95 for the time that one in twenty exceeds
	value  atomic.Int64
	n      atomic.Uint64
	counts [quantileBuckets]atomic.Uint32
	mu     sync.Mutex // held by who estimates
}

// get returns the estimate, 0 when there is none yet.
func (q *quantile) get() time.Duration { return time.Duration(q.value.Load()) }

func (q *quantile) add(d time.Duration) {
	q.counts[bucketOf(d)].Add(1)
	if n := q.n.Add(1); n%quantileEvery == 0 && n >= quantileMin && q.mu.TryLock() {
		q.estimate()
		q.mu.Unlock()
	}
}

// estimate is called with mu held.
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

// The first eight buckets are a unit of 1024 ns wide. From there on there are
// eight for each power of two.
const bucketUnit = 10

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0)) >> bucketUnit
	if v < 8 {
		return int(v)
	}
	e := bits.Len64(v) - 4
	return min(8*e+int(v>>e), quantileBuckets-1)
}

// bucketEnd returns the end of a bucket.
func bucketEnd(i int) time.Duration {
	if i < 8 {
		return time.Duration(i+1) << bucketUnit
	}
	e := i/8 - 1
	return time.Duration(i%8+9) << (e + bucketUnit)
}
