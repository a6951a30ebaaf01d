package balancer

import (
	"math"
	"time"
)

// A history covers historySpan, and drops one slot at a time.
const (
	historySpan  = 10 * time.Second
	historySlots = 10
	historySlot  = int64(historySpan / historySlots)
	// freshAnswers is the number of answers that suffices to know an upstream's speed.
	freshAnswers = 50
)

// history is an upstream's recent results: the number of answers and of failures, and the
// distribution of the times to an answer.
//
// It sums logarithms of times, because a slow upstream differs from the others by an
// order of magnitude. The mean of logarithms is close to the median, one timeout of 30 s
// hardly moves it, and it needs no histogram.
type history struct {
	slots  [historySlots]past
	streak int // successes in a row since the last failure; below 0 = failures in a row
}

type past struct {
	slot             int64 // since the epoch, in units of historySlot
	answered, failed uint32
	logs, squares    float64 // sums over the answers of log2(nanoseconds), and of its square
}

func (h *history) add(o Outcome, rtt time.Duration, now int64) {
	n := now / historySlot
	s := &h.slots[uint64(n)%historySlots]
	if s.slot != n {
		*s = past{slot: n}
	}
	if o != Success {
		s.failed++
		h.streak = min(h.streak, 0) - 1
		return
	}
	s.answered++
	h.streak = max(h.streak, 0) + 1
	l := logOf(rtt)
	s.logs += l
	s.squares += l * l
}

// logOf returns the logarithm to base 2, linear between powers of two. It is at most 0.09
// too small, and costs no more than reading the float's bits.
func logOf(d time.Duration) float64 {
	const mantissa, bias = 1 << 52, 1023
	return float64(math.Float64bits(max(float64(d), 1)))/mantissa - bias
}

// durationOf is the inverse of logOf.
func durationOf(l float64) time.Duration {
	const mantissa, bias = 1 << 52, 1023
	return time.Duration(math.Float64frombits(uint64((l + bias) * mantissa)))
}

// results are the sums of a history at one time.
type results struct {
	answered, failed float64
	timed            float64 // number of the latest answers, which the sums below cover
	logs, squares    float64
	streak           int
}

// results sums the slots. For times to an answer it takes only as many of the latest
// slots as contain freshAnswers: with more traffic, a change shows sooner.
func (h *history) results(now int64) (r results) {
	last := now / historySlot
	for n := last; n > last-historySlots; n-- {
		s := &h.slots[uint64(n)%historySlots]
		if s.slot != n {
			continue
		}
		r.answered += float64(s.answered)
		r.failed += float64(s.failed)
		if r.timed < freshAnswers {
			r.timed += float64(s.answered)
			r.logs += s.logs
			r.squares += s.squares
		}
	}
	r.streak = h.streak
	return r
}

// plus adds the counts of s to r if sign is +1, and subtracts them if it is -1.
func (r results) plus(s results, sign float64) results {
	r.answered += sign * s.answered
	r.failed += sign * s.failed
	return r
}

func (r results) n() float64 { return r.answered + r.failed }

// mean returns the mean of the logarithms. It needs at least one answer.
func (r results) mean() float64 { return r.logs / r.timed }

// variance returns the variance of that mean. It needs at least one answer.
func (r results) variance() float64 {
	mean := r.mean()
	return max(r.squares/r.timed-mean*mean, 0) / r.timed
}

// confidence is in standard deviations. The pool judges every upstream every second, so
// chance may cause only about one finding in a thousand.
const confidence = 3

// failureRange returns Wilson's interval for the share of failures. It also holds for few
// attempts and for shares close to 0. (E. B. Wilson, Probable inference, the law of
// succession, and statistical inference, 1927.)
func (r results) failureRange() (low, high float64) {
	const z2 = confidence * confidence
	n := r.n()
	if n == 0 {
		return 0, 1
	}
	p := r.failed / n
	center := (p + z2/(2*n)) / (1 + z2/n)
	half := confidence / (1 + z2/n) * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	return center - half, center + half
}
