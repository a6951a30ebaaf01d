package balancer

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a [Pool].
type Options struct {
	Name   string
	Policy string // a name in [Policies]; empty = peak_ewma
	// NewPolicy makes a policy of one's own, named Policy, or custom. It
	// is called for the members of each tier, and again whenever these change, with the
	// pool's lock held: it must not call the pool. Nil = Policy is one of [Policies].
	//
	// A member that the policy returns and that cannot take the request is replaced by
	// another, so a mistake in a policy costs balance, and no request. Latency outliers
	// are not looked for: only a policy that chooses freely makes members comparable.
	NewPolicy func([]Member, PolicyOptions) Policy

	HashLoad      float64 // policy hash: a member's load is at most this multiple of the mean; 0 = unbounded
	Breaker       BreakerOptions
	Outlier       OutlierOptions
	MaxEjected    float64       // share of the members whose breakers may be open at once; never the last available one
	SlowStart     time.Duration // how long a returning upstream takes to get its full share; 0 = at once
	Overprovision float64       // tier 0 counts as full while this times its available share is at least 1; 0 = 1.4
	Checked       bool          // something feeds ObserveProbe: new upstreams wait for their first verdict

	Zone ZoneOptions // where this process runs, so that requests stay there; the zero value = zones do not count

	Adaptive AdaptiveOptions // how many requests at once each upstream gets
	// Protect makes the limits of Adaptive hold, where that is not Enabled, while the
	// pool is asked for more than it can do, and no member has a MaxInFlight.
	Protect bool

	// Open makes what connects to an upstream. The pool never looks into it; it
	// closes it when the upstream has left the pool and its last lease has ended.
	Open func(Spec) io.Closer
	// Notify is told of every change of an upstream's availability, in order and
	// one at a time, without a lock held; by whichever goroutine is at it. How an
	// upstream is when it joins is no change.
	Notify func(Change)
	// Placed is told that [Pool.Places] may have changed. It must not block.
	Placed func()
	// Tell is told what a comparison of the members has found. It is not called
	// twice at once.
	Tell func(Finding)
}

// Change says that an upstream became available or unavailable.
type Change struct {
	Upstream  *Upstream
	Available bool
	Left      int  // available members in the pool after the change
	Early     bool // it is available as a trial before its breaker's time, since the pool had nobody else
}

// Policies returns the names of all policies.
func Policies() []string { return slices.Sorted(maps.Keys(policies)) }

// Pool is a set of members under one policy. Its set changes as a whole by
// [Pool.Update]; a pick sees one set or the other.
type Pool struct {
	opts         atomic.Pointer[Options]
	set          atomic.Pointer[set]
	shares       atomic.Pointer[shares]
	introduction atomic.Pointer[Introduction] // nil = nobody is being introduced
	inFlight     atomic.Int64
	waiters      waitlist
	pause        atomic.Pointer[Pause] // nil = none
	standby      standby
	places       places
	overload     overload
	zoned        zoneCounts
	followed     atomic.Int32 // how many follow
	watched      atomic.Bool  // the timer that judges the members is set
	judging      sync.Mutex   // held while they are judged

	mu        sync.Mutex // protects the fields below and the pool's marks in Upstream
	upstreams map[string]*Upstream
	followers []*follower      // replaced, never changed
	warm      map[string]State // for upstreams that are still to join
	peers     map[string]int   // by SetPeers
	total     int              // members that serve by their lifecycle
	totals    []int            // the same by place of the tier in set.tiers
	available []int            // by place of the tier in set.tiers
	steady    int              // available and not ejected
	ejected   int
	dry       bool // nobody steady is left, or the last one fails; see droughttrial.go
	droughts  int  // how often it has run dry
	common    bool // most members fail alike, by the last look at all
	lastAlike likeness
	notices   notices
}

// set is an immutable list of members, in order of tier.
type set struct {
	members []Member
	tiers   []tier
	told    bool // a member has a MaxInFlight
}

// tier is the members of one tier and the policy over them.
type tier struct {
	number  int
	members []Member
	policy  Policy
	zones   *zones // nil = they do not count
}

// pick picks a member of the tier.
func (t *tier) pick(c *Choice) *Member {
	if t.zones == nil {
		return t.policy.Pick(c)
	}
	return t.zones.pick(c, t.policy)
}

// NewPool returns an empty pool. It fails when the policy has no row.
func NewPool(o Options) (*Pool, error) {
	if err := o.prepare(); err != nil {
		return nil, err
	}
	p := &Pool{upstreams: map[string]*Upstream{}}
	p.opts.Store(&o)
	p.set.Store(&set{})
	p.shares.Store(&shares{})
	return p, nil
}

// Name returns the pool's name.
func (p *Pool) Name() string { return p.opts.Load().Name }

// Policy returns the name of the pool's policy.
func (p *Pool) Policy() string { return p.opts.Load().Policy }

