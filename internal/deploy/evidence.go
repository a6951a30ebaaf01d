package deploy

import "math"

// evidence is what speaks for the new version doing something more often than the old one:
// failing, or being slow. It is the capital of someone who has bet on that, with 1 at the
// beginning. While both versions do it equally often, whatever that is and however it changes
// with time, the probability that the capital ever reaches c is at most 1/c (Ville's
// inequality), so that it may be looked at after each request. (R. Turner, A. Ly,
// P. Grünwald, Generic E-variables for exact sequential k-sample tests that allow for
// optional stopping, Journal of Statistical Planning and Inference 230, 2024.)
//
// Requests are taken in blocks. A block is closed once both versions have answered in it,
// which does not depend on how: what both meet at the same time, such as a database that is
// down, is evidence for nothing. The zero value is ready.
type evidence struct {
	fresh, settled count // of the block that is open
	news, usual    count // of the blocks before it: the new version's, and the old one's
	capital        [len(worse)]float64
}

// count is how often something was done by how many requests.
type count struct{ n, hits float64 }

// worse are what is bet on, with a third of the capital each: by how much of what is
// missing to always the new version does it more often.
var worse = [...]float64{0.05, 0.25, 0.9}

func (c *count) add(hit bool) {
	c.n++
	if hit {
		c.hits++
	}
}

func (c count) plus(o count) count { return count{c.n + o.n, c.hits + o.hits} }

func (c count) rate() float64 {
	if c.n == 0 {
		return 0
	}
	return c.hits / c.n
}

// share is an estimate that is never 0 or 1. With nothing known it is 5 %.
func (c count) share() float64 { return min(max((c.hits+0.05)/(c.n+1), 1e-4), 0.99) }

// add takes what a request has shown.
func (e *evidence) add(fresh, hit bool) {
	if fresh {
		e.fresh.add(hit)
	} else {
		e.settled.add(hit)
	}
	if e.fresh.n == 0 || e.settled.n == 0 {
		return
	}
	old := e.usual.share()
	for i, more := range worse {
		e.capital[i] += e.won(old, old+more*(1-old))
	}
	e.usual = e.usual.plus(e.settled)
	e.news = e.news.plus(e.fresh)
	e.fresh, e.settled = count{}, count{}
}

// won is the logarithm of what the block multiplies a stake by that was put on these shares.
func (e *evidence) won(settled, fresh float64) float64 {
	both := (e.settled.n*settled + e.fresh.n*fresh) / (e.settled.n + e.fresh.n)
	return e.settled.likelier(settled, both) + e.fresh.likelier(fresh, both)
}

// likelier is the logarithm of how much likelier the count is with one share than with
// another.
func (c count) likelier(share, other float64) float64 {
	return c.hits*math.Log(share/other) + (c.n-c.hits)*math.Log((1-share)/(1-other))
}

// log returns the logarithm of the capital.
func (e *evidence) log() float64 {
	most, sum := e.capital[0], 0.0
	for _, c := range e.capital {
		most = max(most, c)
	}
	for _, c := range e.capital {
		sum += math.Exp(c - most)
	}
	return most + math.Log(sum/float64(len(e.capital)))
}

// convicts reports whether the new version does it surely more often, by this much at least,
// with a probability of being wrong; and not by a few hits alone.
func (e *evidence) convicts(by, wrong float64) bool {
	return e.news.hits >= fewest && e.news.rate()-e.usual.rate() >= by && e.log() >= -math.Log(wrong)
}

// wilson is Wilson's interval for the share, z standard deviations wide. (E. B. Wilson,
// Probable inference, the law of succession, and statistical inference, 1927.)
func (c count) wilson(z float64) (low, high float64) {
	if c.n == 0 {
		return 0, 1
	}
	p, z2 := c.hits/c.n, z*z
	center := (p + z2/(2*c.n)) / (1 + z2/c.n)
	half := z / (1 + z2/c.n) * math.Sqrt(p*(1-p)/c.n+z2/(4*c.n*c.n))
	return max(center-half, 0), min(center+half, 1)
}
