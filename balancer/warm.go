package balancer

import (
	"math"
	"time"
)

// State is what is known of an upstream, for the process that takes over.
type State struct {
	Addr    string        `json:"addr"`
	Health  Health        `json:"health"`
	Latency time.Duration `json:"latency,omitempty"`
}

// States returns what is known of the members.
func (p *Pool) States() []State {
	members := p.Members()
	list := make([]State, len(members))
	for i := range members {
		u := members[i].Upstream
		list[i] = State{Addr: u.Addr(), Health: u.Health(), Latency: u.Latency()}
	}
	return list
}

// Warm makes upstreams that join the pool begin with what was known of them
// elsewhere, instead of waiting for their first probe. It is called before the
// first Update.
func (p *Pool) Warm(states []State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warm = make(map[string]State, len(states))
	for _, s := range states {
		p.warm[s.Addr] = s
	}
}

// begin takes over what is known of an upstream. Called with the pool's mu held,
// before anybody else knows u.
func (u *Upstream) begin(s State) {
	if u.pool.checked() && (s.Health == Up || s.Health == Down) {
		u.health.Store(uint32(s.Health))
		if s.Health == Up {
			u.evidence.heard.Store(time.Now().UnixNano())
		}
	}
	u.latency.stamp.Store(time.Now().UnixNano())
	u.latency.value.Store(math.Float64bits(float64(s.Latency)))
}
