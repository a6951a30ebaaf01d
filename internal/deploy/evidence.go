package deploy

import "math"

// evidence measures whether the new version does something more often than the old one:
// failing, or being slow. It is the capital of a gambler who bets on that, and begins
// with 1. While both versions do it equally often, however often that is and however it
// changes with time, the probability that the capital ever reaches c is at most 1/c
// (Ville's inequality). So it may be checked after each request. (R. Turner, A. Ly, P.
// Grünwald, Generic E-variables for exact sequential k-sample tests that allow for
// optional stopping, Journal of Statistical Planning and Inference 230, 2024.)
//
// Requests are taken in blocks. A block closes once both versions have answered in it,
// independent of the result. So trouble that both versions meet at the same time, for
// example a database that is down, is no evidence. The zero value is ready.
type evidence struct {
	fresh, settled count // of the open block
	news, usual    count // of the earlier blocks: the new version's, and the old one's
	capital        [len(worse)]float64
}

// count is the number of requests, and of those that did the thing.
type count struct{ n, hits float64 }

// worse are the three alternatives of the bet, with a third of the capital each. Each is
// the part of the distance from the old version's share to 1 by which the new version's
// share exceeds it.
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

// share is an estimate that is never 0 or 1. Without data it is 5 %.
func (c count) share() float64 { return min(max((c.hits+0.05)/(c.n+1), 1e-4), 0.99) }

// add adds the result of a request.
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

// won returns the logarithm of the factor by which the open block multiplies a stake on
// these shares.
func (e *evidence) won(settled, fresh float64) float64 {
	both := (e.settled.n*settled + e.fresh.n*fresh) / (e.settled.n + e.fresh.n)
	return e.settled.likelier(settled, both) + e.fresh.likelier(fresh, both)
}

// likelier returns the logarithm of the likelihood ratio of the count under two shares.
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

// convicts reports whether the new version certainly does it more often, at least by this
// much, with the given probability of error; a few hits alone are not enough.
func (e *evidence) convicts(by, wrong float64) bool {
	return e.news.hits >= fewest && e.news.rate()-e.usual.rate() >= by && e.log() >= -math.Log(wrong)
}

// wilson returns Wilson's interval for the share, z standard deviations wide. (E. B.
// Wilson, Probable inference, the law of succession, and statistical inference, 1927.)
func (c count) wilson(z float64) (low, high float64) {
	if c.n == 0 {
		return 0, 1
	}
	p, z2 := c.hits/c.n, z*z
	center := (p + z2/(2*c.n)) / (1 + z2/c.n)
	half := z / (1 + z2/c.n) * math.Sqrt(p*(1-p)/c.n+z2/(4*c.n*c.n))
	return max(center-half, 0), min(center+half, 1)
}
