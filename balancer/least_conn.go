package balancer

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

const (
	exactLimit  = 32 // bits in a set of ties
	sampleDraws = 4
)

// leastConn picks the member with the fewest requests in flight per unit of weight.
//
// Up to 32 members it visits all. Visiting 10,000 for each request would cost more than a
// better balance is worth. So beyond 32 it takes the best of a few draws by weight: with
// d draws the greatest load grows with log log n / log d. (Mitzenmacher 2001.)
type leastConn struct{ urn *urn }

func newLeastConn(members []Member, _ PolicyOptions) Policy { return &leastConn{newUrn(members)} }

func (p *leastConn) Pick(c *Choice) *Member {
	m := p.best(c)
	if m == nil {
		return c.scan(p.urn.members)
	}
	return m
}

func (p *leastConn) best(c *Choice) *Member {
	if len(p.urn.members) <= exactLimit {
		return p.exact(c)
	}
	return p.sample(c)
}

// sample returns the best of a few draws. Of equals it returns the first, so that idle
// members get their weights.
func (p *leastConn) sample(c *Choice) (best *Member) {
	least := 0.0
	for range sampleDraws {
		m := &p.urn.members[p.urn.draw()]
		if load := m.load(); (best == nil || load < least) && c.usable(m) {
			best, least = m, load
		}
	}
	return best
}

// exact returns the best of all members; it draws among equals by weight. It checks only
// the drawn member for usability, because nearly all members are usable.
func (p *leastConn) exact(c *Choice) *Member {
	var passed uint32
	for range p.urn.members {
		i := p.least(passed)
		if m := &p.urn.members[i]; c.usable(m) {
			return m
		}
		passed |= 1 << i
	}
	return nil
}

// least draws, by weight, one of the least loaded members outside the set passed.
func (p *leastConn) least(passed uint32) int {
	var ties uint32
	least, weights := math.Inf(1), 0
	for i := range p.urn.members {
		m := &p.urn.members[i]
		load := m.load()
		if load > least || passed>>i&1 != 0 {
			continue
		}
		if load < least {
			ties, least, weights = 0, load, 0
		}
		ties |= 1 << i
		weights += m.Weight
	}
	r := rand.IntN(weights)
	for {
		i := bits.TrailingZeros32(ties)
		if r -= p.urn.members[i].Weight; r < 0 {
			return i
		}
		ties &= ties - 1
	}
}
