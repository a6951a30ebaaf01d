package verdict

import "math"

// odds has the odds ratios of the mixture, from a barely noticeable difference to a
// side with nearly all failures.
var odds = [...]float64{1.2, 1.5, 2, 3, 6, 15, 40, 100}

// Evidence is the evidence that B fails more often than A. While B's odds are no worse
// than A's, it is a submartingale whose mean grows only by the stakes, so P(Total
// reaches 1) is at most the sum of the stakes. The zero value has no stake.
type Evidence struct {
	parts [len(odds)]float64
	limit float64 // limit on the total; 0 = none
}

// Stake starts a new test with a part of the budget for false alarms.
func (e *Evidence) Stake(s float64) {
	for i := range e.parts {
		e.parts[i] += s / float64(len(odds))
	}
}

// Tally is the number of requests in a block, and how many of them had an event.
type Tally struct{ N, Events int }

// Add adds a block's tallies. An effect on both sides, such as an outage of both, does
// not change the result.
func (e *Evidence) Add(a, b Tally) {
	k := a.Events + b.Events
	if a.N == 0 || b.N == 0 || k == 0 || k == a.N+b.N {
		return // the block contains no information
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

// Total returns the evidence. A value of 1 or more is sufficient.
func (e *Evidence) Total() (sum float64) {
	for _, p := range e.parts {
		sum += p
	}
	return sum
}

// counts has the logarithms, up to a constant, of the number of ways in which first,
// first+1, ... of the events can fall on B.
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

// ratio returns the likelihood of x events on B with r times the odds, divided by the
// likelihood with equal odds. logR is the logarithm of r.
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
