package balancer

import (
	"math/rand/v2"
	"slices"
)

// Policy picks a member for one attempt. Pick returns nil if no untried member is
// available. Pick must be safe for concurrent use. The built-in policies allocate nothing,
// and cost about the same for ten members as for ten thousand.
//
// A policy works on a fixed list of members. Their verdicts may change between two picks.
// So a policy builds its tables over all members, and picks another member when the first
// is not usable.
type Policy interface {
	Pick(c *Choice) *Member
}

// Choice describes a request to the policy.
type Choice struct {
	Hash       uint64      // key for the policy hash; 0 = the request has none
	Sticky     uint64      // ID of the upstream that served this client before; 0 = none
	Tried      []*Upstream // upstreams that this request was sent to already
	Replayable bool        // another attempt could hide a failure, so the request may serve as a trial
	Now        int64       // Unix nanoseconds, for policies that compare latencies; 0 = the policy reads the clock itself, which costs as much as the pick

	side side // drawn by each Pick
	near bool // the pick asks one zone of several: only a few draws, and only members that welcome the request
}

// PolicyOptions are further inputs of some policies, besides the members.
type PolicyOptions struct {
	HashLoad float64      // hash: bound of a member's load as a multiple of the mean; 0 = unbounded
	InFlight func() int64 // hash: requests in flight in the whole pool
}

// policies is the table of policies. Each has its own file.
var policies = map[string]func([]Member, PolicyOptions) Policy{
	"round_robin": newRoundRobin,
	"random":      newRandom,
	"least_conn":  newLeastConn,
	"p2c":         newP2C,
	"peak_ewma":   newPeakEWMA,
	"hash":        newHash,
	"sticky":      newSticky,
	"first":       newFirst,
}

// usable reports whether a policy should take m: m is available, untried, below its
// limit, not slow, and past its slow start (the last two by chance, in proportion). An
// upstream on trial takes only requests that are Replayable.
func (c *Choice) usable(m *Member) bool { return c.possible(m) && c.welcome(m) }

// possible is the part of usable that also holds when no usable member is left.
func (c *Choice) possible(m *Member) bool {
	return m.Available() && !m.full() && !slices.Contains(c.Tried, m.Upstream)
}

// welcome is the part of usable that is a preference. See also [Pool.Pick], which looks
// for a proven member in all tiers.
func (c *Choice) welcome(m *Member) bool {
	return (c.Replayable || m.proven()) && c.side.takes(m.Upstream) &&
		m.slowness.accepts() && (c.side == newSide || m.ramp.accepts(m.pool.opts.Load().SlowStart)) // the introduction's share is a slow start already
}

// scan is the last resort of every policy after its few draws. It returns the first
// usable member from a random place on, else the first possible one.
func (c *Choice) scan(members []Member) *Member {
	if len(members) == 0 || c.near {
		return nil
	}
	return c.scanFrom(members, rand.IntN(len(members)))
}

// scanFrom is scan from a given place on.
func (c *Choice) scanFrom(members []Member, start int) *Member {
	var last *Member
	for i := range members {
		i += start
		if i >= len(members) {
			i -= len(members)
		}
		m := &members[i]
		if !c.possible(m) {
			continue
		}
		if c.welcome(m) {
			return m
		}
		if last == nil && !c.near {
			last = m
		}
	}
	return last
}
