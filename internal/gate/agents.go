package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/config"
)

// agents asks the agent programs beside a pool's upstreams for the share of the load that
// each upstream can take.
type agents struct {
	agent    health.Agent
	every    time.Duration
	timeout  time.Duration
	borrowed bool // from another pool (health.from): no agent is asked
	task     *task
	news     chan struct{} // an agent has said something new; has room for one

	mu     sync.Mutex                  // protects the fields below
	words  map[string]health.AgentWord // by address
	states map[string]agentState       // by address
	put    string                      // the words in use by the pool
	shares map[string]agentShare       // by address; adjust has computed the weights of the pool from them
}

// agentState says whether a check of an agent is in progress, and whether the last one
// failed.
type agentState struct{ asking, failing bool }

// agentShare is an upstream's weight without its agent's percentage, and this percentage.
type agentShare struct{ weight, percent int }

// newAgents returns the agents of a pool, nil when it has none. With the checks of
// another pool, its agents' words count here too, and no agent is asked: see
// [pool.borrowAgents].
func newAgents(c config.Health) *agents {
	switch {
	case c.From != "":
		return &agents{borrowed: true, words: map[string]health.AgentWord{}}
	case c.Agent == nil:
		return nil
	}
	send, _ := config.StepBytes(c.Agent.Send) // the configuration has checked it
	return &agents{agent: health.Agent{Port: c.Agent.Port, Send: send}, every: c.Agent.Interval, timeout: c.Timeout,
		news: make(chan struct{}, 1), words: map[string]health.AgentWord{}, states: map[string]agentState{}}
}

func (p *pool) startAgents(ctx context.Context, next *parts) {
	if a := next.agents; a != nil && !a.borrowed {
		a.task = begin(ctx, func(ctx context.Context) { p.askAgents(ctx, a) })
	}
}

func (a *agents) stop() {
	if a != nil {
		a.task.stop()
	}
}

// askAgents asks each agent once per interval, until ctx ends. It waits for none: an agent
// that does not answer delays neither the other agents nor the effect of their words.
func (p *pool) askAgents(ctx context.Context, a *agents) {
	ticker := time.NewTicker(a.every)
	defer ticker.Stop()
	slots := make(chan struct{}, probesAtOnce)
	var asking sync.WaitGroup
	defer asking.Wait()
	for next := true; ; {
		if next {
			for _, u := range a.idle(p.live().Members()) {
				asking.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					p.askAgent(ctx, a, u)
				})
			}
		}
		if ctx.Err() == nil && p.agentsSayOther(a) {
			p.apply()
		}
		p.lendAgents()
		select {
		case <-ticker.C:
			next = true
		case <-a.news:
			next = false
		case <-ctx.Done():
			return
		}
	}
}

// idle returns the upstreams whose agents are not being asked. The caller must ask them
// now. idle drops what is known about upstreams that have left the pool.
func (a *agents) idle(members []balancer.Member) (list []*balancer.Upstream) {
	present := map[string]bool{}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range members {
		addr := members[i].Addr()
		present[addr] = true
		if s := a.states[addr]; !s.asking {
			s.asking = true
			a.states[addr] = s
			list = append(list, members[i].Upstream)
		}
	}
	gone := func(addr string) bool { return !present[addr] }
	maps.DeleteFunc(a.words, func(addr string, _ health.AgentWord) bool { return gone(addr) })
	maps.DeleteFunc(a.states, func(addr string, s agentState) bool { return gone(addr) && !s.asking })
	return list
}

// askAgent asks one agent. If the agent does not answer, its last word stays in force:
// the health check decides whether the upstream works.
func (p *pool) askAgent(ctx context.Context, a *agents, u *balancer.Upstream) {
	limited, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("no answer within %v (timeout): %w", a.timeout, context.DeadlineExceeded))
	defer cancel()
	addr := u.Addr()
	a.mu.Lock()
	before := a.words[addr]
	a.mu.Unlock()
	word, err := a.agent.Ask(limited, u, before)
	a.mu.Lock()
	failed := a.states[addr].failing
	failing := err != nil && !errors.Is(err, health.ErrNotProbed)
	a.states[addr] = agentState{failing: failing}
	if err == nil {
		a.words[addr] = word
	}
	a.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	switch {
	case failing && !failed:
		p.log.Warn("agent check fails", "upstream", addr, "error", err.Error())
	case failed && !failing:
		p.log.Info("agent check passes", "upstream", addr)
	}
	if word == before {
		return
	}
	if word.String() != before.String() {
		p.log.Info("agent says", "upstream", addr, "word", word.String(), "before", before.String())
	}
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// agentsSayOther reports whether the agents' latest words would change the pool.
func (p *pool) agentsSayOther(a *agents) bool {
	p.members.mu.Lock()
	defer p.members.mu.Unlock()
	w := p.said()
	list := p.members.specs(&w, p.fleet)
	a.mu.Lock()
	before := a.put
	a.mu.Unlock()
	a.adjust(list, p.live().Members())
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.put != before
}

// adjust applies the agents' words to specifications. Agents take upstreams out, but
// never the last one that serves and is up: then all upstreams that agents have taken out
// stay. A nil a changes nothing.
func (a *agents) adjust(list []balancer.Spec, members []balancer.Member) {
	if a == nil {
		return
	}
	up := map[string]bool{}
	for i := range members {
		up[members[i].Addr()] = members[i].Health() == balancer.Up || members[i].Health() == balancer.Checking
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.borrowed && len(a.words) == 0 {
		a.put, a.shares = "", nil
		return
	}
	left := slices.ContainsFunc(list, func(s balancer.Spec) bool {
		return s.Lifecycle == balancer.Serving && s.Operator == balancer.Ready && !a.words[s.Addr].Out() && up[s.Addr]
	})
	divisor := 0
	a.shares = make(map[string]agentShare, len(list))
	for i := range list {
		s, word := &list[i], a.words[list[i].Addr]
		share := word.Share()
		if word.Out() { // it gets nothing, or, when all are out, its full weight
			share = 100
		}
		a.shares[s.Addr] = agentShare{max(s.Weight, 1), share}
		s.Weight = max(s.Weight, 1) * share
		divisor = commonDivisor(divisor, s.Weight)
		if word.Out() && left {
			s.Lifecycle = balancer.NotReady
		}
	}
	var b strings.Builder
	for i := range list {
		list[i].Weight /= divisor
		fmt.Fprintln(&b, list[i].Addr, list[i].Weight, list[i].Lifecycle)
	}
	a.put = b.String()
}

// share returns the weight and the percentage that give an upstream's weight in the pool;
// zero = unknown, or a is nil.
func (a *agents) share(addr string) agentShare {
	if a == nil {
		return agentShare{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.shares[addr]
}

func commonDivisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
