package balancer

import "sync/atomic"

// places is the number of requests that a pool's available members may have in flight.
// After a change, the next caller of Places counts them again.
type places struct {
	stale atomic.Bool
	n     atomic.Int64
}

// Places returns how many requests the available members may have in flight together; 0 =
// no limit, or no available member.
func (p *Pool) Places() int {
	if p.places.stale.Load() && p.places.stale.Swap(false) { // Load first: it is cheaper than Swap
		p.places.n.Store(p.countPlaces())
	}
	return int(p.places.n.Load())
}

func (p *Pool) countPlaces() int64 {
	sum := int64(0)
	members := p.Members()
	for i := range members {
		if !members[i].Available() {
			continue
		}
		n := members[i].limit()
		if n == 0 {
			return 0
		}
		sum += n
	}
	return sum
}

// placesChanged must be called after a change of a limit or a verdict, without a lock
// held.
func (p *Pool) placesChanged() {
	p.places.stale.Store(true)
	if placed := p.opts.Load().Placed; placed != nil {
		placed()
	}
}
