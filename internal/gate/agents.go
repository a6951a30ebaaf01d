package gate

import (
	"context"
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

	mu     sync.Mutex                  // protects the fields below
	words  map[string]health.AgentWord // by address
	put    string                      // the words in use by the pool
	shares map[string]agentShare       // by address; what adjust has made the weights of the pool from
}

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
	return &agents{agent: health.Agent{Port: c.Agent.Port, Send: send}, every: c.Agent.Interval, timeout: c.Timeout, words: map[string]health.AgentWord{}}
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

// askAgents asks all agents once per interval, until ctx ends.
func (p *pool) askAgents(ctx context.Context, a *agents) {
	ticker := time.NewTicker(a.every)
	defer ticker.Stop()
	for {
		members := p.live().Members()
		slots := make(chan struct{}, probesAtOnce)
		var wg sync.WaitGroup
		for i := range members {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				p.askAgent(ctx, a, members[i].Upstream)
			})
		}
		wg.Wait()
		a.forget(members)
		if ctx.Err() == nil && p.agentsSayOther(a) {
			p.apply()
		}
		p.lendAgents()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// askAgent asks one agent. If the agent does not answer, its last word stays in force:
// the health check decides whether the upstream works.
func (p *pool) askAgent(ctx context.Context, a *agents, u *balancer.Upstream) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("no answer within %v (timeout): %w", a.timeout, context.DeadlineExceeded))
	defer cancel()
	a.mu.Lock()
	before := a.words[u.Addr()]
	a.mu.Unlock()
	word, err := a.agent.Ask(ctx, u, before)
	if err != nil {
		p.log.Debug("agent check failed", "upstream", u.Addr(), "error", err.Error())
		return
	}
	if word != before {
		p.log.Info("agent says", "upstream", u.Addr(), "word", word.String(), "before", before.String())
	}
	a.mu.Lock()
	a.words[u.Addr()] = word
	a.mu.Unlock()
}

// forget drops the words about upstreams that have left the pool.
func (a *agents) forget(members []balancer.Member) {
	present := map[string]bool{}
	for i := range members {
		present[members[i].Addr()] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.words, func(addr string, _ health.AgentWord) bool { return !present[addr] })
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

// share returns what an upstream's weight in the pool is made from; zero = nothing is known,
// or a is nil.
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