// ComparesSpeeds reports whether upstreams are meant to be equally fast, so that one that
// is slower than the others stands out: [OutlierOptions] are enabled. It is safe for
// concurrent use.
func (p *Pool) ComparesSpeeds() bool {
	o := &p.opts.Load().Outlier
	return o.Enabled && o.SlowFactor > 0
}

// InFlight returns the number of leases in the pool that have not been released.
func (p *Pool) InFlight() int { return int(p.inFlight.Load()) }

// Members returns the present members in order of tier. The slice is shared
// and must not be changed.
func (p *Pool) Members() []Member { return p.set.Load().members }

// Upstreams returns the upstreams of the present members, as a slice of the caller's.
func (p *Pool) Upstreams() []*Upstream {
	members := p.Members()
	list := make([]*Upstream, len(members))
	for i := range members {
		list[i] = members[i].Upstream
	}
	return list
}

// Overfull reports whether more is asked of the pool than its members may take:
// those that are available are at their limit of requests at once, and the
// queue for their places stands. It may look at every member, and so is for
// when something has failed.
func (p *Pool) Overfull() bool {
	if !p.waiters.standing() {
		return false
	}
	full := false
	members := p.Members()
	for i := range members {
		m := &members[i]
		if !m.Available() {
			continue
		}
		if m.limit() == 0 || !m.beyond(m.inFlight.Load()+2) { // one place may have been given back just now
			return false
		}
		full = true
	}
	return full
}

// Update replaces the members. Upstreams whose address, name and use of TLS stay
// keep their state; the others get their last requests answered and are then closed. Of specs
// with the same address the first counts.
func (p *Pool) Update(specs []Spec) {
	p.mu.Lock()
	gone, returned := p.replace(specs)
	p.mu.Unlock()
	for _, u := range gone {
		u.remove()
	}
	for _, u := range returned {
		u.returned()
	}
	p.tellFollowers()
	p.watchOverload()
	p.waiters.wakeAll()
	p.placesChanged()
	p.deliver()
}

// replace builds the new set, and returns the upstreams that are not in it and those
// that serve again.
func (p *Pool) replace(specs []Spec) (gone, returned []*Upstream) {
	before := p.upstreams
	p.upstreams = make(map[string]*Upstream, len(specs))
	members := make([]Member, 0, len(specs))
	for _, s := range specs {
		if p.upstreams[s.Addr] != nil {
			continue
		}
		u := before[s.Addr]
		if u == nil || u.name != s.Name || u.other != s.Other || u.tls != s.TLS {
			u = newUpstream(p, s)
		} else if u.enter(s.Lifecycle) {
			returned = append(returned, u)
		}
		p.upstreams[s.Addr] = u
		members = append(members, Member{Upstream: u, Weight: max(s.Weight, 1), Tier: s.Tier, MaxInFlight: s.MaxInFlight, details: newDetails(s)})
	}
	for addr, u := range before {
		if p.upstreams[addr] != u {
			gone = append(gone, u)
		}
	}
	slices.SortStableFunc(members, func(a, b Member) int { return cmp.Compare(a.Tier, b.Tier) })
	p.set.Store(p.newSet(members))
	p.recount()
	return gone, returned
}

func (p *Pool) newSet(members []Member) *set {
	s := &set{members: members, told: slices.ContainsFunc(members, func(m Member) bool { return m.MaxInFlight > 0 })}
	opts := p.opts.Load()
	build := policies[opts.Policy]
	if opts.NewPolicy != nil {
		build = guarded(opts.NewPolicy)
	}
	o := PolicyOptions{HashLoad: opts.HashLoad, InFlight: p.inFlight.Load}
	for start := 0; start < len(members); {
		end := start + 1
		for end < len(members) && members[end].Tier == members[start].Tier {
			end++
		}
		t := tier{number: members[start].Tier, members: members[start:end:end]}
		t.policy = build(t.members, o)
		t.zones = p.newZones(t.members, build, o)
		s.tiers = append(s.tiers, t)
		start = end
	}
	return s
}

// Pick returns a member for one attempt, or nil when none is available and
// untried. The tier is drawn by the tiers' shares; when it has nothing, or for
// a request that cannot be sent again nothing but upstreams on trial, the others
// are asked in order.
func (p *Pool) Pick(c *Choice) *Member {
	s := p.set.Load()
	if len(s.tiers) == 0 {
		return nil
	}
	c.side = anySide
	if in := p.introduction.Load(); in != nil {
		c.side = in.side(c)
	}
	first := p.shares.Load().draw(len(s.tiers))
	m := s.tiers[first].pick(c)
	if m != nil && (len(s.tiers) == 1 || c.Replayable || m.proven()) {
		return m
	}
	return s.elsewhere(c, first, m)
}

// elsewhere picks from the tiers other than first, which had nothing better
// than m.
func (s *set) elsewhere(c *Choice, first int, m *Member) *Member {
	for i := range s.tiers {
		if i == first {
			continue
		}
		other := s.tiers[i].pick(c)
		if other != nil && (c.Replayable || other.proven()) {
			return other
		}
		if m == nil {
			m = other
		}
	}
	return m
}
