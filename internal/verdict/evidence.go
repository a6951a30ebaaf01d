package verdict

import "math"

// odds are the odds ratios of the mixture: from what is barely noticed to a side
// that alone fails.
var odds = [...]float64{1.2, 1.5, 2, 3, 6, 15, 40, 100}

// Evidence is what speaks for B failing more often than A. It is a submartingale
// whose mean grows by the stakes alone while B's odds are no worse than A's, so
// that P(Total reaches 1) is at most the sum of the stakes. The zero value has no
// stake.
type Evidence struct {
	parts [len(odds)]float64
	limit float64 // of the total; 0 = none
}

// Stake begins anew with a part of the budget for false alarms.
func (e *Evidence) Stake(s float64) {
	for i := range e.parts {
		e.parts[i] += s / float64(len(odds))
	}
}

// Tally is how many of n requests had an event in a block.
type Tally struct{ N, Events int }

// Add takes a block's tallies. The result does not depend on what the two have
// in common in the block, such as an outage of both.
func (e *Evidence) Add(a, b Tally) {
	k := a.Events + b.Events
	if a.N == 0 || b.N == 0 || k == 0 || k == a.N+b.N {
		return // nothing can be learned
	}
	null := hypergeometric(a.N, b.N, k)
	for i, r := range odds {
		e.parts[i] *= null.ratio(b.Events, math.Log(r))
	}
	if t := e.Total(); e.limit > 0 && t > e.limit {
		for i := range e.parts {
			e.parts[i] *= e.limit / t
		}
	}
}

// Total returns the evidence; from 1 on it is enough.
func (e *Evidence) Total() (sum float64) {
	for _, p := range e.parts {
		sum += p
	}
	return sum
}

// counts are the logarithms, up to a constant, of how many ways there are for
// first, first+1, ... of the events to fall on B.
type counts struct {
	first int
	log   []float64
}

func hypergeometric(nA, nB, k int) counts {
	c := counts{first: max(0, k-nA)}
	last := min(k, nB)
	c.log = make([]float64, last-c.first+1)
	for i := 1; i < len(c.log); i++ {
		x := float64(c.first + i)
		c.log[i] = c.log[i-1] + math.Log((float64(nB)-x+1)*(float64(k)-x+1)/(x*(float64(nA-k)+x)))
	}
	return c
}

// ratio is the likelihood of x events on B under odds that are r times as high, of
// which logR is the logarithm, over that under equal ones.
func (c counts) ratio(x int, logR float64) float64 {
	top, topTilted := math.Inf(-1), math.Inf(-1)
	for i, l := range c.log {
		top, topTilted = max(top, l), max(topTilted, l+float64(i)*logR)
	}
	sum, tilted := 0.0, 0.0
	for i, l := range c.log {
		sum += math.Exp(l - top)
		tilted += math.Exp(l + float64(i)*logR - topTilted)
	}
	return math.Exp(float64(x-c.first)*logR + top - topTilted + math.Log(sum) - math.Log(tilted))
}
