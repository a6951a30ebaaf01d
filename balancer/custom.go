package balancer

// custom is a policy from outside this package, with members that it may get wrong.
type custom struct {
	policy  Policy
	members []Member
}

// guarded returns what makes a policy by build that cannot hand out a member which may not
// take the request.
func guarded(build func([]Member, PolicyOptions) Policy) func([]Member, PolicyOptions) Policy {
	return func(members []Member, o PolicyOptions) Policy { return &custom{build(members, o), members} }
}

// Pick implements [Policy].
func (p *custom) Pick(c *Choice) *Member {
	if m := p.policy.Pick(c); m != nil && c.possible(m) {
		return m
	}
	return c.scan(p.members)
}

// Usable reports whether a policy should return m: it is available, this request has not
// been sent to it, it is below its limit, and it is neither slow nor in its slow start.
// Half of the calls may say no for a member in its slow start, so a policy asks once a
// pick. It is safe for concurrent use with different choices.
func (c *Choice) Usable(m *Member) bool { return c.usable(m) }
