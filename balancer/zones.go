package balancer

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// ZoneOptions keep requests in the zone of this process (zone-aware routing).
//
// Load bounds the load of a zone's members, as a multiple of an even spread over all
// members. Requests above that bound go to other zones, in proportion to their spare
// capacity. So no zone is flooded, and none is idle. Only available members count: a zone
// whose members fail gets fewer requests, and a zone without available members gets none.
// This is Envoy's zone aware routing. The pool must know how many sending processes each
// zone has: see Peers.
type ZoneOptions struct {
	Own   string         // zone of this process; "" = zones are ignored
	Load  float64        // bound of a member's load, as a multiple of an even spread over all members; a value below 1 counts as 1.2
	Min   int            // smallest number of members in a tier that uses zones; a value below 1 counts as 6
	Peers map[string]int // number of the fleet's processes in each zone, this one included; nil = from [Pool.SetPeers]
}

const (
	defaultZoneLoad = 1.2
	defaultZoneMin  = 6
)

// ZoneState is whether a pool uses zones, or the reason why not.
type ZoneState uint8

const (
	ZonesOff     ZoneState = iota // the zone of this process is unknown
	ZonesUnknown                  // the zone of a member is unknown
	ZonesAlike                    // all members are in one zone
	ZonesFew                      // the tier has too few members
	ZonesOut                      // no member of the tier is available
	ZonesOn
)

// String returns the word used in logs and answers.
func (s ZoneState) String() string {
	return [...]string{"off", "unknown", "alike", "few", "out", "on"}[s]
}

// ZoneReport describes how a pool keeps requests in the zone of this process.
type ZoneReport struct {
	State ZoneState // of the first tier
	Own   string
	Meant float64 // target share of the first tier's requests that stay in this zone
	Kept  uint64  // picks of members in this zone, while the state was [ZonesOn]
	Left  uint64  // picks of members in other zones, while the state was [ZonesOn]
}

// Zones returns how the pool uses zones. It is safe for concurrent use.
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

// SetPeers sets the number of the fleet's processes in each zone, this one included. Call
// it again when processes come or go. The Peers of [ZoneOptions] take precedence over it.
// nil = the same number in each zone. Do not modify peers afterwards. SetPeers is safe
// for concurrent use.
func (p *Pool) SetPeers(peers map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.peers = peers
	p.share()
}

// zoneCounts counts picks.
type zoneCounts struct{ kept, left atomic.Uint64 }

// zones are the members of a tier by zone, with a policy over each zone. nil = zones are
// ignored.
type zones struct {
	list   []*zonePart // the own zone first, even without members
	parts  []int32     // index in list of each member of the tier
	shares atomic.Pointer[zoneShares]
	counts *zoneCounts
}

// zonePart is one zone of a tier.
type zonePart struct {
	name      string
	members   []Member
	policy    Policy
	available int // sum of weights of its available members; guarded by Pool.mu
}

// grouping is a tier's members by zone.
type grouping struct {
	state ZoneState // ZonesOn = usable
	list  []*zonePart
	parts []int32
}

// zonesOf groups members by zone.
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

// newZones returns nil if zones are ignored for members.
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

// part returns the zone of the member at an index of the tier.
func (z *zones) part(place int) *zonePart {
	if z == nil {
		return nil
	}
	return z.list[z.parts[place]]
}

// pick draws a zone and picks there. If a few draws find no member that welcomes the
// request, because the zone is full or much of it is out, it picks from the whole tier:
// the fuller a zone, the more requests go elsewhere.
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

// zoneTries is the number of picks from a zone's policy. Each makes a few draws.
const zoneTries = 2

// pick picks a member of the zone that welcomes the request. It returns nil if it finds
// none soon.
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

// share recomputes the split of the load over the zones. peers count if o has none. The
// pool's mu must be held.
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

// zoneShares is the split of the load over the zones, as cumulative probability.
type zoneShares struct{ upTo []float64 }

// newZoneShares splits the load of a process in the first zone. weights are the available
// weights of the zones, senders the processes in each, and elsewhere those in zones
// without members. It returns nil if no weight is available.
//
// With f the zone's share of the weights and q its share of the senders, a process keeps
// min(1, load f/q) in its zone. Zones with f > q share the rest, in proportion to f - q.
// That rest is at most the sum of these differences, so a zone gets at most load f.
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

// of returns the share of a zone; 1 if the load is not split.
func (s *zoneShares) of(i int) float64 {
	switch {
	case s == nil:
		return 1
	case i == 0:
		return s.upTo[0]
	}
	return s.upTo[i] - s.upTo[i-1]
}

// draw picks a zone. Requests with the same key always get the same zone, so that they
// meet.
func (s *zoneShares) draw(key uint64) int {
	r := rand.Uint64()
	if key != 0 {
		r = mix(bits.Reverse64(key)) // not the draw of the policy hash
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
