package balancer

import (
	"math/rand/v2"
	"slices"
)

// Policy picks a member for one attempt. Pick returns nil when no member is
// available and untried. It allocates nothing and costs about the same for ten
// members and ten thousand.
//
// A policy works on a fixed list of members. Their verdicts may change between
// any two picks, so a policy keeps its tables over all members and steps aside
// when a pick falls on one that is not usable.
type Policy interface {
	Pick(c *Choice) *Member
}

// Choice is what a policy may know about a request.
type Choice struct {
	Hash       uint64      // of what the policy hash balances on; 0 = the request has none
	Sticky     uint64      // ID of the upstream that served this client before; 0 = none
	Tried      []*Upstream // upstreams this request has already been sent to
	Replayable bool        // a failure could be hidden, so the request may serve as a trial
	Now        int64       // Unix nanoseconds, for policies that weigh latency; 0 = they read the clock, which costs as much as the pick

	side side // drawn by each Pick
	near bool // one zone is asked, and others can be: a few draws, and only who welcomes the request
}

// PolicyOptions are what some policies need to know beyond the members.
type PolicyOptions struct {
	HashLoad float64      // hash: bound of a member's load as a multiple of the mean; 0 = unbounded
	InFlight func() int64 // hash: requests in flight in the whole pool
}

// policies has one row a policy, each in a file of its own.
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

// usable reports whether a pick that fell on m is to be taken: m is available,
// untried, below its cap, and neither slow nor ramping up. An upstream on trial is kept for
// requests that can be sent again.
func (c *Choice) usable(m *Member) bool { return c.possible(m) && c.welcome(m) }

// possible is what remains of usable when nothing better is left.
func (c *Choice) possible(m *Member) bool {
	return m.Available() && !m.full() && !slices.Contains(c.Tried, m.Upstream)
}

// welcome is the part of usable that is a preference. See also [Pool.Pick],
// which asks for proof across the tiers.
func (c *Choice) welcome(m *Member) bool {
	return (c.Replayable || m.proven()) && c.side.takes(m.Upstream) &&
		m.slowness.accepts() && (c.side == newSide || m.ramp.accepts(m.pool.opts.Load().SlowStart)) // the share is a slow start by itself
}

// scan is every policy's last resort, when its few draws found nothing usable:
// the first usable member from a random place on, else the first possible one.
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
