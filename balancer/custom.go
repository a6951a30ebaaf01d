package balancer

// custom wraps a policy from outside this package, which may pick wrong members.
type custom struct {
	policy  Policy
	members []Member
}

// guarded wraps the policies that build makes: they never return a member that cannot
// take the request.
func guarded(build func([]Member, PolicyOptions) Policy) func([]Member, PolicyOptions) Policy {
	return func(members []Member, o PolicyOptions) Policy { return &custom{build(members, o), members} }
}

// Pick implements [Policy].
func (p *custom) Pick(c *Choice) *Member {
	if p.policy != nil {
		if m := p.policy.Pick(c); m != nil && c.possible(m) {
			return m
		}
	}
	return c.scan(p.members)
}

// Usable reports whether a policy should return m: m is available, is below its limit,
// and has not been tried for this request. A member on trial is usable only for a
// Replayable request. For a slow member, or one in its slow start, the result is random:
// the smaller its share of the load, the more often it is false. So call Usable only once
// for each member in a pick. Usable is safe for concurrent use with different choices.
func (c *Choice) Usable(m *Member) bool { return c.usable(m) }
