package gate

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/config"
)

// checksOf is a pool's part in health checks that count for several pools (health.from):
// one pool makes them, and lends the verdicts to the borrowers. A borrower checks only
// the upstreams that the lender lacks.
type checksOf struct {
	lender atomic.Pointer[pool]    // whose checks count here; nil = own checks
	to     atomic.Pointer[[]*pool] // the borrowers; nil = none
	pairs  atomic.Pointer[pairs]   // nil = the pool borrows nothing
}

func (c *checksOf) borrowers() []*pool {
	if to := c.to.Load(); to != nil {
		return *to
	}
	return nil
}

// pairs are the upstreams of a borrower with their counterparts. It is immutable.
type pairs struct {
	lender *pool
	of     map[*balancer.Upstream]*balancer.Upstream   // the counterpart of a borrower's upstream
	to     map[*balancer.Upstream][]*balancer.Upstream // the inverse
}

// link connects pools with the pools whose checks count for them, and disconnects those
// of before. It is called once new pools have their first upstreams, or have waited for
// them: a borrower checks what its lender lacks.
func link(c *config.Config, pools, before map[string]*pool) {
	to := map[*pool][]*pool{}
	var changed []*pool
	connect := func(p, lender *pool) {
		if p.checksOf.lender.Swap(lender) != lender {
			changed = append(changed, p)
		}
	}
	for name, p := range pools {
		lender := pools[c.ChecksFrom(name)]
		if lender == p {
			lender = nil
		} else {
			to[lender] = append(to[lender], p)
		}
		connect(p, lender)
	}
	for name, p := range before {
		if pools[name] != p {
			connect(p, nil)
			p.checksOf.to.Store(nil)
		}
	}
	for _, p := range pools {
		list := to[p]
		p.checksOf.to.Store(&list)
	}
	for _, p := range changed {
		p.watchMembers()
	}
	for lender := range to {
		lender.lendAgents() // a reload may have taken its agents
	}
}

// borrow pairs upstreams with those of the lender. It returns the upstreams that this
// pool checks itself, and those with a new counterpart. p.watch must be held.
func (p *pool) borrow(upstreams []*balancer.Upstream) (own, joined []*balancer.Upstream) {
	before, lender := p.checksOf.pairs.Load(), p.checksOf.lender.Load()
	var next *pairs
	switch {
	case p.parts.Load().config.Health.From == "":
		own, upstreams = upstreams, nil
	case lender == nil: // not linked yet
		upstreams = nil
	default:
		next = pair(lender, upstreams)
	}
	for _, u := range upstreams {
		switch c := next.counterpart(u); c {
		case nil:
			own = append(own, u)
		case before.counterpart(u):
		default:
			joined = append(joined, u)
		}
	}
	p.checksOf.pairs.Store(next)
	if before != nil {
		for u := range before.of {
			if next.counterpart(u) == nil {
				u.OnNudge(nil)
			}
		}
	}
	return own, joined
}

// counterpart returns the upstream whose verdict counts for u; nil = none.
func (p *pairs) counterpart(u *balancer.Upstream) *balancer.Upstream {
	if p == nil {
		return nil
	}
	return p.of[u]
}

// pair finds the counterparts of upstreams.
func pair(lender *pool, upstreams []*balancer.Upstream) *pairs {
	p := &pairs{lender: lender, of: map[*balancer.Upstream]*balancer.Upstream{}, to: map[*balancer.Upstream][]*balancer.Upstream{}}
	there := map[string]*balancer.Upstream{}
	for _, u := range lender.live().Upstreams() {
		there[u.Addr()] = u
	}
	find := counterparts(slices.Collect(maps.Keys(there)))
	for _, u := range upstreams {
		if c := there[find(u.Addr())]; c != nil {
			p.of[u] = c
			p.to[c] = append(p.to[c], u)
		}
	}
	return p
}

// counterparts returns a function that finds the counterpart of an address among those of
// the lender: the same, or else the only one on its host, "" without one.
func counterparts(there []string) func(addr string) string {
	known, byHost := map[string]bool{}, map[string][]string{}
	for _, addr := range there {
		known[addr] = true
		if h := hostOf(addr); h != "" {
			byHost[h] = append(byHost[h], addr)
		}
	}
	return func(addr string) string {
		if known[addr] {
			return addr
		}
		if list := byHost[hostOf(addr)]; len(list) == 1 {
			return list[0]
		}
		return ""
	}
}

// hostOf returns the host of an upstream's address, "" for a Unix socket.
func hostOf(addr string) string {
	if strings.HasPrefix(addr, "unix:") {
		return ""
	}
	host, _, _ := net.SplitHostPort(addr)
	return host
}

// follow passes requests for a probe of these upstreams to their counterparts. p.watch
// must be held.
func (p *pool) follow(joined []*balancer.Upstream) {
	m := p.checksOf.pairs.Load()
	for _, u := range joined {
		c := m.of[u]
		u.OnNudge(func() {
			select {
			case <-u.Nudged():
			default:
			}
			c.Nudge()
		})
	}
}

