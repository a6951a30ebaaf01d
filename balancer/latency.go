package balancer

import (
	"cmp"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// latencyHalf is how long it takes a peak to fade to half. Finagle's takes
	// 7 s; a shorter one lets an upstream that failed once back in sooner.
	latencyHalf = 2 * time.Second
	// latencyLife is how long the last sample counts as history. Far decayed,
	// it would make any number of requests in flight look cheap.
	latencyLife = 15 * latencyHalf
	// failurePenalty is the least a failed attempt counts as. Without it an
	// upstream that fails fast looks fast and attracts the traffic.
	failurePenalty = 100 * time.Millisecond
	// failureFactor is how many times its present cost a failure counts as.
	failureFactor = 10
	// failureCap bounds the penalty, so that an upstream is not written off.
	failureCap = 5 * time.Second
	// sampleAfter is how long an upstream that looks slow goes without a sample
	// until one request may find out whether it still is; twice as long each time
	// it was, up to sampleAfterMax.
	sampleAfter    = time.Second
	sampleAfterMax = 8 * time.Second
)

// latency is a peak-sensitive exponentially weighted moving average of
// response times: it jumps up to a slow answer at once and decays over time.
// (Finagle, com.twitter.finagle.loadbalancer.PeakEwma.) Times are Unix
// nanoseconds. The zero value has no history.
type latency struct {
	// Every pick reads these two, so they are read without the lock: value
	// first and written last, so that a value is never seen with a stamp older
	// than its own, which would make it look cheaper than it is.
	value atomic.Uint64 // bits of a float64, nanoseconds; 0 = no history
	stamp atomic.Int64
	pause atomic.Int64 // without a sample until the next is due; 0 = sampleAfter

	mu     sync.Mutex // held by writers
	recent *history   // guarded by mu, for it counts the same results; nil before the first; apart, so that what picks read stays together
}

// record takes an attempt's outcome and the time it took.
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
		sample = sample*(1-w) + cost // which is the old value times w
	}
	l.stamp.Store(now)
	l.value.Store(math.Float64bits(sample))
}

// due reports whether there has been no sample for so long that one is worth a
// request. The average of an upstream that looks slow is old, and it would take
// many half-lives to fade: one timeout of 500 ms among answers of 1 ms keeps an
// upstream out for 18 s. A lone sample therefore counts for as many of them: it
// takes the average half of the way, on the scale of orders of magnitude.
func (l *latency) due(now int64) bool {
	return l.value.Load() != 0 && now-l.stamp.Load() >= l.waits()
}

func (l *latency) waits() int64 { return cmp.Or(l.pause.Load(), int64(sampleAfter)) }

// confirmed reports whether a sample says about the same as those before.
func (l *latency) confirmed(sample float64) bool {
	value := math.Float64frombits(l.value.Load())
	return sample >= value/2 && sample <= value*2
}

// rest sets how long to wait for the next lone sample: twice as long after one
// that brought nothing new. Called with mu held.
func (l *latency) rest(lone, same bool) {
	pause := int64(0)
	if lone && same {
		pause = min(2*l.waits(), int64(sampleAfterMax))
	}
	if l.pause.Load() != pause {
		l.pause.Store(pause)
	}
}

// cost returns the average in nanoseconds, 0 without history. An old peak
// fades even when no new sample comes in, since an upstream that looks slow
// gets no samples.
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

// forget is reset for an upstream whose recent results are those of an earlier
// life.
func (l *latency) forget() {
	l.reset()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent = nil
}

// results returns what came of the recent attempts.
func (l *latency) results(now int64) results {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recent == nil {
		return results{}
	}
	return l.recent.results(now)
}

// decay returns what is left of one after a time in nanoseconds: it halves
// with every half-life, in a straight line between, which follows the
// exponential within 6 % at a fraction of its cost.
func decay(elapsed int64) float64 {
	elapsed = max(elapsed, 0)
	if elapsed >= int64(latencyLife) {
		return 0
	}
	halvings, rest := elapsed/int64(latencyHalf), elapsed%int64(latencyHalf)
	return (1 - float64(rest)/(2*float64(latencyHalf))) / float64(int64(1)<<halvings)
}
