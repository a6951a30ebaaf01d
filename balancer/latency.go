package balancer

import (
	"cmp"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// latencyHalf is the time in which a peak fades to half. Finagle's is 7 s; a shorter
	// one lets an upstream that failed once return sooner.
	latencyHalf = 2 * time.Second
	// latencyLife is the time for which the last sample counts as history. A sample that
	// has decayed much further would make any number of requests in flight look cheap.
	latencyLife = 15 * latencyHalf
	// failurePenalty is the smallest cost of a failed attempt. Without it an upstream
	// that fails fast would look fast and attract the traffic.
	failurePenalty = 100 * time.Millisecond
	// failureFactor is the cost of a failure, as a multiple of the upstream's current cost.
	failureFactor = 10
	// failureCap bounds that penalty, so that an upstream can recover.
	failureCap = 5 * time.Second
	// sampleAfter is the time without a sample after which an upstream that looks slow gets
	// one request, to check whether it still is. The time doubles each time that the
	// upstream is still slow, up to sampleAfterMax.
	sampleAfter    = time.Second
	sampleAfterMax = 8 * time.Second
)

// latency is a peak-sensitive exponentially weighted moving average of response times: it
// jumps to a slow answer at once, and decays over time. (Finagle,
// com.twitter.finagle.loadbalancer.PeakEwma.) Times are Unix nanoseconds. The zero value
// has no history.
type latency struct {
	// Every pick reads these two without the lock: value first. Writers store value last.
	// So a reader never combines a value with an older stamp, which would make it look
	// cheaper than it is.
	value atomic.Uint64 // bits of a float64, in nanoseconds; 0 = no history
	stamp atomic.Int64
	pause atomic.Int64 // time without a sample until the next is due; 0 = sampleAfter

	mu     sync.Mutex // held by writers
	recent *history   // the same results, guarded by mu; nil before the first; a pointer, to keep the fields of picks together
}

// record takes the outcome of an attempt and its duration.
func (l *latency) record(o Outcome, rtt time.Duration, now int64) {
	if o == Ignored {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	cost, sample, lone := l.cost(now), max(float64(rtt), 1), l.due(now)
	if o != Success {
		penalty := max(float64(failurePenalty), failureFactor*cost)
		sample = max(sample, min(penalty, float64(failureCap)))
	}
	if l.recent == nil {
		l.recent = &history{}
	}
	l.recent.add(o, rtt, now)
	l.rest(lone, o != Success || l.confirmed(sample))
	switch {
	case sample >= cost:
	case lone:
		sample = math.Sqrt(sample * cost)
	default:
		w := decay(now - l.stamp.Load())
		sample = sample*(1-w) + cost // cost is the old value times w
	}
	l.stamp.Store(now)
	l.value.Store(math.Float64bits(sample))
}

// due reports whether the last sample is so old that a new one is worth a request. The
// average of an upstream that looks slow is old, and would take many half-lives to fade:
// one timeout of 500 ms among answers of 1 ms keeps an upstream out for 18 s. So a lone
// sample counts for many: it moves the average half of the way, on a logarithmic scale.
func (l *latency) due(now int64) bool {
	return l.value.Load() != 0 && now-l.stamp.Load() >= l.waits()
}

func (l *latency) waits() int64 { return cmp.Or(l.pause.Load(), int64(sampleAfter)) }

// confirmed reports whether a sample is within a factor of two of the average.
func (l *latency) confirmed(sample float64) bool {
	value := math.Float64frombits(l.value.Load())
	return sample >= value/2 && sample <= value*2
}

// rest sets the time until the next lone sample. It doubles after a lone sample that
// confirmed the average. mu must be held.
func (l *latency) rest(lone, same bool) {
	pause := int64(0)
	if lone && same {
		pause = min(2*l.waits(), int64(sampleAfterMax))
	}
	if l.pause.Load() != pause {
		l.pause.Store(pause)
	}
}

// cost returns the average in nanoseconds, 0 without history. An old peak fades even
// without new samples, because an upstream that looks slow gets none.
func (l *latency) cost(now int64) float64 {
	value := math.Float64frombits(l.value.Load())
	if value == 0 {
		return 0
	}
	return value * decay(now-l.stamp.Load())
}

func (l *latency) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.value.Store(0)
	l.pause.Store(0)
}

// forget is reset for a returning upstream: it drops the recent results too.
func (l *latency) forget() {
	l.reset()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent = nil
}

// results returns the sums of the recent results.
func (l *latency) results(now int64) results {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recent == nil {
		return results{}
	}
	return l.recent.results(now)
}

// decay returns the remaining share of a value after a time in nanoseconds. It halves
// with every half-life and is linear between. That follows the exponential within 6 % at
// a fraction of its cost.
func decay(elapsed int64) float64 {
	elapsed = max(elapsed, 0)
	if elapsed >= int64(latencyLife) {
		return 0
	}
	halvings, rest := elapsed/int64(latencyHalf), elapsed%int64(latencyHalf)
	return (1 - float64(rest)/(2*float64(latencyHalf))) / float64(int64(1)<<halvings)
}
