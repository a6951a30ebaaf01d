package balancer

import "sync/atomic"

// places is a pool's count of how many requests its available members may have
// at once, counted again when somebody asks after a change.
type places struct {
	stale atomic.Bool
	n     atomic.Int64
}

// Places returns how many requests the available members may have at once; 0 =
// no limit, also when there is no available member.
func (p *Pool) Places() int {
	if p.places.stale.Load() && p.places.stale.Swap(false) { // a load is cheaper
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

// placesChanged is called, without a lock held, when a limit or a verdict has
// changed.
func (p *Pool) placesChanged() {
	p.places.stale.Store(true)
	if placed := p.opts.Load().Placed; placed != nil {
		placed()
	}
}
