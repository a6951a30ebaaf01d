package balancer

// random draws a member at random, in proportion to the weights.
type random struct{ urn *urn }

func newRandom(members []Member, _ PolicyOptions) Policy { return &random{newUrn(members)} }

func (p *random) Pick(c *Choice) *Member {
	if m := p.urn.one(c); m != nil {
		return m
	}
	return c.scan(p.urn.members)
}
