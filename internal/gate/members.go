package gate

import (
	"sync"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/discovery"
)

// members is a pool's latest set of upstreams: those of the configuration, and those that
// operators have added.
type members struct {
	mu      sync.Mutex // held while the pool applies a set, so that the latest set is applied last
	found   bool       // the configuration's upstreams were found
	targets []discovery.Target
	extra   []discovery.Target
}

// said returns the operators' changes of the pool's upstreams.
func (p *pool) said() said {
	w, _ := saidOf(p.name, p.parts.Load().config, p.book.All())
	return w
}

// take replaces the upstreams of the configuration.
func (p *pool) take(targets []discovery.Target) {
	p.members.mu.Lock()
	defer p.members.mu.Unlock()
	p.members.targets, p.members.found = targets, true
	p.put()
}

// succeed applies the removals of a feed that is about to replace another one. If an
// entry is new and not yet known, the present upstreams stay until the feed has answers.
func (p *pool) succeed(f *feed) {
	p.members.mu.Lock()
	defer p.members.mu.Unlock()
	if p.members.found && !f.pending {
		p.members.targets = f.Known()
	}
}

// takeExtras replaces the upstreams that operators have added.
func (p *pool) takeExtras(targets []discovery.Target) {
	p.members.mu.Lock()
	p.members.extra = targets
	p.put()
	p.members.mu.Unlock()
	p.watchMembers()
	p.noteUsable()
}

// apply applies the operators' present changes to the pool.
func (p *pool) apply() {
	p.followExtras()
	p.members.mu.Lock()
	if p.members.found || p.members.extra != nil {
		p.put()
	}
	p.members.mu.Unlock()
	p.watchMembers()
}

// put computes the members and passes them to the balancer. members.mu must be held. The
// operator's change applies to a member from its start, so that a drained member that
// returns gets no request.
func (p *pool) put() {
	w, live := p.said(), p.live()
	p.spread(live)
	specs := p.members.specs(&w, p.fleet)
	p.parts.Load().agents.adjust(specs, live.Members())
	live.Update(specs)
	members := live.Members()
	for i := range members {
		members[i].SetOperator(w.states[members[i].Addr()])
	}
}

func (m *members) specs(w *said, f *inFleet) []balancer.Spec {
	var list []balancer.Spec
	for _, s := range append(assemble.Specs(m.targets), assemble.Specs(m.extra)...) {
		if w.leaves(s) {
			continue
		}
		if n := w.weights[s.Addr]; n > 0 {
			s.Weight = n
		}
		s.Operator = w.states[s.Addr]
		s.MaxInFlight = f.part(s)
		list = append(list, s)
	}
	if list == nil {
		list = []balancer.Spec{}
	}
	return list
}
