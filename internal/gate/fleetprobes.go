package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/fleet"
)

const (
	// shareFrom is the product of upstreams and instances from which the fleet shares
	// checks by itself. Below it, a fleet that checks every 2 s makes fewer than 500
	// checks per second in all. Sharing ends when the product falls below shareUntil.
	shareFrom  = 1000
	shareUntil = 750
	// shareMembers is the least number of instances for sharing. Each upstream has two
	// checkers, so three instances would save only a third.
	shareMembers = 4
)

// sharedProbes is the gate's part in the health checks that the fleet shares.
type sharedProbes struct {
	probes *fleet.Probes
	fleet  *fleet.Fleet
	mode   string // setting fleet.probes

	mu     sync.RWMutex // protects the fields below
	on     bool
	duties *fleet.Duties
	pools  map[string]probed
	index  map[uint64]probedUpstream     // of all pools
	keys   map[*balancer.Upstream]uint64 // the inverse of index
}

// probed is a pool with health checks.
type probed struct {
	checker   *health.Checker
	pool      *balancer.Pool
	check     string // identifies the check: equal on instances that check in the same way
	interval  time.Duration
	upstreams []*balancer.Upstream
	doubt     func(*balancer.Upstream) // doubts it in the pools that take its verdict; nil = none
}

type probedUpstream struct {
	pool     string
	upstream *balancer.Upstream
}

// newSharedProbes returns the part for a mode. It is called before the fleet runs.
func newSharedProbes(f *fleet.Fleet, mode string) *sharedProbes {
	s := &sharedProbes{fleet: f, mode: mode, pools: map[string]probed{}}
	s.probes = f.NewProbes(s.heard)
	f.FollowMembers(func(*fleet.State) { s.assign() })
	return s
}

// set replaces the checked upstreams of a pool; none removes the pool.
func (s *sharedProbes) set(pool string, p probed) {
	s.mu.Lock()
	s.pools[pool] = p
	if len(p.upstreams) == 0 {
		delete(s.pools, pool)
	}
	every := time.Duration(0)
	s.index, s.keys = map[uint64]probedUpstream{}, map[*balancer.Upstream]uint64{}
	for name, p := range s.pools {
		if every == 0 || p.interval < every {
			every = p.interval
		}
		for _, u := range p.upstreams {
			key := s.fleet.Hash(fmt.Appendf(nil, "probe %s %s %s", name, u.Addr(), p.check))
			s.index[key], s.keys[u] = probedUpstream{name, u}, key
		}
	}
	s.mu.Unlock()
	if every > 0 {
		s.probes.SetEvery(every)
	}
	s.assign()
}

// assign decides whether checks are shared, and which of them this instance makes.
func (s *sharedProbes) assign() {
	members := s.fleet.State().Portion().Of
	s.mu.Lock()
	total := members * len(s.index)
	switch {
	case s.mode != "auto":
		s.on = s.mode == "shared"
	case s.on:
		s.on = members >= shareMembers && total >= shareUntil
	default:
		s.on = members >= shareMembers && total >= shareFrom
	}
	on := s.on
	s.duties = s.probes.Duties()
	s.mu.Unlock()
	s.probes.SetTakesPart(on)
}

// elsewhere reports whether only other instances check an upstream.
func (s *sharedProbes) elsewhere(u *balancer.Upstream) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.on || s.duties == nil {
		return false
	}
	key, ok := s.keys[u]
	return ok && !s.duties.Mine(key)
}

// tell sends the result of a check to the other instances.
func (s *sharedProbes) tell(e health.Event) {
	if errors.Is(e.Err, health.ErrNotProbed) {
		return
	}
	s.mu.RLock()
	key, known := s.keys[e.Upstream]
	tells := known && s.on && s.duties != nil && s.duties.Mine(key)
	interval := s.pools[s.index[key].pool].interval
	s.mu.RUnlock()
	if tells {
		s.probes.Tell(fleet.Found{Key: key, Passed: e.Err == nil}, interval)
	}
}

// heard handles the results of other instances' checks. It never changes a verdict. It
// starts checks here, and after a failure elsewhere it keeps requests that cannot be
// retried from the upstream.
func (s *sharedProbes) heard(list []fleet.Found) {
	for _, f := range list {
		s.mu.RLock()
		of, known := s.index[f.Key]
		p, on := s.pools[of.pool], s.on
		s.mu.RUnlock()
		if !known || !on {
			continue
		}
		if f.News && !f.Passed {
			p.pool.Doubt(of.upstream.Addr())
			if p.doubt != nil {
				p.doubt(of.upstream)
			}
		}
		p.checker.Heard(of.upstream, f.Passed)
	}
}

// count returns the number of checked upstreams, the number that this instance checks,
// and whether checks are shared.
func (s *sharedProbes) count() (all, here int, shared bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	shared = s.on && s.duties != nil
	for key := range s.index {
		if !shared || s.duties.Mine(key) {
			here++
		}
	}
	return len(s.index), here, shared
}

// watch passes on the upstreams that a pool checks; none ends that. f may be nil.
func (f *inFleet) watch(p *pool, c *checker, upstreams []*balancer.Upstream) {
	if f == nil {
		return
	}
	of := probed{upstreams: upstreams}
	if c != nil {
		parts := p.parts.Load()
		of.doubt = p.lendDoubt
		of.checker, of.pool, of.check, of.interval = c.Checker, parts.live.Pool, checkOf(parts.config), parts.config.Health.Interval
	}
	f.probes.set(p.name, of)
}

// checkOf identifies the check of a pool: its protocol and all its settings.
func checkOf(c config.Pool) string {
	text, _ := json.Marshal([]any{c.Protocol, c.ProxyProtocol, c.Health, c.TLS}) // without an error: plain data
	return string(text)
}
