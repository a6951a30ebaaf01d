package balancer

import (
	"math"
	"time"
)

// A history looks back for historySpan, and forgets a slot at a time.
const (
	historySpan  = 10 * time.Second
	historySlots = 10
	historySlot  = int64(historySpan / historySlots)
	// freshAnswers are enough to tell how long an upstream takes.
	freshAnswers = 50
)

// history is an upstream's recent results: how many attempts were answered, how
// many failed, and how the times to the answers were spread.
//
// Times are added up as logarithms, since it is their order of magnitude that
// tells a slow upstream from the others. The mean of logarithms is close to the
// median, one timeout of 30 s hardly moves it, and it takes no histogram.
type history struct {
	slots  [historySlots]past
	streak int // successes in a row since the last failure, or failures as a negative number
}

type past struct {
	slot             int64 // since the epoch, in units of historySlot
	answered, failed uint32
	logs, squares    float64 // sums of the logarithms to base 2 of nanoseconds, and of their squares
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

// logOf is the logarithm to base 2, in a straight line between powers of two:
// at most 0.09 too small, and no more work than reading the float's bits.
func logOf(d time.Duration) float64 {
	const mantissa, bias = 1 << 52, 1023
	return float64(math.Float64bits(max(float64(d), 1)))/mantissa - bias
}

// durationOf is the inverse of logOf.
func durationOf(l float64) time.Duration {
	const mantissa, bias = 1 << 52, 1023
	return time.Duration(math.Float64frombits(uint64((l + bias) * mantissa)))
}

// results are a history's sums at one moment.
type results struct {
	answered, failed float64
	timed            float64 // the latest answers, which the sums below are of
	logs, squares    float64
	streak           int
}

// results adds up the slots, the latest first. Of the times to an answer it
// takes as many slots as hold freshAnswers, so that the more traffic there is,
// the sooner a change shows.
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

// plus adds the counts of s to those of r, or takes them off.
func (r results) plus(s results, sign float64) results {
	r.answered += sign * s.answered
	r.failed += sign * s.failed
	return r
}

func (r results) n() float64 { return r.answered + r.failed }

// mean is the mean of the logarithms, and variance that of the mean. Both take
// at least one answer.
func (r results) mean() float64 { return r.logs / r.timed }

func (r results) variance() float64 {
	mean := r.mean()
	return max(r.squares/r.timed-mean*mean, 0) / r.timed
}

// confidence is in standard deviations. Every upstream is judged every second,
// so chance must be one in thousands.
const confidence = 3

// failureRange is Wilson's interval for the share of failures, which also holds
// for few attempts and for shares close to nothing. (E. B. Wilson, Probable
// inference, the law of succession, and statistical inference, 1927.)
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
