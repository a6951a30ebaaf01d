package balancer

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// ZoneOptions say how requests are kept in the zone in which this process runs.
//
// A zone gets at most what its members may take: where more comes than Load times an even
// spread, the rest goes to the zones that have something left, in proportion to that. So no
// zone is flooded, and none is left without work. What is available counts, so that a zone
// whose members fail gets less, and one without any gets nothing. (Envoy, zone aware
// routing.) It needs to be known how the processes that send are spread: see Peers.
type ZoneOptions struct {
	Own   string         // where this process runs; "" = zones do not count
	Load  float64        // a member's load is at most this multiple of that of an even spread; below 1 = 1.2
	Min   int            // zones count in tiers of at least so many members; below 1 = 6
	Peers map[string]int // how many processes like this one send from each zone, this one among them; nil = as [Pool.SetPeers] says
}

const (
	defaultZoneLoad = 1.2
	defaultZoneMin  = 6
)

// ZoneState says whether zones count, and why not.
type ZoneState uint8

const (
	ZonesOff     ZoneState = iota // it is not known where this process runs
	ZonesUnknown                  // of a member it is not known where that runs
	ZonesAlike                    // all members are in one zone
	ZonesFew                      // the tier has too few members
	ZonesOut                      // none of them is available
	ZonesOn
)

// String returns the word used in logs and answers.
func (s ZoneState) String() string {
	return [...]string{"off", "unknown", "alike", "few", "out", "on"}[s]
}

// ZoneReport says how a pool keeps requests in the zone of this process.
type ZoneReport struct {
	State ZoneState // of the first tier
	Own   string
	Meant float64 // share of the requests that are meant for the own zone, of the first tier
	Kept  uint64  // picks of members in the own zone, while the state was [ZonesOn]
	Left  uint64  // picks of others
}

// Zones tells how the pool uses zones. It is safe for concurrent use.
func (p *Pool) Zones() ZoneReport {
	r := ZoneReport{Own: p.opts.Load().Zone.Own, Kept: p.zoned.kept.Load(), Left: p.zoned.left.Load()}
	tiers := p.set.Load().tiers
	if r.Own == "" || len(tiers) == 0 {
		return r
	}
	z := tiers[0].zones
	if z == nil {
		r.State = zonesOf(tiers[0].members, p.opts.Load().Zone).state
		return r
	}
	r.State = ZonesOut
	if s := z.shares.Load(); s != nil {
		r.State, r.Meant = ZonesOn, s.of(0)
	}
	return r
}

// SetPeers says how many processes like this one send from each zone, this one among them,
// where [ZoneOptions] do not say it: with peers that come and go. nil = as many from each
// zone. The map is the pool's from then on. It is safe for concurrent use.
func (p *Pool) SetPeers(peers map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.peers = peers
	p.share()
}

// zoneCounts counts picks.
type zoneCounts struct{ kept, left atomic.Uint64 }

// zones are the members of a tier by zone, with a policy over each. nil = zones do not
// count.
type zones struct {
	list   []*zonePart // the own zone first, whether or not it has members
	parts  []int32     // by place in the tier: the place in list
	shares atomic.Pointer[zoneShares]
	counts *zoneCounts
}

// zonePart is one zone of a tier.
type zonePart struct {
	name      string
	members   []Member
	policy    Policy
	available int // weight of its available members; guarded by Pool.mu
}

// grouping is a tier's members by zone.
type grouping struct {
	state ZoneState // ZonesOn = they can be used
	list  []*zonePart
	parts []int32
}

// zonesOf sorts members into zones.
func zonesOf(members []Member, o ZoneOptions) grouping {
	g := grouping{list: []*zonePart{{name: o.Own}}, state: ZonesOn}
	for i := range members {
		name := members[i].Zone()
		if name == "" {
			return grouping{state: ZonesUnknown}
		}
		at := slices.IndexFunc(g.list, func(z *zonePart) bool { return z.name == name })
		if at < 0 {
			at = len(g.list)
			g.list = append(g.list, &zonePart{name: name})
		}
		g.list[at].members = append(g.list[at].members, members[i])
		g.parts = append(g.parts, int32(at))
	}
	least := o.Min
	if least < 1 {
		least = defaultZoneMin
	}
	switch {
	case len(g.list) < 2, len(g.list) == 2 && len(g.list[0].members) == 0:
		g.state = ZonesAlike
	case len(members) < least:
		g.state = ZonesFew
	}
	return g
}

// newZones returns nil when zones do not count for members.
func (p *Pool) newZones(members []Member, build func([]Member, PolicyOptions) Policy, o PolicyOptions) *zones {
	zone := p.opts.Load().Zone
	if zone.Own == "" {
		return nil
	}
	g := zonesOf(members, zone)
	if g.state != ZonesOn {
		return nil
	}
	z := &zones{list: g.list, parts: g.parts, counts: &p.zoned}
	for i, part := range z.list {
		o.InFlight = func() int64 { return int64(float64(p.inFlight.Load()) * z.shares.Load().of(i)) }
		part.policy = build(part.members, o)
	}
	return z
}

