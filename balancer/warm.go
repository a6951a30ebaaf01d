package balancer

import (
	"math"
	"time"
)

// State is the part of an upstream's state that a process passes to its successor.
type State struct {
	Addr    string        `json:"addr"`
	Health  Health        `json:"health"`
	Latency time.Duration `json:"latency,omitempty"`
}

// States returns the states of the members.
func (p *Pool) States() []State {
	members := p.Members()
	list := make([]State, len(members))
	for i := range members {
		u := members[i].Upstream
		list[i] = State{Addr: u.Addr(), Health: u.Health(), Latency: u.Latency()}
	}
	return list
}

// Warm sets the initial states of upstreams that will join the pool, so that they need
// not wait for their first probe. Call it before the first Update.
func (p *Pool) Warm(states []State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warm = make(map[string]State, len(states))
	for _, s := range states {
		p.warm[s.Addr] = s
	}
}

// begin applies a known state. The pool's mu must be held, and u must not be shared yet.
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
