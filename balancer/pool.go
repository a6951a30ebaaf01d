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
	// NewPolicy makes a policy of your own. Policy is then the name of your policy. If
	// Policy is empty or names a built-in policy, the name is "custom". The pool calls
	// NewPolicy for the members of each tier, and again after each change, with its lock
	// held: it must not call the pool. nil = Policy is one of [Policies].
	//
	// If the policy returns a member that cannot take the request, the pool replaces it. So
	// an error in a policy makes the balance worse, but fails no request. The pool does not
	// look for slow outliers, because your policy may let the request determine the member.
	// Speeds are then not comparable.
	NewPolicy func([]Member, PolicyOptions) Policy

	HashLoad      float64 // policy hash: bound of a member's load, as a multiple of the mean; 0 = unbounded
	Breaker       BreakerOptions
	Outlier       OutlierOptions
	MaxEjected    float64       // largest share of the members whose breakers may be open at once; the breaker of the last available member never opens
	SlowStart     time.Duration // time in which a returning upstream grows to its full share; 0 = at once
	Overprovision float64       // tier 0 gets all requests while the available share of its members, multiplied by this factor, is at least 1; 0 = 1.4
	Checked       bool          // a checker calls ObserveProbe: new upstreams wait for their first verdict

	Zone ZoneOptions // the zone of this process, to keep requests there; the zero value ignores zones

	Adaptive AdaptiveOptions // how many requests each upstream gets at once
	// Protect turns the limits of Adaptive on while the pool is overloaded: while clients
	// send more requests than it can answer. It does nothing if Adaptive is Enabled or a
	// member has a MaxInFlight.
	Protect bool

	// Open makes the caller's link to an upstream. The pool does not use the link: it
	// returns it from [Upstream.Link], and closes it once the upstream has left the pool
	// and its last lease has ended. Open runs with the pool's lock held: it must not call
	// the pool.
	Open func(Spec) io.Closer
	// Notify gets every change of an upstream's availability: in order, one call at a
	// time, without a lock held, on any goroutine. An upstream that joins causes no call.
	Notify func(Change)
	// Placed runs when [Pool.Places] may have changed. It must not block.
	Placed func()
	// Tell gets the findings of each comparison of the members. Calls do not overlap.
	Tell func(Finding)
}

// Change describes one change of an upstream's availability.
type Change struct {
	Upstream  *Upstream
	Available bool
	Left      int  // available members in the pool after the change
	Early     bool // the upstream's breaker is half-open before its open time has ended, because the pool has no other upstream
}

// Policies returns the sorted names of the built-in policies.
func Policies() []string { return slices.Sorted(maps.Keys(policies)) }

// Pool is a set of members under one policy. [Pool.Update] replaces the whole set: a pick
// sees the old set or the new one.
type Pool struct {
	opts         atomic.Pointer[Options]
	set          atomic.Pointer[set]
	shares       atomic.Pointer[shares]
	introduction atomic.Pointer[Introduction] // nil = none in progress
	inFlight     atomic.Int64
	waiters      waitlist
	pause        atomic.Pointer[Pause] // nil = none
	standby      standby
	places       places
	overload     overload
	zoned        zoneCounts
	followed     atomic.Int32 // number of followers
	watched      atomic.Bool  // the timer for the next comparison of the members is set
	judging      sync.Mutex   // held during a comparison of the members

	mu        sync.Mutex // protects the fields below and the pool's marks in Upstream
	upstreams map[string]*Upstream
	followers []*follower      // replaced, never modified
	warm      map[string]State // for upstreams that have not joined yet
	peers     map[string]int   // from SetPeers
	total     int              // members whose lifecycle is Serving
	totals    []int            // total of each tier, by its place in set.tiers
	available []int            // available members of each tier, by its place in set.tiers
	steady    int              // members that are available and not ejected
	ejected   int
	dry       bool // no steady member is left, or the last one fails; see droughttrial.go
	droughts  int  // number of times that the pool has run dry
	common    bool // the last judgeAll found that most members fail alike
	lastAlike likeness
	notices   notices
}

// set is an immutable list of members, in order of tier.
type set struct {
	members []Member
	tiers   []tier
	told    bool // a member has a MaxInFlight
}

// tier has the members of one tier and the policy over them.
type tier struct {
	number  int
	members []Member
	policy  Policy
	zones   *zones // nil = zones are ignored
}

// pick picks a member of the tier.
func (t *tier) pick(c *Choice) *Member {
	if t.zones == nil {
		return t.policy.Pick(c)
	}
	return t.zones.pick(c, t.policy)
}

// NewPool returns an empty pool. It fails if the policy is unknown.
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

// ComparesSpeeds reports whether the options of the pool say that its members should be
// equally fast: [OutlierOptions] are enabled with a SlowFactor. The policy does not
// matter. ComparesSpeeds is safe for concurrent use.
func (p *Pool) ComparesSpeeds() bool {
	o := &p.opts.Load().Outlier
	return o.Enabled && o.SlowFactor > 0
}

// InFlight returns the number of unreleased leases in the pool.
func (p *Pool) InFlight() int { return int(p.inFlight.Load()) }

// Members returns the current members in order of tier. The slice is shared: do not
// modify it.
func (p *Pool) Members() []Member { return p.set.Load().members }

// Upstreams returns the upstreams of the current members, in a new slice.
func (p *Pool) Upstreams() []*Upstream {
	members := p.Members()
	list := make([]*Upstream, len(members))
	for i := range members {
		list[i] = members[i].Upstream
	}
	return list
}

// Overfull reports whether the pool has more requests than its members may take: all
// available members are at their limit of requests in flight, and the queue is congested.
// It may visit every member: call it only after a failure.
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
		if m.limit() == 0 || !m.beyond(m.inFlight.Load()+2) { // another request may have given back a place just now
			return false
		}
		full = true
	}
	return full
}

// Update replaces the members. An upstream keeps its state if its address, name, second
// address and use of TLS stay the same. The other upstreams leave: requests in flight
// finish, then the pool closes their links. If several specs have the same address, the
// first counts.
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

// replace builds the new set. It returns the upstreams that leave and those that serve
// again. mu must be held.
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

// Pick returns a member for one attempt, or nil if no untried member is available. It
// draws the tier by the tiers' shares. If that tier has no member, it asks the other
// tiers in order. It also does so if the tier has only upstreams on trial and the request
// is not Replayable.
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

// elsewhere picks from the tiers other than first. m is the best member of first, or nil.
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
