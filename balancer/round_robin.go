package balancer

import (
	"math/rand/v2"
	"sync/atomic"
)

// roundRobin walks through the smooth sequence of the members' weights. It starts at a
// random place, so that many proxies, and reloads, do not all start alike.
type roundRobin struct {
	next     atomic.Uint64
	members  []Member
	sequence []int32 // indexes in members
}

func newRoundRobin(members []Member, _ PolicyOptions) Policy {
	return makeRoundRobin(members)
}

func makeRoundRobin(members []Member) *roundRobin {
	p := &roundRobin{members: members, sequence: smoothSequence(weightsOf(members))}
	p.next.Store(rand.Uint64N(1 << 32))
	return p
}

func weightsOf(members []Member) []int {
	weights := make([]int, len(members))
	for i := range members {
		weights[i] = members[i].Weight
	}
	return weights
}

// Pick jumps from an unusable member to a random place, so that all others share its
// load. One step further would give all of it to its successor.
func (p *roundRobin) Pick(c *Choice) *Member {
	n := uint64(len(p.sequence))
	if n == 0 {
		return nil
	}
	place := p.next.Add(1) % n
	for range drawTries {
		if m := &p.members[p.sequence[place]]; c.usable(m) {
			return m
		}
		place = rand.Uint64N(n)
	}
	return c.scan(p.members)
}
