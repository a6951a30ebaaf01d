package balancer

// sticky picks the upstream that served the client before, even during its slow start.
// This is a preference: if that upstream is not available, and for a new client, it picks
// like roundRobin.
type sticky struct {
	*roundRobin
	byID map[uint64]*Member
}

func newSticky(members []Member, _ PolicyOptions) Policy {
	p := &sticky{roundRobin: makeRoundRobin(members), byID: make(map[uint64]*Member, len(members))}
	for i := range members {
		p.byID[members[i].id] = &members[i]
	}
	return p
}

func (p *sticky) Pick(c *Choice) *Member {
	if m := p.known(c); m != nil {
		return m
	}
	return p.roundRobin.Pick(c)
}

// known returns the upstream that served the client before if it can take the request,
// else nil.
func (p *sticky) known(c *Choice) *Member {
	if c.Sticky == 0 {
		return nil
	}
	if m := p.byID[c.Sticky]; m != nil && c.possible(m) && (c.side != settledAlone || !m.Introduced()) {
		return m
	}
	return nil
}