// seed gives upstreams the present verdict of their new counterparts, if there is one.
func (p *pool) seed(joined []*balancer.Upstream) {
	m := p.checksOf.pairs.Load()
	for _, u := range joined {
		if c := m.counterpart(u); c != nil {
			last := m.lender.findings.of(c.Addr())
			p.takeVerdict(m.lender, u, health.Event{Upstream: c, Result: health.Result(last.Err()), Err: last.Err(), Took: time.Duration(last.MS * float64(time.Millisecond)), Verdict: c.Health()})
		}
	}
}

// lends reports whether a probe of the pool's upstream counts for an upstream of another
// pool that is in use.
func (p *pool) lends(u *balancer.Upstream) bool {
	return slices.ContainsFunc(p.checksOf.borrowers(), func(b *pool) bool {
		m := b.checksOf.pairs.Load()
		return m != nil && slices.ContainsFunc(m.to[u], func(own *balancer.Upstream) bool {
			return own.Operator() != balancer.Off && own.Lifecycle() != balancer.Terminating
		})
	})
}

// lend passes the result of a probe to the borrowers.
func (p *pool) lend(e health.Event) {
	for _, b := range p.checksOf.borrowers() {
		if m := b.checksOf.pairs.Load(); m != nil && m.lender == p {
			for _, u := range m.to[e.Upstream] {
				b.takeVerdict(p, u, e)
			}
		}
	}
}

// takeVerdict gives an upstream the verdict of its counterpart after a probe of that one.
func (p *pool) takeVerdict(lender *pool, u *balancer.Upstream, e health.Event) {
	c := e.Upstream
	outdated := e.Err == nil && len(c.Nudged()) > 0 // as in the checker: live traffic has failed since
	if errors.Is(e.Err, health.ErrNotProbed) || e.Verdict == balancer.Checking || outdated || u.Removed() {
		return
	}
	e.Upstream = u
	parts, from := lender.parts.Load(), lender.name
	if u.Addr() != c.Addr() && !p.apart(parts.config.Health.Timeout, &e) {
		return
	}
	p.findings.note(e, from, time.Now())
	u.ProbeBegins(time.Now().Add(-e.Took)) // a slow request asks for no probe while the last one is recent
	u.ProbeEnds(false)
	var t balancer.Thresholds
	if parts.checker != nil {
		t = parts.checker.thresholds
	}
	e.Flipped = u.ObserveVerdict(e.Verdict, e.Result, t)
	e.Verdict = u.Health()
	p.judged(e)
}

// apartBound bounds connecting to the traffic's port: meanwhile the lender's next probe
// waits.
const apartBound = time.Second

// apart corrects the result of a probe of another port on the upstream's host, as the
// check of another port does (health.port): a refused connection there does not prove
// that this port is closed, and while the upstream is not up, its own port must accept a
// connection. It reports whether the result counts.
func (p *pool) apart(timeout time.Duration, e *health.Event) bool {
	own := p.parts.Load().checker
	switch {
	case e.Result == balancer.Refused:
		e.Result = balancer.Wrong
	case e.Err == nil && e.Verdict == balancer.Up && e.Upstream.Health() != balancer.Up && own != nil:
		ctx, cancel := context.WithTimeout(context.Background(), min(timeout, apartBound))
		defer cancel()
		if e.Err = own.prober.Probe(ctx, e.Upstream); e.Err != nil {
			e.Result, e.Verdict = health.Result(e.Err), balancer.Down
		}
	}
	return !errors.Is(e.Err, health.ErrNotProbed)
}

// lendDoubt passes on another instance's report that a probe of an upstream failed.
func (p *pool) lendDoubt(u *balancer.Upstream) {
	for _, b := range p.checksOf.borrowers() {
		if m := b.checksOf.pairs.Load(); m != nil && m.lender == p {
			for _, own := range m.to[u] {
				b.live().Doubt(own.Addr())
			}
		}
	}
}

// lendAgents passes the words of the pool's agents to the borrowers.
func (p *pool) lendAgents() {
	for _, b := range p.checksOf.borrowers() {
		b.borrowAgents()
	}
}

// borrowAgents takes the words of the lender's agents about the counterparts.
func (p *pool) borrowAgents() {
	a, m := p.parts.Load().agents, p.checksOf.pairs.Load()
	if m == nil || a == nil || !a.borrowed {
		return
	}
	words := map[string]health.AgentWord{}
	if theirs := m.lender.parts.Load().agents; theirs != nil {
		theirs.mu.Lock()
		for u, c := range m.of {
			if w, ok := theirs.words[c.Addr()]; ok {
				words[u.Addr()] = w
			}
		}
		theirs.mu.Unlock()
	}
	a.mu.Lock()
	a.words = words
	a.mu.Unlock()
	if p.agentsSayOther(a) {
		p.apply()
	}
}
