package gate

import (
	"sync"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/discovery"
)

// members is a pool's set of upstreams as it was found last: what the configuration
// leads to, and what operators have added.
type members struct {
	mu      sync.Mutex // held while the pool takes a set, so that the latest is the last
	found   bool       // the configuration's have been
	targets []discovery.Target
	extra   []discovery.Target
}

// said returns what operators have said of the pool's upstreams.
func (p *pool) said() said {
	w, _ := saidOf(p.name, p.parts.Load().config, p.book.All())
	return w
}

// take takes what the configuration leads to.
func (p *pool) take(targets []discovery.Target) {
	p.members.mu.Lock()
	defer p.members.mu.Unlock()
	p.members.targets, p.members.found = targets, true
	p.put()
}

// takeExtras takes what operators have added.
func (p *pool) takeExtras(targets []discovery.Target) {
	p.members.mu.Lock()
	p.members.extra = targets
	p.put()
	p.members.mu.Unlock()
	p.watchMembers()
	p.noteUsable()
}

// apply lets the pool have what operators say by now.
func (p *pool) apply() {
	p.followExtras()
	p.members.mu.Lock()
	if p.members.found || p.members.extra != nil {
		p.put()
	}
	p.members.mu.Unlock()
	p.watchMembers()
}

// put gives the balancer the members as they are to be. It is called under members.mu. A
// member begins with the operator's word, so that a drained one that comes back gets no
// request.
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