// part returns that of the member at a place of the tier.
func (z *zones) part(place int) *zonePart {
	if z == nil {
		return nil
	}
	return z.list[z.parts[place]]
}

// pick draws a zone and picks there. When a few draws find nobody who welcomes the request,
// since the zone is full or much of it is out, all of the tier is asked: the fuller a zone,
// the more goes elsewhere.
func (z *zones) pick(c *Choice, all Policy) *Member {
	s := z.shares.Load()
	if s == nil {
		return all.Pick(c)
	}
	var m *Member
	if p, ok := all.(*sticky); ok {
		m = p.known(c)
	}
	if m == nil {
		m = z.list[s.draw(c.Hash)].pick(c)
	}
	if m == nil {
		m = all.Pick(c)
	}
	switch {
	case m == nil:
	case m.Zone() == z.list[0].name:
		z.counts.kept.Add(1)
	default:
		z.counts.left.Add(1)
	}
	return m
}

// zoneTries is how often a zone's policy is asked, which makes a few draws each time.
const zoneTries = 2

// pick picks a member of the zone that welcomes the request; nil when none was found soon.
func (z *zonePart) pick(c *Choice) (m *Member) {
	c.near = true
	for range zoneTries {
		if m = z.policy.Pick(c); m != nil {
			break
		}
	}
	c.near = false
	return m
}

// share recomputes how the load is split over the zones; peers count where o has none.
// Called with the pool's mu held.
func (z *zones) share(o ZoneOptions, peers map[string]int) {
	if z == nil {
		return
	}
	if o.Peers == nil {
		o.Peers = peers
	}
	load := o.Load
	if load < 1 {
		load = defaultZoneLoad
	}
	weights, senders := make([]int, len(z.list)), make([]float64, len(z.list))
	elsewhere := 0.0 // senders in zones without members
	for i, part := range z.list {
		weights[i], senders[i] = part.available, 1
		if o.Peers != nil {
			senders[i] = float64(o.Peers[part.name])
		}
	}
	senders[0] = max(senders[0], 1)
	for name, n := range o.Peers {
		if !slices.ContainsFunc(z.list, func(part *zonePart) bool { return part.name == name }) {
			elsewhere += float64(n)
		}
	}
	z.shares.Store(newZoneShares(weights, senders, elsewhere, load))
}

// zoneShares says how the load is split over the zones, as cumulative probability.
type zoneShares struct{ upTo []float64 }

// newZoneShares splits the load of a process in the first zone. weights are what is
// available in each zone; senders are the processes in each, elsewhere those in zones that have
// nothing. It returns nil when nothing is available.
//
// With f the share of the weights and q that of the senders, a process keeps min(1, load f/q)
// in its zone. Zones with f > q share what others do not keep, in proportion to f - q. What
// is not kept is at most the sum of those: so a zone gets at most load f.
func newZoneShares(weights []int, senders []float64, elsewhere, load float64) *zoneShares {
	all, sending := 0, elsewhere
	for i := range weights {
		all += weights[i]
		sending += senders[i]
	}
	if all == 0 {
		return nil
	}
	spare := make([]float64, len(weights))
	sum := 0.0
	for i := range weights {
		spare[i] = max(0, float64(weights[i])/float64(all)-senders[i]/sending)
		if i > 0 {
			sum += spare[i]
		}
	}
	keep := min(1, load*(float64(weights[0])/float64(all))/(senders[0]/sending))
	if sum == 0 {
		keep = 1
	}
	s := &zoneShares{upTo: make([]float64, len(weights))}
	used := keep
	s.upTo[0] = used
	for i := 1; i < len(weights); i++ {
		if keep < 1 {
			used += (1 - keep) * spare[i] / sum
		}
		s.upTo[i] = used
	}
	return s
}

// of returns the share of a zone; 1 when the load is not split.
func (s *zoneShares) of(i int) float64 {
	switch {
	case s == nil:
		return 1
	case i == 0:
		return s.upTo[0]
	}
	return s.upTo[i] - s.upTo[i-1]
}

// draw picks a zone: requests with a key always the same one, so that those of a key meet.
func (s *zoneShares) draw(key uint64) int {
	r := rand.Uint64()
	if key != 0 {
		r = mix(bits.Reverse64(key)) // not as the policy hash draws
	}
	at := float64(r>>11) / (1 << 53)
	last := 0
	for i, limit := range s.upTo {
		if at < limit {
			return i
		}
		if s.of(i) > 0 {
			last = i
		}
	}
	return last // rounding
}
